//! A file's class, as the folders say it that it lies in.

use std::path::Path;

/// The position of the class that `folder` stands for. That is the label equal to its path below
/// `root`, or else to the name of the innermost folder from `folder` up to `root`.
pub(super) fn of(root: &Path, folder: &Path, classes: &[String]) -> Option<usize> {
    let position = |name: &str| classes.iter().position(|class| class == name);
    let below = folder.strip_prefix(root).ok().and_then(Path::to_str);
    if let Some(found) = below.and_then(position) {
        return Some(found);
    }
    let folders = folder.ancestors().take_while(|ancestor| ancestor.starts_with(root));
    folders.filter_map(|folder| folder.file_name()?.to_str()).find_map(position)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_folder_named_after_a_class_counts_and_none_above_the_given_one() {
        let classes = ["normal", "worn", "race/inner"].map(str::to_owned);
        let of = |root: &str, folder: &str| of(Path::new(root), Path::new(folder), &classes);
        assert_eq!(of("data", "data/worn"), Some(1));
        assert_eq!(of("data", "data/worn/machine 1"), Some(1));
        assert_eq!(of("data", "data/worn/normal"), Some(0));
        assert_eq!(of("data/worn", "data/worn"), Some(1));
        assert_eq!(of("worn/data", "worn/data/x"), None);
        assert_eq!(of("data", "data/race/inner"), Some(2));
        assert_eq!(of("data", "data/inner"), None);
    }
}
