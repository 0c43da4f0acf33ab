//! Recordings of sampled signals: MAT, NPY, NPZ, WAV, AIFF, FLAC and CSV files to samples.
//!
//! Training folders and request bodies go through the same code, so no file is trusted: a declared
//! size is checked against [`Limits`] before memory is allocated for it, and no content can make a
//! reader panic.
//!
//! # Layout
//!
//! * [`Recording`]: reading a whole file, whatever its format; [`WavReader`] reads block by block.
//! * [`Selection`]: the variable and the channels to read.
//! * [`resample()`]: another sample rate for a whole recording; [`Resampler`] for one that arrives
//!   block by block.
//! * [`ArrayFile`]: the arrays of a file with labelled inputs, and one value for each of them.
//! * [`RowFile`]: a table with one input a row.
//! * [`windows()`]: where windows of a fixed length lie in a recording.
//! * [`foreign_kind`]: files of other kinds, by their names; [`gzip`]: files that were packed;
//!   [`id3`]: files behind tags; [`Paced`]: unpacking until a deadline.

mod aiff;
mod arrays;
mod audio;
mod axes;
mod csv;
mod error;
mod filter;
mod flac;
mod foreign;
mod format;
pub mod gzip;
pub mod id3;
mod limits;
mod mat;
mod notice;
mod npy;
mod npz;
mod number;
mod paced;
mod rate;
mod resample;
mod resampler;
mod search;
mod select;
mod unique;
mod values;
mod wav;
mod windows;

use std::{
    fs::File,
    io::{BufReader, Read, Seek as _},
    path::Path,
};

use ndarray::Array2;

pub use arrays::{ArrayFile, ArrayInfo, ArrayKind};
pub use csv::rows::{ColumnUse, RowFile};
pub use error::{Names, RecordingError};
pub use foreign::{Foreign, foreign_kind};
pub use format::RecordingFormat;
pub use limits::{Limits, MAX_CHANNELS};
pub use notice::{Notice, NoticeCode};
pub use npy::Array;
pub use paced::{Paced, is_time_up};
pub use rate::{DeclaredRate, RateConflict, RateSource, same_rate, settled_rate};
pub use resample::resample;
pub use resampler::Resampler;
pub use select::{ChannelId, Selection};
pub use values::{Value, Values};
pub use wav::WavReader;
pub use windows::{aligned_windows, windows};

/// Bytes from the start of a file that show the mark of every format that has one.
const MARK_BYTES: u64 = 520;

/// Signals that were sampled together.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// Samples, `[C, T]`: at least one channel of at least one sample, all finite, each row
    /// contiguous. In the unit of the file; integers of an audio file are scaled to [-1, 1).
    pub samples: Array2<f32>,
    /// One name a channel, if the file has it: a column's header, or the variable that holds this
    /// channel alone.
    pub names: Vec<Option<String>>,
    /// Samples per second, if the file states it.
    pub sample_rate_hz: Option<f64>,
    /// Where its sample rate is from.
    pub rate_source: RateSource,
    /// The variable of the file that it was read from, with its path, if the file has variables.
    pub variable: Option<String>,
    /// What was assumed or repaired.
    pub notices: Vec<Notice>,
}

impl Recording {
    /// A recording without a variable and notices, of a stated rate or none.
    pub fn new(
        samples: Array2<f32>,
        names: Vec<Option<String>>,
        sample_rate_hz: Option<f64>,
    ) -> Self {
        let (rate_source, variable, notices) = (RateSource::Stated, None, Vec::new());
        Self { samples, names, sample_rate_hz, rate_source, variable, notices }
    }

    /// Reads a recording from the bytes of a file. Of a file that was packed with gzip, what is in
    /// it is read, whose first bytes then decide before `format`.
    ///
    /// # Errors
    /// [`RecordingError`] if the bytes are not of that format or exceed the limits, if there are no
    /// samples or one is not finite, or if the selected variable or channel does not exist.
    pub fn read(
        format: RecordingFormat,
        bytes: &[u8],
        selection: &Selection,
        limits: &Limits,
    ) -> Result<Self, RecordingError> {
        limits.check_bytes(bytes.len() as u64)?;
        if gzip::is_packed(bytes) {
            let bytes = gzip::unpack(bytes, limits)?;
            check_foreign(&bytes)?;
            let format = RecordingFormat::sniff(&bytes).unwrap_or(format);
            return Self::read_plain(format, &bytes, selection, limits);
        }
        Self::read_plain(format, bytes, selection, limits)
    }

    fn read_plain(
        format: RecordingFormat,
        bytes: &[u8],
        selection: &Selection,
        limits: &Limits,
    ) -> Result<Self, RecordingError> {
        let sound = || id3::content(bytes).unwrap_or(bytes);
        match format {
            RecordingFormat::Mat => mat::read(bytes, selection, limits),
            RecordingFormat::Npy => Array::read_npy(bytes, limits)?.into_recording(selection),
            RecordingFormat::Npz => npz::read(bytes, selection, limits),
            RecordingFormat::Wav => {
                let sound = sound();
                wav::read(sound, Some(sound.len() as u64), selection, limits)
            }
            RecordingFormat::Aiff => aiff::read(sound(), selection, limits),
            RecordingFormat::Flac => flac::read(sound(), selection, limits),
            RecordingFormat::Csv => csv::read(bytes, selection, limits),
        }
    }

    /// Reads a recording from a file, whose format is detected from its first bytes or else its
    /// name.
    ///
    /// # Errors
    /// As [`Recording::read`]; [`RecordingError::Io`] if the file cannot be read,
    /// [`RecordingError::Foreign`] if it is of another kind, and [`RecordingError::UnknownFormat`]
    /// if its format is not recognized.
    pub fn open(
        path: &Path,
        selection: &Selection,
        limits: &Limits,
    ) -> Result<Self, RecordingError> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        limits.check_bytes(length)?;
        let mut start = Vec::new();
        file.by_ref().take(MARK_BYTES).read_to_end(&mut start)?;
        let (start, tags) = id3::pass(&mut file, start)?;
        if tags > 0 && id3::sound(&start).is_none() {
            return Err(RecordingError::Foreign(Foreign::MP3));
        }
        let length = length.saturating_sub(tags);
        let is_packed = gzip::is_packed(&start);
        if !is_packed {
            check_foreign(&start)?;
        }
        let format = format_of(&start, path);
        let mut reader = start.chain(BufReader::new(file));
        if is_packed {
            let packed = read_whole(&mut reader, limits)?;
            let bytes = gzip::unpack(&packed, limits)?;
            drop(packed);
            check_foreign(&bytes)?;
            let format = format_of(&bytes, path).ok_or(RecordingError::UnknownFormat)?;
            return Self::read_plain(format, &bytes, selection, limits);
        }
        match format.ok_or(RecordingError::UnknownFormat)? {
            RecordingFormat::Wav => wav::read(reader, Some(length), selection, limits),
            RecordingFormat::Csv => {
                // What ends the lines is looked for in the first buffer.
                let mut file = reader.into_inner().1.into_inner();
                file.rewind()?;
                csv::read(BufReader::with_capacity(1 << 16, file), selection, limits)
            }
            RecordingFormat::Npy => {
                Array::read_from(reader, None, limits)?.into_recording(selection)
            }
            // Their parts are found by offsets, so the whole file is read first.
            format @ (RecordingFormat::Mat
            | RecordingFormat::Npz
            | RecordingFormat::Aiff
            | RecordingFormat::Flac) => {
                let bytes = read_whole(&mut reader, limits)?;
                Self::read_plain(format, &bytes, selection, limits)
            }
        }
    }

    /// The selected channels of an array `[C, T]`, without a sample rate. Nothing is copied if they
    /// are all its channels, in order, in row-major order.
    ///
    /// `name` becomes the name of the channel if the array has only one.
    ///
    /// # Errors
    /// [`RecordingError`] if there are no samples, one is not finite, there are more channels than
    /// [`MAX_CHANNELS`], or a selected channel does not exist or is one of several that tells the time.
    pub fn from_array(
        samples: Array2<f32>,
        name: Option<String>,
        selection: &Selection,
    ) -> Result<Self, RecordingError> {
        if samples.is_empty() {
            return Err(RecordingError::Empty);
        }
        let count = samples.nrows();
        limits::check_channels(count as u64)?;
        let variable = name.clone();
        let name = name.filter(|_| count == 1);
        let wanted = selection.channels(count, name.as_slice())?;
        for &channel in &wanted {
            let row = samples.row(channel);
            select::check_finite(channel, 0, &row)?;
            if count > 1
                && select::is_clock(&row)
                && let Some(signal) = (0..count).find(|&c| !select::is_clock(&samples.row(c)))
            {
                return Err(select::no_signal(channel, signal));
            }
        }
        let names = vec![name; wanted.len()];
        let samples = select::rows(samples, &wanted);
        Ok(Self { variable, ..Self::new(samples, names, None) })
    }

    /// Samples of each channel.
    pub fn len(&self) -> usize {
        self.samples.ncols()
    }

    /// Whether there are no samples, which is never true of a recording that was read.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// Number of channels.
    pub fn channels(&self) -> usize {
        self.samples.nrows()
    }
}

/// The format of a file by its first bytes, the ending of its name, or else its being a text.
fn format_of(bytes: &[u8], path: &Path) -> Option<RecordingFormat> {
    let start = bytes.get(..MARK_BYTES as usize).unwrap_or(bytes);
    RecordingFormat::of_file(start, RecordingFormat::from_path(path))
}

/// Rejects a file of a kind that is not read.
fn check_foreign(bytes: &[u8]) -> Result<(), RecordingError> {
    foreign_kind(bytes).map_or(Ok(()), |kind| Err(RecordingError::Foreign(kind)))
}

/// Reads a file whose length is not relied on: it may have grown since it was read, or have none.
fn read_whole(reader: &mut impl Read, limits: &Limits) -> Result<Vec<u8>, RecordingError> {
    let mut bytes = Vec::new();
    reader.take(limits.max_bytes.saturating_add(1)).read_to_end(&mut bytes)?;
    limits.check_bytes(bytes.len() as u64)?;
    Ok(bytes)
}
