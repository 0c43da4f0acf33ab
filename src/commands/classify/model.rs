//! What the command needs to know of a model before it classifies.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use drsn_bundle::bundle::MANIFEST_FILE;

/// What a model reads and tells.
#[derive(Debug)]
pub(super) struct Facts {
    /// Its labels, in its order.
    pub(super) classes: Vec<String>,
    /// Whether its inputs are images, and not signals.
    pub(super) takes_images: bool,
}

/// The folder of the bundle that `path` means: itself, or the highest version in it.
///
/// # Errors
/// If there is no bundle.
pub(super) fn bundle(path: &Path) -> anyhow::Result<PathBuf> {
    if is_bundle(path) {
        return Ok(path.to_owned());
    }
    let entries = fs::read_dir(path)
        .with_context(|| format!("cannot read the folder of the model, {}", path.display()))?;
    let mut found: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    found.sort();
    let version = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u64>().ok();
    let versions = found.iter().filter(|path| is_bundle(path));
    let highest = versions.filter_map(|path| Some((version(path)?, path))).max();
    if let Some((_, path)) = highest {
        return Ok(path.clone());
    }
    let is_model = |path: &&PathBuf| bundle_below(path);
    if let Some(model) = found.iter().find(is_model) {
        bail!(
            "{} is a folder of models; name one of them with --model, such as {}",
            path.display(),
            model.display()
        );
    }
    bail!(
        "{} has no bundle; --model is a folder with {MANIFEST_FILE}, such as models/bearing/1, or a \
         folder of numbered versions, such as models/bearing",
        path.display()
    )
}

fn is_bundle(folder: &Path) -> bool {
    folder.join(MANIFEST_FILE).is_file()
}

/// Whether a folder has a bundle directly below it.
fn bundle_below(folder: &Path) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.filter_map(Result::ok).any(|entry| is_bundle(&entry.path()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_is_found_by_itself_or_as_the_highest_version_of_its_model() {
        let models = tempfile::tempdir().unwrap();
        let model = models.path().join("bearing");
        for version in ["2", "10", "9", "notes"] {
            fs::create_dir_all(model.join(version)).unwrap();
        }
        for version in ["2", "10"] {
            fs::write(model.join(version).join(MANIFEST_FILE), "{}").unwrap();
        }
        assert_eq!(bundle(&model.join("2")).unwrap(), model.join("2"));
        assert_eq!(bundle(&model).unwrap(), model.join("10"));
        let refused = |path: &Path| bundle(path).unwrap_err().to_string();
        assert!(refused(models.path()).contains("name one of them with --model"));
        assert!(refused(&model.join("9")).contains("has no bundle"));
        assert!(refused(&model.join("none")).contains("cannot read"));
    }
}
