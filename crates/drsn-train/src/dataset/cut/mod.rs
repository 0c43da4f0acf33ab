//! Windows that were cut beforehand: inputs `[N, C, L]` and labels in arrays, or tables with one
//! input a row.
//!
//! * [`sources`]: which files are read, and which of them are for training and for the test.
//! * [`arrays`], [`names`], [`axes`]: the arrays of a file, and the windows in them.
//! * [`tables`]: the rows of a table.
//! * [`collector`], [`source`]: checks each window and stores it, and reads it again.
//! * [`labels`]: from the labels to classes.
//! * [`twins`]: the same window twice.

mod arrays;
mod axes;
mod collector;
mod labels;
mod names;
mod source;
mod sources;
mod tables;
#[cfg(test)]
mod tests;
mod twins;

use std::{
    collections::{HashMap, hash_map},
    path::{Path, PathBuf},
    sync::Arc,
};

use drsn_bundle::{InputSpec, Normalization, SignalSpec};
use drsn_recording::RecordingError;

use self::{
    collector::{Collected, Collector, Window},
    labels::Classes,
    sources::Sources,
};
use super::{
    Data, DatasetError, DatasetSource, Note,
    file_set::FileSet,
    files::{Entry, Listing},
    partition,
    samples::MAX_IN_MEMORY,
    subset::Subset,
};
use crate::recipe::{NormalizationConfig, RecipeError, Split, WindowConfig};

/// Opens the windows in a file, or in the files of a folder.
pub(super) fn open(
    seed: u64,
    config: &WindowConfig,
    path: &Path,
    skip_bad: bool,
) -> Result<Data, DatasetError> {
    open_within(seed, config, path, skip_bad, MAX_IN_MEMORY)
}

/// Like [`open`], with at most `max_in_memory` bytes of samples in memory.
fn open_within(
    seed: u64,
    config: &WindowConfig,
    path: &Path,
    skip_bad: bool,
    max_in_memory: u64,
) -> Result<Data, DatasetError> {
    check(config).map_err(RecipeError::new)?;
    let Sources { files, are_tables, mut notes } = sources::find(path)?;
    let mut collector = Collector::new(config, are_tables, skip_bad, max_in_memory);
    if are_tables {
        for file in &files {
            tables::read(config, file, &mut collector)?;
        }
    } else {
        arrays::read(config, &files, &mut collector, max_in_memory)?;
    }
    let mut set = collector.finish()?;
    let classes = labels::classes(path, config, &mut set, are_tables, skip_bad)?;
    let mut copies = twins::find(&mut set, &classes, path, skip_bad)?;
    let mut subsets = assign(path, config, &set, &classes)?;
    let before = subsets.clone();
    let class_of: Vec<usize> = set.windows.iter().map(|window| classes.of(window)).collect();
    partition::draw(&class_of, &config.split, seed, &mut subsets);
    copies.keep_together(&before, &mut subsets);
    twins::part(&mut copies, &mut set, &mut subsets, path, skip_bad)?;
    notes.append(&mut set.notes);
    notes.extend(advice(config, &set));
    into_data(seed, config, path, Assigned { set, classes, subsets, notes })
}

/// Windows with the class and the subset of each.
struct Assigned {
    set: Collected,
    classes: Classes,
    subsets: Vec<Subset>,
    notes: Vec<Note>,
}

fn into_data(
    seed: u64,
    config: &WindowConfig,
    path: &Path,
    assigned: Assigned,
) -> Result<Data, DatasetError> {
    let Assigned { set, classes, subsets, notes } = assigned;
    let listing =
        Listing { origin: path.to_owned(), classes: classes.names.clone(), ..Listing::default() };
    let of = |subset| (0..subsets.len()).filter(|&index| subsets[index] == subset).collect();
    let contents = format!(
        "windows of {} samples that were cut beforehand, {}",
        config.window,
        partition::describe(&config.split)
    );
    let input = InputSpec::Signal(spec(config, set.channels));
    let skipped = set.skipped.clone();
    let source: Arc<dyn DatasetSource> = Arc::new(set.into_source(|window| classes.of(window)));
    let subsets = Subset::ALL.map(of);
    FileSet { listing: &listing, source, subsets, input, contents, skipped, notes }
        .into_data(seed, config.limit)
}

/// The network's input.
fn spec(config: &WindowConfig, channels: usize) -> SignalSpec {
    SignalSpec {
        channels,
        window: config.window,
        sample_rate_hz: config.sample_rate_hz,
        normalization: match config.normalization {
            NormalizationConfig::None => Normalization::None,
            NormalizationConfig::ZScore { epsilon } => Normalization::ZScore { epsilon },
        },
        source: None,
        padding: None,
    }
}

/// Rejects what only an unchecked recipe can have.
fn check(config: &WindowConfig) -> Result<(), String> {
    if config.window == 0 || config.channels == Some(0) {
        return Err("data.window and data.channels must be at least 1".to_owned());
    }
    if matches!(config.split, Split::Time { .. }) {
        return Err("windows that were cut beforehand cannot be split in time".to_owned());
    }
    partition::check_shares(&config.split)
}

/// Assigns each window to a subset by its group or what it is declared as; those that the split
/// draws are assigned to training first. Windows that have all of it in common are one entry.
fn assign(
    path: &Path,
    config: &WindowConfig,
    set: &Collected,
    classes: &Classes,
) -> Result<Vec<Subset>, DatasetError> {
    let mut listing =
        Listing { origin: path.to_owned(), classes: classes.names.clone(), ..Listing::default() };
    refuse_missing(&listing, &config.split, set)?;
    let mut entries = HashMap::new();
    let mut entry_of = Vec::with_capacity(set.windows.len());
    for (index, window) in set.windows.iter().enumerate() {
        let key = (window.group, window.subset.map(Subset::name));
        let entry = match entries.entry(key) {
            hash_map::Entry::Occupied(known) => *known.get(),
            hash_map::Entry::Vacant(new) => {
                listing.entries.push(Entry {
                    name: set.name(index),
                    group: window.group.map(|group| set.group(group)),
                    subset: window.subset,
                    ..Entry::default()
                });
                *new.insert(listing.entries.len() - 1)
            }
        };
        entry_of.push(entry);
    }
    let subsets = partition::assign(&listing, &config.split)?;
    Ok(entry_of.into_iter().map(|entry| subsets[entry]).collect())
}

/// Rejects a split by what the windows do not have.
fn refuse_missing(listing: &Listing, split: &Split, set: &Collected) -> Result<(), DatasetError> {
    let lacks = |has: fn(&Window) -> bool| set.windows.iter().position(|window| !has(window));
    match split {
        Split::Group { .. } => match lacks(|window| window.group.is_some()) {
            Some(index) => Err(listing.unusable(format!(
                "{} has no group, but data.split is by group: add an array or column group with a \
                 value for each window, or name it with data.groups",
                set.name(index)
            ))),
            None => Ok(()),
        },
        Split::List { .. } => match lacks(|window| window.subset.is_some()) {
            Some(index) => Err(listing.unusable(format!(
                "{} is not declared as training, held-out or test data, but data.split is by list: \
                 add an array or column split, or use two files such as …_train and …_test, or \
                 arrays such as X_train and X_test",
                set.name(index)
            ))),
            None => Ok(()),
        },
        Split::Random { .. } | Split::Time { .. } => Ok(()),
    }
}

/// What the owner of the data should know about the recipe.
fn advice(config: &WindowConfig, set: &Collected) -> Vec<Note> {
    let none = std::iter::empty::<String>;
    let mut notes = Vec::new();
    if config.sample_rate_hz.is_none() {
        let text = "the sample rate is unknown, so a server cannot tell signals of another rate: \
                    set data.sample_rate_hz";
        notes.push(Note::new(text, none()));
    }
    let is_random = matches!(config.split, Split::Random { .. });
    if is_random && set.windows.iter().any(|window| window.group.is_some()) {
        let text = "the windows have groups, but are split at random, so windows of one group are \
                    on all sides: split by group to test on other groups";
        notes.push(Note::new(text, none()));
    }
    notes
}

/// The error of a file as a whole.
fn unreadable(path: &Path, error: &RecordingError) -> DatasetError {
    DatasetError::BadFile { path: path.to_owned(), reason: error.to_string() }
}

/// The error for data that cannot be used.
fn unusable(path: impl Into<PathBuf>, reason: impl Into<String>) -> DatasetError {
    DatasetError::Unusable { path: path.into(), reason: reason.into() }
}
