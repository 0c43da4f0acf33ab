//! A list of files with what is known about each.

use std::{collections::HashSet, ops::Range, path::PathBuf};

use crate::dataset::{error::DatasetError, note::Note, subset::Subset};

/// A file of a data set.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Entry {
    pub(crate) path: PathBuf,
    /// Path relative to the data's folder, for messages.
    pub(crate) name: String,
    pub(crate) class: usize,
    pub(crate) group: Option<String>,
    pub(crate) subset: Option<Subset>,
    pub(crate) sample_rate_hz: Option<f64>,
    pub(crate) variable: Option<String>,
    pub(crate) rate_variable: Option<String>,
    pub(crate) skip_lines: Option<usize>,
    pub(crate) channel: Option<String>,
    /// Where the part of the recording begins and ends; missing if it is the recording's end.
    pub(crate) start_s: Option<f64>,
    pub(crate) stop_s: Option<f64>,
}

impl Entry {
    /// The part of the recording, in seconds; infinite if it is the rest of it.
    pub(crate) fn extent(&self) -> Range<f64> {
        self.start_s.unwrap_or(0.0)..self.stop_s.unwrap_or(f64::INFINITY)
    }

    /// Whether it is a part of a recording.
    pub(crate) fn is_part(&self) -> bool {
        self.start_s.is_some() || self.stop_s.is_some()
    }

    /// Its name and the part of the recording, for messages.
    pub(crate) fn name_of_part(&self) -> String {
        match (self.start_s, self.stop_s) {
            (None, None) => self.name.clone(),
            (start, None) => format!("{}, {} s to its end", self.name, start.unwrap_or(0.0)),
            (start, Some(stop)) => format!("{}, {} s to {stop} s", self.name, start.unwrap_or(0.0)),
        }
    }
}

/// All files of a data set.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Listing {
    /// The folder or the index.
    pub(crate) origin: PathBuf,
    /// Class names: in natural order if found in folders, in order of first appearance if listed in
    /// an index.
    pub(crate) classes: Vec<String>,
    pub(crate) entries: Vec<Entry>,
    /// What a user should know about the list.
    pub(crate) notes: Vec<Note>,
}

impl Listing {
    /// The error for data that cannot be used.
    pub(crate) fn unusable(&self, reason: impl Into<String>) -> DatasetError {
        DatasetError::Unusable { path: self.origin.clone(), reason: reason.into() }
    }

    /// Rejects a listing if one of its classes is not among those `present`; `what` is what the
    /// class lacks.
    pub(crate) fn check_classes(
        &self,
        what: &str,
        present: impl Iterator<Item = usize>,
    ) -> Result<(), DatasetError> {
        let present: HashSet<usize> = present.collect();
        match (0..).zip(&self.classes).find(|(class, _)| !present.contains(class)) {
            None => Ok(()),
            Some((_, name)) => {
                let reason = format!("class \"{name}\" has no {what}");
                let notes = self.notes.iter();
                Err(self.unusable(notes.fold(reason, |reason, note| format!("{reason}; {note}"))))
            }
        }
    }

    /// Rejects fewer than two classes, and classes without files.
    pub(super) fn check(&self) -> Result<(), DatasetError> {
        match &self.classes[..] {
            [] => Err(self.unusable(
                "it has no class: make a folder for each class, or list the files in an index, or \
                 if they contain windows that were cut beforehand, replace the recipe's data: \
                 --set 'data={kind=\"windows\",window=…,…}'",
            )),
            [one] => Err(self.unusable(format!(
                "it has the single class \"{one}\", but at least two are required"
            ))),
            _ => {
                let present = self.entries.iter().map(|entry| entry.class);
                self.check_classes("file of a supported format", present)
            }
        }
    }
}
