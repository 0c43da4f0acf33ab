//! Which files there are, and what is known of each: found in folders, or listed in an index.
//!
//! In folders a file lies at `<class>/<file>`, at `<class>/<group>/…/<file>`, or one level deeper below folders named
//! `training`, `held-out` and `test`. Classes and files are in the natural order of their names.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{DatasetError, index, order::natural};

/// Folders inside folders; more are a loop of links.
const DEEPEST: usize = 16;
/// Files; far above every set that is trained on here.
const MOST_FILES: usize = 10_000_000;

/// Which inputs a file gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Training,
    HeldOut,
    Test,
}

impl Side {
    /// Reads the name that an index or a folder gives it.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "training" => Some(Self::Training),
            "held-out" => Some(Self::HeldOut),
            "test" => Some(Self::Test),
            _ => None,
        }
    }
}

/// A file with what is known of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Entry {
    pub(super) path: PathBuf,
    /// Its path below the data's folder, as a person would name it.
    pub(super) name: String,
    pub(super) class: usize,
    pub(super) group: Option<String>,
    pub(super) side: Option<Side>,
    pub(super) sample_rate_hz: Option<f64>,
    pub(super) variable: Option<String>,
    pub(super) channel: Option<String>,
}

/// All files of a data set.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Listing {
    /// The folder, or the index.
    pub(super) origin: PathBuf,
    /// In the natural order of the folders, or in the order of their first appearance in the index.
    pub(super) classes: Vec<String>,
    pub(super) entries: Vec<Entry>,
}

impl Listing {
    /// Lists the files; in folders those whose extension `is_wanted`.
    pub(super) fn read(
        folder: &Path,
        index: Option<&Path>,
        is_wanted: fn(&str) -> bool,
    ) -> Result<Self, DatasetError> {
        let listing = match index {
            Some(index) => index::read(index, folder)?,
            None => Self::walk(folder, is_wanted)?,
        };
        listing.check()?;
        Ok(listing)
    }

    /// The error for data that cannot be used.
    pub(super) fn unusable(&self, reason: impl Into<String>) -> DatasetError {
        DatasetError::Unusable { path: self.origin.clone(), reason: reason.into() }
    }

    /// Refuses fewer than two classes, and classes of which `has` finds nothing.
    pub(super) fn check_classes(
        &self,
        what: &str,
        has: impl Fn(usize) -> bool,
    ) -> Result<(), DatasetError> {
        match (0..self.classes.len()).find(|&class| !has(class)) {
            None => Ok(()),
            Some(class) => {
                Err(self.unusable(format!("class \"{}\" has no {what}", self.classes[class])))
            }
        }
    }

    fn check(&self) -> Result<(), DatasetError> {
        match &self.classes[..] {
            [] => Err(self.unusable(
                "it has no class: it should have a folder for each class, or be listed in an index",
            )),
            [one] => Err(self.unusable(format!(
                "it has the single class \"{one}\", and telling classes apart takes at least two"
            ))),
            _ => self.check_classes("file of a format that is read", |class| {
                self.entries.iter().any(|entry| entry.class == class)
            }),
        }
    }

    fn walk(folder: &Path, is_wanted: fn(&str) -> bool) -> Result<Self, DatasetError> {
        let origin = folder.to_owned();
        let tops = contents(folder)?;
        let sides: Vec<_> = tops
            .iter()
            .filter(|(_, path)| path.is_dir())
            .map(|(name, path)| (Side::named(name), path))
            .collect();
        let folders = if !sides.is_empty() && sides.iter().all(|(side, _)| side.is_some()) {
            sides
        } else {
            vec![(None, &origin)]
        };
        let mut listing =
            Self { classes: classes(&folders)?, origin: origin.clone(), entries: Vec::new() };
        for (side, path) in folders {
            listing.add_classes(path, side, is_wanted)?;
        }
        Ok(listing)
    }

    fn add_classes(
        &mut self,
        folder: &Path,
        side: Option<Side>,
        is_wanted: fn(&str) -> bool,
    ) -> Result<(), DatasetError> {
        for (name, path) in contents(folder)?.into_iter().filter(|(_, path)| path.is_dir()) {
            let Some(class) = self.classes.iter().position(|class| *class == name) else {
                continue;
            };
            let template = Entry { class, side, ..Entry::default() };
            self.add_files(&path, &template, is_wanted, DEEPEST)?;
        }
        Ok(())
    }

    fn add_files(
        &mut self,
        folder: &Path,
        template: &Entry,
        is_wanted: fn(&str) -> bool,
        depth: usize,
    ) -> Result<(), DatasetError> {
        if depth == 0 || self.entries.len() >= MOST_FILES {
            return Err(self.unusable(format!(
                "{} lies too deep, or there are more than {MOST_FILES} files",
                folder.display()
            )));
        }
        for (name, path) in contents(folder)? {
            if path.is_dir() {
                // The folder between class and file is the group, whatever lies below it.
                let group = template.group.clone().or(Some(name));
                let template = Entry { group, ..template.clone() };
                self.add_files(&path, &template, is_wanted, depth - 1)?;
            } else if path.extension().and_then(|e| e.to_str()).is_some_and(is_wanted) {
                let below = path.strip_prefix(&self.origin).unwrap_or(&path);
                let name = below.display().to_string();
                self.entries.push(Entry { path, name, ..template.clone() });
            }
        }
        Ok(())
    }
}

/// The classes for which there are folders, in natural order.
fn classes(folders: &[(Option<Side>, &PathBuf)]) -> Result<Vec<String>, DatasetError> {
    let mut classes = Vec::new();
    for (_, folder) in folders {
        let below = contents(folder)?.into_iter().filter(|(_, path)| path.is_dir());
        classes.extend(below.map(|(name, _)| name));
    }
    classes.sort_by(|a, b| natural(a, b));
    classes.dedup();
    Ok(classes)
}

/// What is in a folder, but for hidden files, in natural order.
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
