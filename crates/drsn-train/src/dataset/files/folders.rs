//! Files in folders named after their classes.
//!
//! A file is at `<class>/<file>` or at `<class>/<group>/…/<file>`. Folders of a split, such as
//! `train`, `val` and `test`, are above those of the classes or below them ([`super::layout`]).
//! Classes and files are in natural order of their names.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{
    layout::{Side, refuse_sides_as_classes, sides},
    listing::{Entry, Listing},
    natural_order::natural,
};
use crate::dataset::{error::DatasetError, subset::Subset};

/// Maximum depth of nested folders; deeper ones are a loop of links.
const MAX_DEPTH: usize = 16;
/// Maximum number of files.
const MAX_FILES: usize = 10_000_000;

/// Lists the files below `folder` whose extension `is_wanted`.
pub(super) fn walk(folder: &Path, is_wanted: fn(&str) -> bool) -> Result<Listing, DatasetError> {
    let sides = sides(folder)?;
    let classes = classes(folder, &sides)?;
    let listing = Listing { classes, origin: folder.to_owned(), ..Listing::default() };
    let mut walk = Walk { listing, is_wanted, inner_sides: Vec::new() };
    for side in &sides {
        walk.add_classes(side)?;
    }
    Ok(walk.finish())
}

/// A walk through the folders.
struct Walk {
    listing: Listing,
    is_wanted: fn(&str) -> bool,
    /// Names of the folders below those of the classes that look like parts of a split.
    inner_sides: Vec<(String, Subset)>,
}

impl Walk {
    fn add_classes(&mut self, side: &Side) -> Result<(), DatasetError> {
        for (name, path) in subfolders(&side.path)? {
            let Some(class) = self.listing.classes.iter().position(|class| *class == name) else {
                continue;
            };
            let template = Entry { class, subset: side.subset, ..Entry::default() };
            self.add_files(&path, &template, MAX_DEPTH)?;
        }
        Ok(())
    }

    fn add_files(
        &mut self,
        folder: &Path,
        template: &Entry,
        depth: usize,
    ) -> Result<(), DatasetError> {
        if depth == 0 || self.listing.entries.len() >= MAX_FILES {
            return Err(self.listing.unusable(format!(
                "{} is nested too deeply, or there are more than {MAX_FILES} files",
                folder.display()
            )));
        }
        for (name, path) in contents(folder)? {
            if path.is_dir() {
                let subset = self.inner_subset(&name, &path, template.subset)?;
                // The folder directly inside the class is the group of all files below it.
                let group = template.group.clone().or(Some(name));
                let template = Entry { group, subset, ..template.clone() };
                self.add_files(&path, &template, depth - 1)?;
            } else if path.extension().and_then(|e| e.to_str()).is_some_and(self.is_wanted) {
                let relative = path.strip_prefix(&self.listing.origin).unwrap_or(&path);
                let name = relative.display().to_string();
                self.listing.entries.push(Entry { path, name, ..template.clone() });
            }
        }
        Ok(())
    }

    /// The subset of the files in a folder below that of a class; `outer` is that of the folder
    /// around it.
    fn inner_subset(
        &mut self,
        name: &str,
        path: &Path,
        outer: Option<Subset>,
    ) -> Result<Option<Subset>, DatasetError> {
        let Some(inner) = Subset::from_name(name) else { return Ok(outer) };
        if let Some(outer) = outer.filter(|&outer| outer != inner) {
            return Err(self.listing.unusable(format!(
                "by its name, the folder {} is for {} inputs, but a folder around it is for {} \
                 ones: rename one of them, or list the files in an index",
                path.display(),
                inner.name(),
                outer.name()
            )));
        }
        if outer.is_none() {
            self.inner_sides.push((name.to_owned(), inner));
        }
        Ok(Some(inner))
    }

    /// Ends the walk. Folders `test1`, `test2`, … below the classes, without any for training, are
    /// groups, such as series of measurements.
    fn finish(self) -> Listing {
        let Self { mut listing, inner_sides, .. } = self;
        let are_groups = inner_sides.iter().all(|(name, subset)| {
            *subset != Subset::Training && name.contains(|c: char| c.is_ascii_digit())
        });
        if are_groups && !inner_sides.is_empty() {
            listing.entries.iter_mut().for_each(|entry| entry.subset = None);
        }
        listing
    }
}

/// Names of the folders inside the sides, in natural order and without duplicates.
fn classes(folder: &Path, sides: &[Side]) -> Result<Vec<String>, DatasetError> {
    let mut classes = Vec::new();
    for side in sides {
        classes.extend(subfolders(&side.path)?.into_iter().map(|(name, _)| name));
    }
    classes.sort_by(|a, b| natural(a, b));
    classes.dedup();
    refuse_sides_as_classes(folder, &classes)?;
    Ok(classes)
}

/// Names and paths of the folders in a folder.
pub(super) fn subfolders(folder: &Path) -> Result<Vec<(String, PathBuf)>, DatasetError> {
    Ok(contents(folder)?.into_iter().filter(|(_, path)| path.is_dir()).collect())
}

/// Names and paths of the entries of a folder, without hidden ones, in natural order.
pub(super) fn contents(folder: &Path) -> Result<Vec<(String, PathBuf)>, DatasetError> {
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
