//! Checks windows one after another, and stores those that can be used.

use std::path::{Path, PathBuf};

use drsn_bundle::{InputSpec, PrepareError};
use drsn_recording::{Value, Values};
use ndarray::aview1;
use sha2::{Digest as _, Sha256};

use super::{
    source::{CutWindows, name_of},
    spec, unusable,
};
use crate::{
    dataset::{
        DatasetError, Note,
        constant_windows::{ConstantWindows, Counts},
        samples::{Samples, Spool},
        subset::Subset,
    },
    recipe::WindowConfig,
};

/// Most windows of a data set: what is known of each takes about 100 bytes.
pub(super) const MAX_WINDOWS: usize = 1 << 26;
/// Windows that are left out and named; more are counted.
const SHOWN: usize = 20;

/// What is known about a window besides its samples: places of values, and its subset by a name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keys {
    pub(super) label: u32,
    pub(super) group: Option<u32>,
    pub(super) split: Option<u32>,
    pub(super) subset: Option<Subset>,
}

/// A window that can be used.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    /// Position of its samples among all stored windows.
    pub(super) at: u64,
    /// Place of its array or table among all.
    pub(super) origin: u32,
    /// Its line in a table, from 1, or its place in an array, from 0.
    pub(super) place: u64,
    pub(super) label: u32,
    pub(super) group: Option<u32>,
    pub(super) subset: Option<Subset>,
    /// The beginning of the SHA-256 of its samples.
    pub(super) sum: [u8; 16],
}

/// Collects windows.
pub(super) struct Collector<'a> {
    config: &'a WindowConfig,
    skip_bad: bool,
    input: Option<InputSpec>,
    /// Labels, groups and names of subsets.
    pub(super) values: Values,
    /// A window while it is checked.
    checked: Vec<f32>,
    constant: ConstantWindows,
    spool: Spool,
    count: u64,
    set: Collected,
}

/// Why a window is not stored.
enum Unused {
    /// A channel is constant.
    Constant,
    Bad(String),
}

impl From<String> for Unused {
    fn from(reason: String) -> Self {
        Self::Bad(reason)
    }
}

/// All windows.
pub(super) struct Collected {
    pub(super) channels: usize,
    /// Samples of all channels of a window.
    size: usize,
    pub(super) values: Values,
    pub(super) windows: Vec<Window>,
    samples: Samples,
    /// Names and paths of the arrays and tables.
    origins: Vec<(String, PathBuf)>,
    are_tables: bool,
    /// The first windows that were left out, each with the reason, and how many there are.
    pub(super) skipped: Vec<String>,
    skipped_count: usize,
    pub(super) notes: Vec<Note>,
}

impl<'a> Collector<'a> {
    /// A collector that holds at most `max_in_memory` bytes of samples in memory. With `skip_bad`,
    /// windows that cannot be used are left out.
    pub(super) fn new(
        config: &'a WindowConfig,
        are_tables: bool,
        skip_bad: bool,
        max_in_memory: u64,
    ) -> Self {
        Self {
            config,
            skip_bad,
            input: None,
            values: Values::default(),
            checked: Vec::new(),
            constant: ConstantWindows::default(),
            spool: Spool::new(max_in_memory),
            count: 0,
            set: Collected {
                channels: 0,
                size: 0,
                values: Values::default(),
                windows: Vec::new(),
                samples: Samples::Memory(Vec::new()),
                origins: Vec::new(),
                are_tables,
                skipped: Vec::new(),
                skipped_count: 0,
                notes: Vec::new(),
            },
        }
    }

    /// Begins the windows of an array or a table.
    pub(super) fn begin(
        &mut self,
        path: &Path,
        name: &str,
        channels: usize,
    ) -> Result<(), DatasetError> {
        let set = &mut self.set;
        if let Some((first, _)) = set.origins.first()
            && set.channels != channels
        {
            return Err(unusable(
                path,
                format!("{name} has {channels} channels, but {first} has {}", set.channels),
            ));
        }
        set.channels = channels;
        set.size = channels * self.config.window;
        set.origins.push((name.to_owned(), path.to_owned()));
        self.input = Some(InputSpec::Signal(spec(self.config, channels)));
        Ok(())
    }

    /// Adds what is to be told.
    pub(super) fn note(&mut self, note: Note) {
        self.set.notes.push(note);
    }

    /// Checks and stores a window, `[C, L]`, of the array or table that began last.
    pub(super) fn add(
        &mut self,
        place: u64,
        samples: &[f32],
        keys: Keys,
    ) -> Result<(), DatasetError> {
        let checked = self.check(samples, &keys);
        if !matches!(checked, Err(Unused::Bad(_))) {
            let counts = Counts { windows: 1, constant: usize::from(checked.is_err()) };
            let set = &self.set;
            self.constant.add(keys.label as usize, counts, || {
                set.name_of(set.origins.len().saturating_sub(1) as u32, place)
            });
        }
        match checked {
            Ok(_) if self.set.windows.len() >= MAX_WINDOWS => {
                let path = self.set.origins.last().map_or(Path::new(""), |(_, path)| path);
                Err(unusable(path, format!("it has more than {MAX_WINDOWS} windows")))
            }
            Ok(subset) => {
                let mut sum = Sha256::new();
                for sample in samples {
                    sum.update(sample.to_le_bytes());
                }
                let sum = sum.finalize().first_chunk().copied().unwrap_or_default();
                let origin = self.set.origins.len().saturating_sub(1) as u32;
                let Keys { label, group, .. } = keys;
                let at = self.count;
                self.set.windows.push(Window { at, origin, place, label, group, subset, sum });
                self.spool.push(&aview1(samples))?;
                self.count += 1;
                Ok(())
            }
            Err(Unused::Constant) => Ok(()),
            Err(Unused::Bad(reason)) => self.bad(place, &reason),
        }
    }

    /// Refuses a window of the array or table that began last, or leaves it out.
    pub(super) fn bad(&mut self, place: u64, reason: &str) -> Result<(), DatasetError> {
        let origin = self.set.origins.len().saturating_sub(1) as u32;
        self.set.leave_out(origin, place, reason, self.skip_bad)
    }

    /// Checks that a window can be prepared for the network, and that its keys are complete.
    fn check(&mut self, samples: &[f32], keys: &Keys) -> Result<Option<Subset>, Unused> {
        let subset = self.check_keys(keys)?;
        self.checked.clear();
        self.checked.extend_from_slice(samples);
        match self.input.as_ref().map_or(Ok(()), |input| input.prepare(&mut self.checked)) {
            Ok(()) => Ok(subset),
            Err(PrepareError::Constant { .. }) => Err(Unused::Constant),
            Err(error) => Err(Unused::Bad(error.to_string())),
        }
    }

    /// Checks that the label of a window, its group and its split are complete.
    fn check_keys(&self, keys: &Keys) -> Result<Option<Subset>, String> {
        let value = |place| self.values.get(place).unwrap_or(&Value::Truth(false));
        check_label(value(keys.label))?;
        if keys.group.is_some_and(|group| is_missing(value(group))) {
            return Err("its group is missing".to_owned());
        }
        match keys.split.map(value) {
            None => Ok(keys.subset),
            Some(Value::Text(text)) if !text.is_empty() => {
                Subset::from_name(text).map(Some).ok_or_else(|| {
                    format!("its split must be training, held-out or test, got \"{text}\"")
                })
            }
            Some(value) if is_missing(value) => Err("its split is missing".to_owned()),
            Some(_) => Err("its split is a number, and training, held-out or test is expected: \
                            write it in words, or split by group with data.groups naming it"
                .to_owned()),
        }
    }

    /// Ends the collection.
    ///
    /// # Errors
    /// [`DatasetError`] if the most windows of a label are constant and `skip_bad` is not set.
    pub(super) fn finish(mut self) -> Result<Collected, DatasetError> {
        if !self.skip_bad {
            let label = |place: usize| self.values.get(place as u32).map_or_else(String::new, text);
            let path = self.set.origins.first().map_or(Path::new(""), |(_, path)| path);
            self.constant.check(label).map_err(|reason| unusable(path, reason))?;
        }
        self.set.notes.extend(self.constant.note());
        Ok(Collected { samples: self.spool.finish()?, values: self.values, ..self.set })
    }
}

/// Rejects a label that is missing or a fraction.
fn check_label(label: &Value) -> Result<(), String> {
    match label {
        _ if is_missing(label) => Err("its label is missing".to_owned()),
        Value::Number(number) if number.fract() != 0.0 || number.abs() > MAX_LABEL => {
            Err(format!("its label is {number}, and a class is a whole number or a text"))
        }
        Value::Number(_) | Value::Truth(_) | Value::Text(_) => Ok(()),
    }
}

/// Numbers beyond it are not told apart.
const MAX_LABEL: f64 = 9_007_199_254_740_992.0;

fn is_missing(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_nan(),
        Value::Truth(_) => false,
        Value::Text(text) => text.is_empty(),
    }
}

/// A label or a group as text.
fn text(value: &Value) -> String {
    match value {
        Value::Number(number) => number.to_string(),
        Value::Truth(truth) => truth.to_string(),
        Value::Text(text) => text.clone(),
    }
}

impl Collected {
    /// The name of a window for messages.
    pub(super) fn name(&self, index: usize) -> String {
        let Window { origin, place, .. } = self.windows[index];
        self.name_of(origin, place)
    }

    fn name_of(&self, origin: u32, place: u64) -> String {
        let (name, _) = &self.origins[origin as usize];
        name_of(name, place, self.are_tables)
    }

    /// A group as text.
    pub(super) fn group(&self, group: u32) -> String {
        self.values.get(group).map_or_else(String::new, text)
    }

    /// Refuses a window, or counts it and names it if `skip_bad` is set.
    pub(super) fn leave_out(
        &mut self,
        origin: u32,
        place: u64,
        reason: &str,
        skip_bad: bool,
    ) -> Result<(), DatasetError> {
        let what = if self.are_tables { "line" } else { "input" };
        if !skip_bad {
            let (name, path) = &self.origins[origin as usize];
            // The path says the file, whose name the name may begin with.
            let file = path.file_name().and_then(|file| file.to_str()).unwrap_or_default();
            let within = name.strip_prefix(file).unwrap_or(name).trim_start_matches(", ");
            let within = if within.is_empty() { String::new() } else { format!("{within}, ") };
            let reason = format!(
                "{within}{what} {place}: {reason}; correct it, or leave such windows out by \
                 --skip-bad"
            );
            return Err(DatasetError::BadFile { path: path.clone(), reason });
        }
        self.skipped_count += 1;
        if self.skipped_count <= SHOWN {
            self.skipped.push(format!("{}: {reason}", self.name_of(origin, place)));
        } else {
            self.skipped.truncate(SHOWN);
            self.skipped.push(format!("{} more windows", self.skipped_count - SHOWN));
        }
        Ok(())
    }

    /// The windows as the source of a data set.
    pub(super) fn into_source(self, class_of: impl Fn(&Window) -> usize) -> CutWindows {
        let groups = self.windows.iter().filter_map(|window| window.group);
        CutWindows {
            group_names: groups.map(|group| (group, self.group(group))).collect(),
            groups: self.windows.iter().map(|window| window.group).collect(),
            classes: self.windows.iter().map(|window| class_of(window) as u32).collect(),
            places: self.windows.iter().map(|w| (w.at, w.origin, w.place)).collect(),
            samples: self.samples,
            names: self.origins.into_iter().map(|(name, _)| name).collect(),
            size: self.size,
            are_tables: self.are_tables,
        }
    }
}
