//! Decoding recordings one after another, checked against the recipe and against each other.

use std::{ops::Range, rc::Rc};

use drsn_bundle::SignalSource;
use drsn_recording::{ChannelId, Limits, Recording, Selection};
use ndarray::{ArrayView2, s};

use super::{
    constant,
    notices::Notices,
    origin::Origin,
    rates::Rates,
    short::{self, Extended, Short},
};
use crate::{
    dataset::{
        constant_windows::{ConstantWindows, Counts},
        error::DatasetError,
        files::Entry,
        note::Note,
        samples::{Samples, Spool},
        subset::Subset,
        windows::{Segment, StoredRecording, WindowSpec},
    },
    recipe::{NormalizationConfig, SignalConfig},
};

/// Limits of a recording, which is decoded whole: a file of 16 GiB, and 4 GiB of samples.
const LIMITS: Limits = Limits::new(16 << 30, 1 << 30);

/// Loads recordings one after another.
pub(super) struct Loader<'a> {
    config: &'a SignalConfig,
    /// Number of channels, and the first file, which has that number.
    channels: Option<(usize, String)>,
    rates: Rates<'a>,
    origin: Origin,
    notices: Notices,
    /// The recording that was read last, if an entry was for a part of it.
    last: Option<(Entry, Rc<Recording>)>,
    windows: WindowSpec,
    constant: ConstantWindows,
    short: Short,
    spool: Spool,
    recordings: Vec<StoredRecording>,
    segments: Vec<Segment>,
}

/// All recordings.
pub(super) struct Loaded {
    /// Number of channels; 0 if there are no recordings.
    pub(super) channels: usize,
    /// The common sample rate, if it is known.
    pub(super) sample_rate_hz: Option<f64>,
    /// What was taken of all files.
    pub(super) source: Option<SignalSource>,
    pub(super) samples: Samples,
    pub(super) recordings: Vec<StoredRecording>,
    pub(super) segments: Vec<Segment>,
    /// The windows that were left out.
    pub(super) constant: ConstantWindows,
    /// The recordings that are short.
    pub(super) short: Short,
    /// What was assumed or repaired in the files.
    pub(super) notes: Vec<Note>,
}

impl<'a> Loader<'a> {
    /// A loader that holds at most `max_in_memory` bytes of samples in memory.
    pub(super) fn new(config: &'a SignalConfig, windows: WindowSpec, max_in_memory: u64) -> Self {
        Self {
            config,
            channels: None,
            rates: Rates::new(config),
            origin: Origin::default(),
            notices: Notices::default(),
            last: None,
            windows,
            constant: ConstantWindows::default(),
            short: Short::default(),
            spool: Spool::new(max_in_memory),
            recordings: Vec::new(),
            segments: Vec::new(),
        }
    }

    /// Reads a file of a subset, whose entry is at a place, and stores its samples. Windows that are
    /// constant are left out.
    pub(super) fn load(
        &mut self,
        place: usize,
        entry: &Entry,
        subset: Subset,
    ) -> Result<(), DatasetError> {
        let bad = |reason: String| DatasetError::BadFile {
            path: entry.path.clone(),
            reason: if entry.is_part() {
                format!("the part {}: {reason}", entry.name_of_part())
            } else {
                reason
            },
        };
        let recording = self.read_or_reuse(entry).map_err(bad)?;
        self.rates.check(&recording).map_err(bad)?;
        let channels = recording.channels();
        if let Some((expected, first)) = &self.channels
            && *expected != channels
        {
            return Err(bad(format!(
                "it has {channels} channels, but {first} has {expected}: select channels that all \
                 files have with data.channels"
            )));
        }
        let part = self.part(&recording, entry).map_err(bad)?;
        let recorded = recording.samples.slice(s![.., part.clone()]);
        let extended = short::extended(self.config, &recorded).map_err(bad)?;
        let samples = match &extended {
            Extended::Padded(padded) => padded.view(),
            Extended::Enough | Extended::Constant => recorded,
        };
        let segments = match extended {
            Extended::Constant => self.leave_out(entry),
            Extended::Enough | Extended::Padded(_) => {
                let places = [self.recordings.len(), place];
                let length = samples.ncols();
                let divided = self.short.divide(self.config, places, subset, length);
                self.varying(entry, &samples, divided.map_err(bad)?)
            }
        };
        if matches!(extended, Extended::Padded(_)) {
            self.short.padded.push(entry.name.clone());
        }
        let stored = StoredRecording {
            name: entry.name.clone(),
            class: entry.class,
            group: entry.group.clone(),
            place: self.store(&samples)?,
            length: samples.ncols(),
            first: part.start,
            recorded: part.len(),
        };
        self.remember(&recording, entry);
        self.segments.extend(segments);
        self.recordings.push(stored);
        Ok(())
    }

    /// The segments without their constant windows, which are counted.
    fn varying(
        &mut self,
        entry: &Entry,
        samples: &ArrayView2<'_, f32>,
        segments: Vec<Segment>,
    ) -> Vec<Segment> {
        if self.config.normalization == NormalizationConfig::None {
            return segments;
        }
        let (segments, counts) = constant::leave_out(samples, segments, self.windows);
        let name = || format!("{} ({})", entry.name, counts.constant);
        self.constant.add(entry.class, counts, name);
        segments
    }

    /// Counts a short recording whose only window is constant; it has no segment.
    fn leave_out(&mut self, entry: &Entry) -> Vec<Segment> {
        let counts = Counts { windows: 1, constant: 1 };
        self.constant.add(entry.class, counts, || format!("{} (1)", entry.name));
        Vec::new()
    }

    /// Remembers how a recording that is used was read.
    fn remember(&mut self, recording: &Recording, entry: &Entry) {
        self.channels.get_or_insert_with(|| (recording.channels(), entry.name.clone()));
        self.rates.add(recording, entry);
        self.origin.add(recording, &selection(self.config, entry));
        self.notices.add(&entry.path, &entry.name, &recording.notices);
    }

    /// Ends the loading.
    pub(super) fn finish(self) -> Result<Loaded, DatasetError> {
        let (sample_rate_hz, note) = self.rates.finish();
        Ok(Loaded {
            channels: self.channels.map_or(0, |(channels, _)| channels),
            sample_rate_hz,
            source: self.origin.source(),
            samples: self.spool.finish()?,
            recordings: self.recordings,
            segments: self.segments,
            constant: self.constant,
            short: self.short,
            notes: self.notices.into_notes().chain(note).collect(),
        })
    }

    /// Reads a recording; another part of the one before is not read again.
    fn read_or_reuse(&mut self, entry: &Entry) -> Result<Rc<Recording>, String> {
        let whole = Entry { start_s: None, stop_s: None, subset: None, class: 0, ..entry.clone() };
        if let Some((last, recording)) = &self.last
            && *last == whole
        {
            return Ok(Rc::clone(recording));
        }
        // At most one is held: the last one is freed before another is read.
        self.last = None;
        let recording = Rc::new(self.read(entry)?);
        if entry.is_part() {
            self.last = Some((whole, Rc::clone(&recording)));
        }
        Ok(recording)
    }

    /// The samples of the part of a recording that an entry is for.
    fn part(&self, recording: &Recording, entry: &Entry) -> Result<Range<usize>, String> {
        let length = recording.len();
        if !entry.is_part() {
            return Ok(0..length);
        }
        let rate = recording.sample_rate_hz.or(self.config.sample_rate_hz).ok_or(
            "start_s and stop_s require a sample rate: add the column sample_rate_hz to the index, \
             or train with --set data.sample_rate_hz=RATE",
        )?;
        let Range { start, end } = entry.extent();
        let begin = (start * rate).round() as usize;
        let stop = if end.is_finite() { (end * rate).round() as usize } else { length };
        // Times are rounded: the end of a recording may be half a sample beyond it.
        if begin >= length || stop > length + 1 {
            let seconds = length as f64 / rate;
            return Err(format!("it is not within the recording, which lasts {seconds} s"));
        }
        Ok(begin..stop.min(length))
    }

    /// Reads a recording at the rate of the recipe.
    fn read(&self, entry: &Entry) -> Result<Recording, String> {
        let selection = selection(self.config, entry);
        let recording =
            Recording::open(&entry.path, &selection, &LIMITS).map_err(|error| error.to_string())?;
        check_variables(&recording, entry)?;
        self.rates.settle(recording, entry, &LIMITS)
    }

    /// Stores samples channel by channel, and returns the position of the first.
    fn store(&mut self, samples: &ArrayView2<'_, f32>) -> Result<u64, DatasetError> {
        let place = self.spool.position();
        for channel in samples.rows() {
            self.spool.push(&channel)?;
        }
        Ok(place)
    }
}

/// Rejects a line of the index that names variables of a file that has none.
fn check_variables(recording: &Recording, entry: &Entry) -> Result<(), String> {
    let named = [("variable", &entry.variable), ("rate_variable", &entry.rate_variable)];
    match named.into_iter().find_map(|(column, name)| Some((column, name.as_ref()?))) {
        Some((column, name)) if recording.variable.is_none() => Err(format!(
            "the index has \"{name}\" as its {column}, but only MAT and NPZ files have variables: \
             leave the cell empty"
        )),
        _ => Ok(()),
    }
}

/// What to read of a file: what the index says, or else the recipe.
fn selection(config: &SignalConfig, entry: &Entry) -> Selection {
    let channels = entry.channel.as_ref().map_or(&config.channels[..], std::slice::from_ref);
    Selection {
        channel: channels.iter().map(|channel| ChannelId::from(&channel[..])).collect(),
        variable: entry.variable.clone().or_else(|| config.variable.clone()),
        rate_variable: entry.rate_variable.clone().or_else(|| config.rate_variable.clone()),
        skip_lines: entry.skip_lines.or(config.skip_lines).unwrap_or(0) as u64,
    }
}
