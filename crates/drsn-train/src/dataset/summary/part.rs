//! The contents of one part of a data set.

use std::collections::{BTreeMap, BTreeSet};

use crate::dataset::{Part, files::natural};

/// The contents of a part.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct PartSummary {
    /// Inputs of each class.
    pub(super) counts: Vec<usize>,
    /// Files with the number of samples that are used of them, if that is known; empty if an input
    /// does not tell its file.
    pub(super) files: BTreeMap<String, Option<usize>>,
    /// Groups; empty if an input has none.
    pub(super) groups: BTreeSet<String>,
}

impl PartSummary {
    pub(super) fn new(part: &Part, classes: usize) -> Self {
        let mut summary = Self { counts: vec![0; classes], ..Self::default() };
        let (mut with_file, mut with_group) = (0, 0);
        for &index in &part.indices {
            if let Some(count) = summary.counts.get_mut(part.source.label(index)) {
                *count += 1;
            }
            let origin = part.source.origin(index);
            if let Some(file) = origin.file {
                with_file += 1;
                if !summary.files.contains_key(file) {
                    summary.files.insert(file.to_owned(), origin.samples);
                }
            }
            if let Some(group) = origin.group {
                with_group += 1;
                if !summary.groups.contains(group) {
                    summary.groups.insert(group.to_owned());
                }
            }
        }
        let inputs = part.indices.len();
        // What only some inputs tell cannot be counted.
        if with_file < inputs {
            summary.files.clear();
        }
        if with_group < inputs {
            summary.groups.clear();
        }
        summary
    }

    pub(super) fn inputs(&self) -> usize {
        self.counts.iter().sum()
    }
}

/// A number of things, in the plural unless it is one.
pub(super) fn count(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// The first few names in natural order; more are counted.
pub(super) fn some_of(names: &BTreeSet<String>) -> String {
    const SHOWN: usize = 8;
    let mut shown: Vec<&str> = names.iter().map(String::as_str).collect();
    shown.sort_by(|a, b| natural(a, b));
    shown.truncate(SHOWN);
    match names.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
