//! Folders of a split, such as `train`, `val` and `test`, above those of the classes.
//!
//! They are either followed, if every folder is one of them, or refused by name. They are never
//! taken for classes, except `valid` beside `invalid` if no other folder is part of a split.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use super::contents::{contents, subfolders};
use crate::dataset::{error::DatasetError, subset::Subset};

/// What to do with names that look like a split.
const CURE: &str = "rename the folders, or list the files in a table for --index";

/// A folder that contains the folders of classes, and what its files are for if its name says it.
pub(super) struct Side {
    pub(super) subset: Option<Subset>,
    pub(super) path: PathBuf,
}

/// The folders that contain those of the classes: `folder` itself, or the parts of a split in it.
pub(super) fn sides(folder: &Path) -> Result<Vec<Side>, DatasetError> {
    let tops = subfolders(folder)?;
    let names: Vec<&str> = tops.iter().map(|(name, _)| name.as_str()).collect();
    let subsets: Vec<Option<Subset>> = names.iter().map(|name| Subset::within_name(name)).collect();
    let has = |subset| subsets.contains(&Some(subset));
    if !has(Subset::Training) || subsets.contains(&None) || !differ(&subsets) {
        refuse_sides_as_classes(folder, &names)?;
        return Ok(vec![Side { subset: None, path: folder.to_owned() }]);
    }
    let sides = tops.iter().zip(subsets);
    sides.map(|((name, path), subset)| Ok(Side { subset, path: inner(name, path)? })).collect()
}

/// Refuses names of classes that look like parts of a split.
pub(super) fn refuse_sides_as_classes<S: AsRef<str>>(
    folder: &Path,
    names: &[S],
) -> Result<(), DatasetError> {
    let names = || names.iter().map(AsRef::as_ref);
    if are_valid_and_invalid(names()) {
        return Ok(());
    }
    let subsets: Vec<Option<Subset>> = names().map(Subset::within_name).collect();
    let is_split = subsets.contains(&Some(Subset::Training)) && differ(&subsets);
    let looks_like_one = |name: &&str| {
        if is_split { Subset::within_name(name) } else { Subset::from_name(name) }.is_some()
    };
    let (parts, others): (Vec<&str>, Vec<&str>) = names().partition(looks_like_one);
    if parts.is_empty() {
        return Ok(());
    }
    let reason = match (&parts[..], others.is_empty()) {
        ([one], true) => format!(
            "its only folder {one} looks like one part of a split, not like a class: pass {} with \
             --data to have the recipe split it, or put the other parts beside it",
            folder.join(one).display()
        ),
        (_, true) => format!(
            "its folders {} look like parts of a split, but not of one for training and another \
             for validation or the test: {CURE}",
            list(&parts)
        ),
        (_, false) => format!(
            "by their names, the folders {} are parts of a split, and {} beside them are classes: \
             put each class into a folder of the split (train, val, test), or {CURE}",
            list(&parts),
            list(&others)
        ),
    };
    Err(DatasetError::Unusable { path: folder.to_owned(), reason })
}

/// Whether one name is `invalid` and none but `valid` means a part of a split: these are classes.
fn are_valid_and_invalid<'a>(names: impl Iterator<Item = &'a str> + Clone) -> bool {
    let mut meant = names.clone().filter(|name| Subset::within_name(name).is_some());
    let is_meant_otherwise = meant.any(|name| !name.eq_ignore_ascii_case("valid"));
    let mut names = names;
    !is_meant_otherwise && names.any(|name| name.eq_ignore_ascii_case("invalid"))
}

/// Whether the names mean more than one subset.
fn differ(subsets: &[Option<Subset>]) -> bool {
    let subsets: BTreeSet<&str> = subsets.iter().flatten().map(|subset| subset.name()).collect();
    subsets.len() > 1
}

/// The folder in a part of a split that contains the classes: archives often repeat its name, as in
/// `seg_train/seg_train`.
fn inner(name: &str, path: &Path) -> Result<PathBuf, DatasetError> {
    let contents = contents(path)?;
    Ok(match &contents[..] {
        // If it contains files, it is a class that has the name of the part, such as `valid`.
        [(only, below)] if below.is_dir() && only == name && !subfolders(below)?.is_empty() => {
            below.clone()
        }
        _ => path.to_owned(),
    })
}

/// The first few names in quotes.
fn list(names: &[&str]) -> String {
    const SHOWN: usize = 5;
    let mut shown: Vec<String> =
        names.iter().take(SHOWN).map(|name| format!("\"{name}\"")).collect();
    if names.len() > SHOWN {
        shown.push(format!("… ({} in all)", names.len()));
    }
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use proptest::{prelude::*, sample::subsequence};

    use crate::dataset::{
        files::{FileKind, Listing, list},
        subset::Subset,
    };

    /// Lists one file in each of these folders.
    fn files_in(folders: &[String]) -> Result<Listing, String> {
        let folder = tempfile::tempdir().unwrap();
        for name in folders {
            fs::create_dir_all(folder.path().join(name)).unwrap();
            fs::write(folder.path().join(name).join("1.wav"), "").unwrap();
        }
        list(folder.path(), None, FileKind::Recordings).map_err(|error| error.to_string())
    }

    /// Regression: recordings that are called valid and invalid were refused as part of a split.
    #[test]
    fn valid_beside_invalid_is_a_class_unless_there_is_a_split() {
        let classes = |folders: &[&str]| {
            let folders: Vec<String> = folders.iter().map(ToString::to_string).collect();
            files_in(&folders).map(|listing| listing.classes)
        };
        assert_eq!(classes(&["valid", "invalid"]).unwrap(), ["invalid", "valid"]);
        assert_eq!(classes(&["Valid", "Invalid", "odd"]).unwrap(), ["Invalid", "Valid", "odd"]);
        for others in [&["train"][..], &["test"], &["val"], &["seg_train", "seg_test"]] {
            let said = classes(&[&["valid", "invalid"], others].concat()).unwrap_err();
            assert!(said.contains("parts of a split"), "{said}");
        }
        assert!(classes(&["valid", "normal"]).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn folders_are_followed_as_they_are_meant_or_refused(
            held_out in prop::sample::select(vec!["valid", "val", "dev"]),
            sides in prop_oneof![
                Just(vec![]), Just(vec![0]), Just(vec![0, 1]), Just(vec![0, 2]), Just(vec![0, 1, 2])
            ],
            classes in subsequence(
                vec!["invalid", "normal", "valid", "valve", "worn", "test", "train"], 2..5
            ),
        ) {
            let names = ["train", held_out, "test"];
            let sides: Vec<&str> = sides.into_iter().map(|side: usize| names[side]).collect();
            let place = |side: &str, class: &&str| Path::new(side).join(class).display().to_string();
            let tops = if sides.is_empty() { vec![""] } else { sides.clone() };
            let folders: Vec<String> =
                tops.iter().flat_map(|side| classes.iter().map(|class| place(side, class))).collect();
            let has = |name| classes.contains(&name);
            let is_clear = !has("test") && !has("train") && (!has("valid") || has("invalid"));
            match files_in(&folders) {
                Err(said) => prop_assert!(!is_clear || sides.len() == 1, "{said}"),
                Ok(Listing { classes: found, entries, .. }) => {
                    prop_assert!(is_clear && sides.len() != 1);
                    prop_assert_eq!(&found, &classes);
                    prop_assert_eq!(entries.len(), folders.len());
                    for entry in &entries {
                        let (side, _) = entry.name.split_once('/').unwrap();
                        let meant = Subset::from_name(side).filter(|_| !sides.is_empty());
                        prop_assert_eq!(entry.subset, meant);
                    }
                }
            }
        }
    }
}
