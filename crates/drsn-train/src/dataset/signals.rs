//! Opening recordings: each is decoded once, held against the recipe, and kept in memory or in a temporary file.

use std::{num::NonZeroUsize, path::Path, sync::Arc};

use drsn_bundle::{InputSpec, Normalization, SignalSpec};
use drsn_recording::{ChannelId, Limits, Recording, RecordingFormat, Selection, resample};

use super::{
    Data, DatasetError, Source,
    listing::{Entry, Listing, Side},
    partition,
    samples::{MOST_IN_MEMORY, Spool},
    windows::{Cut, Kept, Stretch, Windows},
};
use crate::{
    TrainError,
    recipe::{NormalizationConfig, SignalConfig, Split},
};

/// A recording is decoded whole: at most 16 GiB of file, and 4 GiB of samples.
const LIMITS: Limits = Limits { max_bytes: 16 << 30, max_samples: 1 << 30 };

/// What is wrong with a recording that is to be converted from a rate that nobody knows.
const RATE_UNKNOWN: &str =
    "its sample rate is not known: give it in the column sample_rate_hz of an index";

/// Opens the recordings of a folder or an index.
pub(super) fn open(
    seed: u64,
    config: &SignalConfig,
    folder: &Path,
    index: Option<&Path>,
    skip_bad: bool,
) -> Result<Data, TrainError> {
    open_within(seed, config, folder, index, skip_bad, MOST_IN_MEMORY)
}

/// The same with so many bytes of samples in memory at most.
fn open_within(
    seed: u64,
    config: &SignalConfig,
    folder: &Path,
    index: Option<&Path>,
    skip_bad: bool,
    most_in_memory: u64,
) -> Result<Data, TrainError> {
    let cut = check(config).map_err(|reason| TrainError::Config { reason })?;
    let is_recording = |extension: &str| RecordingFormat::from_extension(extension).is_some();
    let listing = Listing::read(folder, index, is_recording)?;
    let sides = partition::sides(&listing, &config.split)?;
    let mut gathering = Gathering::new(config, most_in_memory);
    let mut skipped = Vec::new();
    for (entry, side) in listing.entries.iter().zip(sides) {
        match gathering.add(entry, side) {
            Ok(()) => {}
            Err(error @ DatasetError::BadFile { .. }) if skip_bad => {
                skipped.push(error.to_string());
            }
            Err(error) => return Err(error.into()),
        }
    }
    let Gathering { channels, rate, rates_known, spool, recordings, stretches, .. } = gathering;
    let windows = Windows::new(spool.finish()?, recordings, stretches, cut);
    let input = InputSpec::Signal(SignalSpec {
        channels: channels.map_or(0, |(channels, _)| channels),
        window: config.window,
        sample_rate_hz: config
            .sample_rate_hz
            .or(rate.filter(|_| rates_known).map(|(rate, _)| rate)),
        normalization: match config.normalization {
            NormalizationConfig::None => Normalization::None,
            NormalizationConfig::ZScore { epsilon } => Normalization::ZScore { epsilon },
        },
    });
    let sides = [Side::Training, Side::HeldOut, Side::Test].map(|side| windows.on(side));
    let what = format!(
        "recordings cut into windows of {} samples, {}",
        config.window,
        partition::in_words(&config.split)
    );
    let source: Arc<dyn Source> = Arc::new(windows);
    Ok(Data::from_files(seed, config.limit, &listing, &source, sides, input, &what, skipped)?)
}

/// Refuses windows and splits that cannot be.
fn check(config: &SignalConfig) -> Result<Cut, String> {
    let positive = |value: usize, name: &str| {
        NonZeroUsize::new(value).ok_or_else(|| format!("{name} must be at least 1"))
    };
    positive(config.window, "window")?;
    let cut = Cut {
        window: config.window,
        hop: positive(config.hop, "hop")?,
        test_hop: positive(config.test_hop.unwrap_or(config.window), "test_hop")?,
    };
    if config.sample_rate_hz.is_some_and(|rate| !(rate.is_finite() && rate > 0.0)) {
        return Err("sample_rate_hz must be a positive number".to_owned());
    }
    if config.resample && config.sample_rate_hz.is_none() {
        return Err("resample needs sample_rate_hz, the rate to convert to".to_owned());
    }
    if matches!(config.split, Split::Random { .. }) {
        return Err("recordings are not split at random: there are too few of them, and windows that overlap would be \
                    on two sides; split them by time, group or list"
            .to_owned());
    }
    partition::check_shares(&config.split)?;
    Ok(cut)
}

/// Recordings while they are read, one at a time.
struct Gathering<'a> {
    config: &'a SignalConfig,
    /// Channels, and the first file, which has so many.
    channels: Option<(usize, String)>,
    /// The first rate that a file has, and the file.
    rate: Option<(f64, String)>,
    /// Whether every file has one.
    rates_known: bool,
    spool: Spool,
    recordings: Vec<Kept>,
    stretches: Vec<Stretch>,
}

impl<'a> Gathering<'a> {
    fn new(config: &'a SignalConfig, most_in_memory: u64) -> Self {
        Self {
            config,
            channels: None,
            rate: None,
            rates_known: true,
            spool: Spool::new(most_in_memory),
            recordings: Vec::new(),
            stretches: Vec::new(),
        }
    }

    /// Reads a file and keeps its samples.
    fn add(&mut self, entry: &Entry, side: Side) -> Result<(), DatasetError> {
        let bad = |reason| DatasetError::BadFile { path: entry.path.clone(), reason };
        let selection = selection(self.config, entry);
        let mut recording = Recording::open(&entry.path, &selection, &LIMITS)
            .map_err(|error| bad(error.to_string()))?;
        recording.sample_rate_hz = file_rate(&recording, entry).map_err(bad)?;
        if let Some(wanted) = self.config.sample_rate_hz.filter(|_| self.config.resample) {
            if recording.sample_rate_hz.is_none() {
                return Err(bad(RATE_UNKNOWN.to_owned()));
            }
            recording =
                resample(&recording, wanted, &LIMITS).map_err(|error| bad(error.to_string()))?;
        }
        self.check_rate(&recording, entry).map_err(bad)?;
        let channels = recording.channels();
        if let Some((expected, first)) = &self.channels
            && *expected != channels
        {
            return Err(bad(format!(
                "it has {channels} channels, and {first} has {expected}: choose channels that all have"
            )));
        }
        let parts = partition::parts(&self.config.split, side, recording.len());
        let index = self.recordings.len();
        let stretches: Vec<Stretch> = parts
            .into_iter()
            .map(|(side, range)| Stretch { recording: index, side, range })
            .collect();
        self.check_length(&recording, &stretches).map_err(bad)?;
        let place = self.keep(&recording)?;
        self.channels.get_or_insert_with(|| (channels, entry.name.clone()));
        self.stretches.extend(stretches);
        self.recordings.push(Kept {
            name: entry.name.clone(),
            class: entry.class,
            place,
            length: recording.len(),
        });
        Ok(())
    }

    fn keep(&mut self, recording: &Recording) -> Result<u64, DatasetError> {
        let samples = recording.samples.as_standard_layout();
        self.spool.push(samples.as_slice().unwrap_or_default())
    }

    /// Refuses a recording whose first part, the one that it is there for, does not hold a window.
    fn check_length(&self, recording: &Recording, stretches: &[Stretch]) -> Result<(), String> {
        let window = self.config.window;
        let shortest = stretches.first().map_or(0, |stretch| stretch.range.len());
        if shortest >= window {
            return Ok(());
        }
        let length = recording.len();
        Err(if length < window {
            format!("it has {length} samples, too few for a window of {window}")
        } else {
            format!(
                "{shortest} of its {length} samples are to train on, too few for a window of {window}"
            )
        })
    }

    /// Refuses a rate that is not the recipe's, or not that of the other files.
    fn check_rate(&mut self, recording: &Recording, entry: &Entry) -> Result<(), String> {
        let Some(rate) = recording.sample_rate_hz else {
            self.rates_known = false;
            return Ok(());
        };
        if let Some(wanted) = self.config.sample_rate_hz {
            return if is_same(rate, wanted) {
                Ok(())
            } else {
                Err(format!(
                    "it has {rate} samples in a second, and the recipe says {wanted}: train with --set \
                     data.sample_rate_hz={rate}, or --set data.resample=true to convert"
                ))
            };
        }
        match &self.rate {
            Some((first, file)) if !is_same(rate, *first) => Err(format!(
                "it has {rate} samples in a second, and {file} has {first}: train with --set \
                 data.sample_rate_hz={first} --set data.resample=true to convert"
            )),
            Some(_) => Ok(()),
            None => {
                self.rate = Some((rate, entry.name.clone()));
                Ok(())
            }
        }
    }
}

/// The rate that the file or the index says; they must not contradict each other.
fn file_rate(recording: &Recording, entry: &Entry) -> Result<Option<f64>, String> {
    match (recording.sample_rate_hz, entry.sample_rate_hz) {
        (Some(own), Some(listed)) if !is_same(own, listed) => {
            Err(format!("it has {own} samples in a second, and the index says {listed}"))
        }
        (own, listed) => Ok(own.or(listed)),
    }
}

/// Whether two sample rates are one, but for what writing them as text rounds.
pub(crate) fn is_same(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-6 * a.abs().max(b.abs())
}

/// What of a file is read: as the index says of it, or else the recipe of all.
fn selection(config: &SignalConfig, entry: &Entry) -> Selection {
    let channels = entry.channel.as_ref().map_or(&config.channels[..], std::slice::from_ref);
    let channel = |channel: &String| {
        channel.parse().map_or_else(|_| ChannelId::Name(channel.clone()), ChannelId::Index)
    };
    Selection {
        channel: channels.iter().map(channel).collect(),
        variable: entry.variable.clone().or_else(|| config.variable.clone()),
    }
}

#[cfg(test)]
#[path = "signals_tests.rs"]
mod tests;
