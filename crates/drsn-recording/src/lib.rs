//! Recordings of sampled signals: MAT, NPY, NPZ, WAV and CSV files to samples.
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
//! * [`windows()`]: where windows of a fixed length lie in a recording.

mod csv;
mod error;
mod mat;
mod npy;
mod npz;
mod number;
mod resample;
mod resampler;
mod select;
mod wav;
mod windows;

use std::{
    fmt,
    fs::File,
    io::{BufReader, Read as _},
    path::Path,
};

pub use error::{Names, RecordingError};
pub use npy::Array;
pub use resample::resample;
pub use resampler::Resampler;
pub use select::{ChannelId, Selection};
pub use wav::WavReader;
pub use windows::{aligned_windows, windows};

/// Bytes in which every format that has a mark shows it.
const LONGEST_MARK: u64 = 520;
/// Most channels of a recording: far above every real one; a channel costs memory of its own.
pub const MOST_CHANNELS: usize = 1024;
/// Far above every real file with variables; each costs time to look at.
const MOST_VARIABLES: usize = 10_000;
/// Arrays that are shorter are parameters, and not meant where no variable is named.
const SHORTEST: u64 = 64;

/// Signals that were sampled together.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// At least one; all have the same number of samples, at least one, all finite.
    pub channels: Vec<Channel>,
    /// Samples in a second, where the file says so.
    pub sample_rate_hz: Option<f64>,
}

/// One signal of a recording.
#[derive(Debug, Clone, PartialEq)]
pub struct Channel {
    /// Its name, where the file gives one: a column's header, or the variable that holds this channel alone.
    pub name: Option<String>,
    /// Its samples, in the unit of the file; whole numbers of a WAV file are scaled to [-1, 1).
    pub samples: Vec<f32>,
}

/// Formats of recordings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RecordingFormat {
    /// MATLAB's MAT-file, version 5 (`-v6`, `-v7`).
    Mat,
    /// One array of NumPy.
    Npy,
    /// A ZIP archive of NumPy's arrays.
    Npz,
    /// RIFF WAVE.
    Wav,
    /// A table in text, a column for each channel.
    Csv,
}

/// What a recording may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the file, and of each part of it that is stored compressed, unpacked.
    pub max_bytes: u64,
    /// Samples, all channels together, including those that are not selected.
    pub max_samples: u64,
}

/// Whether it begins as WAV files do, those that are not read among them. A table can have the word in its first line.
fn is_wav(bytes: &[u8]) -> bool {
    let kinds: [&[u8]; 4] = [b"RIFF", b"RIFX", b"RF64", b"BW64"];
    kinds.iter().any(|kind| bytes.starts_with(kind)) && bytes.get(8..12) == Some(b"WAVE")
}

impl RecordingFormat {
    /// Tells the format by the first bytes of a file (520 are enough); a table has none that tell it.
    pub fn sniff(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(b"\x93NUMPY") {
            Some(Self::Npy)
        } else if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06") {
            Some(Self::Npz)
        } else if is_wav(bytes) {
            Some(Self::Wav)
        } else if mat::is_mat(bytes) {
            Some(Self::Mat)
        } else {
            None
        }
    }

    /// Tells the format by the ending of a file's name, without its dot, whatever its case.
    pub fn from_extension(extension: &str) -> Option<Self> {
        match extension.to_ascii_lowercase().as_str() {
            "mat" => Some(Self::Mat),
            "npy" => Some(Self::Npy),
            "npz" => Some(Self::Npz),
            "wav" | "wave" => Some(Self::Wav),
            "csv" | "tsv" | "txt" => Some(Self::Csv),
            _ => None,
        }
    }
}

impl fmt::Display for RecordingFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mat => "MAT",
            Self::Npy => "NPY",
            Self::Npz => "NPZ",
            Self::Wav => "WAV",
            Self::Csv => "CSV",
        })
    }
}

impl Recording {
    /// Reads a recording from the bytes of a file.
    ///
    /// # Errors
    /// [`RecordingError`] where the bytes are none of that format, exceed the limits, hold no samples or one that is not
    /// finite, or where what `selection` names is not there.
    pub fn read(
        format: RecordingFormat,
        bytes: &[u8],
        selection: &Selection,
        limits: &Limits,
    ) -> Result<Self, RecordingError> {
        limits.check_bytes(bytes.len() as u64)?;
        match format {
            RecordingFormat::Mat => mat::read(bytes, selection, limits),
            RecordingFormat::Npy => Array::read_npy(bytes, limits)?.into_recording(selection),
            RecordingFormat::Npz => npz::read(bytes, selection, limits),
            RecordingFormat::Wav => wav::read(bytes, selection, limits),
            RecordingFormat::Csv => csv::read(bytes, selection, limits),
        }
    }

    /// Reads a recording from a file, whose format its first bytes or else its name tell.
    ///
    /// # Errors
    /// As [`Recording::read`]; [`RecordingError::Io`] where the file cannot be read, and
    /// [`RecordingError::UnknownFormat`] where nothing tells its format.
    pub fn open(
        path: &Path,
        selection: &Selection,
        limits: &Limits,
    ) -> Result<Self, RecordingError> {
        let mut file = File::open(path)?;
        limits.check_bytes(file.metadata()?.len())?;
        let mut start = Vec::new();
        file.by_ref().take(LONGEST_MARK).read_to_end(&mut start)?;
        let extension = path.extension().and_then(|extension| extension.to_str());
        let format = RecordingFormat::sniff(&start)
            .or_else(|| extension.and_then(RecordingFormat::from_extension))
            .ok_or(RecordingError::UnknownFormat)?;
        let mut reader = start.chain(BufReader::new(file));
        match format {
            RecordingFormat::Wav => wav::read(reader, selection, limits),
            RecordingFormat::Csv => csv::read(reader, selection, limits),
            RecordingFormat::Npy => {
                Array::read_from(reader, None, limits)?.into_recording(selection)
            }
            // Their parts are found by their places in the file.
            RecordingFormat::Mat | RecordingFormat::Npz => {
                let mut bytes = Vec::new();
                // The file may have grown since its length was asked for, or have none.
                reader.by_ref().take(limits.max_bytes.saturating_add(1)).read_to_end(&mut bytes)?;
                Self::read(format, &bytes, selection, limits)
            }
        }
    }

    /// Samples of each channel.
    pub fn len(&self) -> usize {
        self.channels.first().map_or(0, |channel| channel.samples.len())
    }

    /// Whether there are no samples; no recording that was read is so.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Whether an array of these sizes can be meant where no variable is named.
fn is_likely(shape: &[u64]) -> bool {
    shape.iter().any(|&size| size >= SHORTEST) && !shape.contains(&0)
}

impl Limits {
    fn check_bytes(&self, bytes: u64) -> Result<(), RecordingError> {
        if bytes > self.max_bytes {
            return Err(RecordingError::TooLarge { bytes, limit: self.max_bytes });
        }
        Ok(())
    }

    /// The number of samples in an array of these sizes, if it is within the limit.
    fn check_shape(&self, shape: impl IntoIterator<Item = u64>) -> Result<usize, RecordingError> {
        let samples = shape.into_iter().fold(1_u64, u64::saturating_mul);
        if samples > self.max_samples {
            return Err(RecordingError::TooManySamples { samples, limit: self.max_samples });
        }
        usize::try_from(samples)
            .map_err(|_| RecordingError::TooManySamples { samples, limit: usize::MAX as u64 })
    }
}
