//! Files in folders named after their classes.
//!
//! A file is at `<class>/<file>`, at `<class>/<group>/…/<file>`, or one level deeper inside folders
//! named `training`, `held-out` and `test`. Classes and files are in natural order of their names.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{
    listing::{Entry, Listing},
    natural_order::natural,
};
use crate::dataset::{error::DatasetError, subset::Subset};

/// Maximum depth of nested folders; deeper ones are a loop of links.
const MAX_DEPTH: usize = 16;
/// Maximum number of files.
const MAX_FILES: usize = 10_000_000;

/// Lists the files below `folder` whose name `is_wanted`.
pub(super) fn walk(folder: &Path, is_wanted: fn(&Path) -> bool) -> Result<Listing, DatasetError> {
    let origin = folder.to_owned();
    let tops = contents(folder)?;
    let subsets: Vec<_> = tops
        .iter()
        .filter(|(_, path)| path.is_dir())
        .map(|(name, path)| (Subset::from_name(name), path))
        .collect();
    let folders = if !subsets.is_empty() && subsets.iter().all(|(subset, _)| subset.is_some()) {
        subsets
    } else {
        vec![(None, &origin)]
    };
    let mut listing =
        Listing { classes: classes(&folders)?, origin: origin.clone(), entries: Vec::new() };
    for (subset, path) in folders {
        add_classes(&mut listing, path, subset, is_wanted)?;
    }
    Ok(listing)
}

fn add_classes(
    listing: &mut Listing,
    folder: &Path,
    subset: Option<Subset>,
    is_wanted: fn(&Path) -> bool,
) -> Result<(), DatasetError> {
    for (name, path) in contents(folder)?.into_iter().filter(|(_, path)| path.is_dir()) {
        let Some(class) = listing.classes.iter().position(|class| *class == name) else {
            continue;
        };
        let template = Entry { class, subset, ..Entry::default() };
        add_files(listing, &path, &template, is_wanted, MAX_DEPTH)?;
    }
    Ok(())
}

fn add_files(
    listing: &mut Listing,
    folder: &Path,
    template: &Entry,
    is_wanted: fn(&Path) -> bool,
    depth: usize,
) -> Result<(), DatasetError> {
    if depth == 0 || listing.entries.len() >= MAX_FILES {
        return Err(listing.unusable(format!(
            "{} is nested too deeply, or there are more than {MAX_FILES} files",
            folder.display()
        )));
    }
    for (name, path) in contents(folder)? {
        if path.is_dir() {
            // The folder directly inside the class is the group of all files below it.
            let group = template.group.clone().or(Some(name));
            let template = Entry { group, ..template.clone() };
            add_files(listing, &path, &template, is_wanted, depth - 1)?;
        } else if is_wanted(&path) {
            let relative = path.strip_prefix(&listing.origin).unwrap_or(&path);
            let name = relative.display().to_string();
            listing.entries.push(Entry { path, name, ..template.clone() });
        }
    }
    Ok(())
}

/// Names of the folders inside `folders`, in natural order and without duplicates.
fn classes(folders: &[(Option<Subset>, &PathBuf)]) -> Result<Vec<String>, DatasetError> {
    let mut classes = Vec::new();
    for (_, folder) in folders {
        let inside = contents(folder)?.into_iter().filter(|(_, path)| path.is_dir());
        classes.extend(inside.map(|(name, _)| name));
    }
    classes.sort_by(|a, b| natural(a, b));
    classes.dedup();
    Ok(classes)
}

/// Names and paths of the entries of a folder, without hidden ones, in natural order.
fn contents(folder: &Path) -> Result<Vec<(String, PathBuf)>, DatasetError> {
    let unreadable = |source| DatasetError::Unreadable { path: folder.to_owned(), source };
    let mut contents = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            return Err(DatasetError::Malformed {
                path,
                reason: "its name is not UTF-8; rename it".to_owned(),
            });
        };
        if !name.starts_with('.') {
            contents.push((name.to_owned(), path));
        }
    }
    contents.sort_by(|(a, _), (b, _)| natural(a, b));
    Ok(contents)
}
