//! The same data twice: refused on two sides of a split and under two labels, and told otherwise.
//!
//! Two entries have the same data if their files have the same contents, and they take the same
//! variable, the same channels and parts of the recording that overlap.

mod contents;

use std::{collections::HashMap, path::Path};

use super::{
    DatasetError,
    files::{Entry, Listing},
    note::{Note, files_are},
    subset::Subset,
};

/// Pairs in a message; more are counted.
const SHOWN: usize = 3;
/// Conflicts after which no more are looked for.
const MAX_CONFLICTS: usize = 1_000;

/// Groups of the entries of a listing whose files have the same contents.
#[derive(Debug)]
pub(super) struct Copies {
    groups: Vec<Vec<usize>>,
}

/// Why two entries with the same data cannot both be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Conflict {
    Labels,
    Sides,
    /// They overlap, and each is divided in time.
    Overlap,
}

/// What an entry takes of its file, and what it is used as.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Use<'a> {
    variable: Option<&'a str>,
    channel: Option<&'a str>,
    class: usize,
    subset: &'static str,
}

/// The entries that were found to have the same data as others.
#[derive(Default)]
struct Findings {
    conflicts: Vec<(Conflict, usize, usize)>,
    repeated: Vec<usize>,
    /// Groups whose entries are on two sides, without having data in common.
    apart: Vec<usize>,
}

impl Copies {
    /// Groups of two or more inputs that are known to be the same.
    pub(super) fn of(groups: Vec<Vec<usize>>) -> Self {
        Self { groups }
    }

    /// The groups.
    pub(super) fn groups(&self) -> &[Vec<usize>] {
        &self.groups
    }

    /// Compares the files of a listing.
    pub(super) fn find(listing: &Listing) -> Self {
        let paths: Vec<&Path> = listing.entries.iter().map(|entry| &*entry.path).collect();
        Self { groups: contents::equal(&paths) }
    }

    /// Leaves entries out, such as those of files that cannot be read.
    pub(super) fn leave_out(&mut self, is_out: impl Fn(usize) -> bool) {
        for group in &mut self.groups {
            group.retain(|&entry| !is_out(entry));
        }
    }

    /// Puts all copies of a file into the subset of the first one, if all of them were for
    /// training `before` files were drawn for other subsets.
    pub(super) fn keep_together(&self, before: &[Subset], subsets: &mut [Subset]) {
        for group in &self.groups {
            let Some(&first) = group.first() else { continue };
            if group.iter().all(|&entry| before[entry] == Subset::Training) {
                for &entry in group {
                    subsets[entry] = subsets[first];
                }
            }
        }
    }

    /// Refuses the same data on two sides of the split or under two labels, and notes what is
    /// there more than once. `divides` tells whether files of a subset are divided in time.
    pub(super) fn check(
        &self,
        listing: &Listing,
        subsets: &[Subset],
        divides: impl Fn(Subset) -> bool,
    ) -> Result<Vec<Note>, DatasetError> {
        let mut findings = Findings::default();
        for group in &self.groups {
            findings.add(listing, subsets, group, &divides);
        }
        refuse(listing, subsets, &findings.conflicts)?;
        let name = |&entry: &usize| listing.entries[entry].name.clone();
        let mut notes = Vec::new();
        if !findings.repeated.is_empty() {
            let count = files_are(findings.repeated.len());
            let text = format!("{count} there more than once, with the same label on one side");
            notes.push(Note::new(text, findings.repeated.iter().map(name)));
        }
        if !findings.apart.is_empty() {
            let count = files_are(findings.apart.len());
            let text = format!("{count} on two sides of the split, in parts that do not overlap");
            notes.push(Note::new(text, findings.apart.iter().map(name)));
        }
        Ok(notes)
    }
}

impl Findings {
    /// Compares the entries of a group with each other. They are passed in the order of their
    /// starts, and of each use only the entry that ends last can overlap the next one.
    fn add(
        &mut self,
        listing: &Listing,
        subsets: &[Subset],
        group: &[usize],
        divides: &impl Fn(Subset) -> bool,
    ) {
        let extent = |entry: usize| listing.entries[entry].extent();
        let mut in_order = group.to_vec();
        in_order.sort_by(|&a, &b| extent(a).start.total_cmp(&extent(b).start));
        let mut open: HashMap<Use<'_>, usize> = HashMap::new();
        let known = self.conflicts.len();
        for &entry in &in_order {
            if self.conflicts.len() >= MAX_CONFLICTS {
                return;
            }
            let of_this = extent(entry);
            let used = Use::of(&listing.entries[entry], subsets[entry]);
            open.retain(|_, other| extent(*other).end > of_this.start);
            let others = open.iter().filter(|(other, _)| other.may_share(&used));
            let mut is_repeated = false;
            for (other, &place) in others {
                let differs = divides(subsets[entry]) && extent(place) != of_this;
                match other.conflict(&used, differs) {
                    Some(conflict) => self.conflicts.push((conflict, place, entry)),
                    None => is_repeated = true,
                }
            }
            if is_repeated {
                self.repeated.push(entry);
            }
            let last = open.entry(used).or_insert(entry);
            if extent(*last).end < of_this.end {
                *last = entry;
            }
        }
        let first = group.first().map(|&entry| subsets[entry]);
        if self.conflicts.len() == known && group.iter().any(|&e| Some(subsets[e]) != first) {
            self.apart.extend(group.first());
        }
    }
}

impl<'a> Use<'a> {
    fn of(entry: &'a Entry, subset: Subset) -> Self {
        Self {
            variable: entry.variable.as_deref(),
            channel: entry.channel.as_deref(),
            class: entry.class,
            subset: subset.name(),
        }
    }

    /// Whether the same numbers may be meant: a variable that is not named may be any.
    fn may_share(&self, other: &Self) -> bool {
        let may = |a: Option<&str>, b: Option<&str>| a.is_none() || b.is_none() || a == b;
        may(self.variable, other.variable) && may(self.channel, other.channel)
    }

    fn conflict(&self, other: &Self, overlaps_otherwise: bool) -> Option<Conflict> {
        if self.subset != other.subset {
            Some(Conflict::Sides)
        } else if self.class != other.class {
            Some(Conflict::Labels)
        } else {
            overlaps_otherwise.then_some(Conflict::Overlap)
        }
    }
}

/// The error for the first kind of conflict, if there is any.
fn refuse(
    listing: &Listing,
    subsets: &[Subset],
    conflicts: &[(Conflict, usize, usize)],
) -> Result<(), DatasetError> {
    let Some(&(kind, ..)) = conflicts.first() else { return Ok(()) };
    let of_kind = || conflicts.iter().filter(|(other, ..)| *other == kind);
    let (what, cure) = match kind {
        Conflict::Labels => ("under two labels", "give each file one label"),
        Conflict::Sides => (
            "on two sides of the split, so a test on it would say nothing",
            "leave it on one of them",
        ),
        Conflict::Overlap => (
            "in parts that overlap, each of which is divided in time",
            "list parts that do not overlap, or split by group or list",
        ),
    };
    let describe = |entry: usize| {
        let Entry { class, .. } = listing.entries[entry];
        format!(
            "{} ({}, {})",
            listing.entries[entry].name_of_part(),
            listing.classes[class],
            subsets[entry].name()
        )
    };
    let pairs: Vec<String> = of_kind()
        .take(SHOWN)
        .map(|&(_, a, b)| format!("{} and {}", describe(a), describe(b)))
        .collect();
    let more = match of_kind().count() - pairs.len() {
        0 => String::new(),
        more if conflicts.len() >= MAX_CONFLICTS => format!(", and at least {more} more"),
        more => format!(", and {more} more"),
    };
    Err(listing.unusable(format!("the same data is {what}: {}{more}: {cure}", pairs.join("; "))))
}

#[cfg(test)]
mod tests;
