//! Folders of a split, such as `train`, `val` and `test`, above those of the classes.
//!
//! They are either followed, if every folder is one of them, or refused by name. They are never
//! taken for classes.

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
        [(only, below)] if below.is_dir() && only == name => below.clone(),
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
