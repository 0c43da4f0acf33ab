//! What can be wrong with a recording, each in a sentence for whoever sent or stored it.

use std::{fmt, io};

use super::{MOST_CHANNELS, RecordingFormat};

/// A recording that cannot be read; the sentence does not name the file, which its caller knows.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordingError {
    /// The file cannot be read at all.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    /// Neither its first bytes nor its name tell what it is.
    #[error(
        "neither its first bytes nor its name tell its format: recordings are read from .mat, .npy, .npz, .wav and .csv"
    )]
    UnknownFormat,
    /// More bytes than the limit, in the file or unpacked from it.
    #[error("it holds {bytes} bytes, and {limit} are the limit: split it into shorter recordings")]
    TooLarge {
        /// Bytes that it holds, or at least so many.
        bytes: u64,
        /// [`super::Limits::max_bytes`].
        limit: u64,
    },
    /// More samples than the limit, all channels together.
    #[error(
        "it holds {samples} samples, and {limit} are the limit: split it into shorter recordings"
    )]
    TooManySamples {
        /// Samples that it declares, or at least so many.
        samples: u64,
        /// [`super::Limits::max_samples`].
        limit: u64,
    },
    /// Bytes that break the rules of their format.
    #[error("it is not a valid {format} file: {reason}")]
    Malformed {
        /// The format that was expected.
        format: RecordingFormat,
        /// What is wrong.
        reason: String,
    },
    /// A valid file of a kind that is not read.
    #[error("{0}")]
    Unsupported(String),
    /// A variable, or a member of an archive, that is not there.
    #[error("it has no numeric variable named \"{wanted}\" or ending so; it has {available}")]
    NoVariable {
        /// What was asked for.
        wanted: String,
        /// The numeric variables that are there.
        available: Names,
    },
    /// Several variables could be meant.
    #[error("name the variable to be read: it could be {candidates}")]
    WhichVariable {
        /// Those that could be meant.
        candidates: Names,
    },
    /// A channel that is not there.
    #[error("it has no channel {wanted}; it has {available}")]
    NoChannel {
        /// What was asked for, as a number or a quoted name.
        wanted: String,
        /// The channels that are there.
        available: Names,
    },
    /// Nothing to read.
    #[error("it is empty: a recording has at least one sample in at least one channel")]
    Empty,
    /// A sample that is no number, or too large for 32 bits.
    #[error("sample {index} of channel {channel} is not a finite 32-bit number: {value}")]
    NotFinite {
        /// The channel in the file, from 0.
        channel: usize,
        /// The sample in its channel, from 0.
        index: usize,
        /// What it is: `NaN`, `inf` or `-inf`.
        value: f32,
    },
    /// A cell of a table that is no number.
    #[error("line {line}, column {column}: \"{cell}\" is not a number")]
    NotNumeric {
        /// Line, from 1.
        line: u64,
        /// Column, from 1.
        column: usize,
        /// The cell's beginning.
        cell: String,
    },
    /// A row of a table with more or fewer cells than the others.
    #[error("line {line} ends at column {found}, and {expected} columns were expected")]
    Ragged {
        /// Line, from 1.
        line: u64,
        /// Cells in the row.
        found: usize,
        /// Cells in the first row.
        expected: usize,
    },
    /// Sample rates between which nothing is converted.
    #[error("it cannot be resampled: {0}")]
    Resample(String),
}

impl RecordingError {
    pub(super) fn too_many_channels(channels: u64) -> Self {
        Self::Unsupported(format!(
            "it has {channels} channels, and {MOST_CHANNELS} are the most: are its axes the other way round?"
        ))
    }

    pub(super) fn malformed(format: RecordingFormat, reason: impl Into<String>) -> Self {
        Self::Malformed { format, reason: reason.into() }
    }
}

/// Names in a message: the first twenty, and how many more there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names(pub Vec<String>);

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 20;
        if self.0.is_empty() {
            return f.write_str("none");
        }
        for (index, name) in self.0.iter().take(SHOWN).enumerate() {
            write!(f, "{}{name}", if index == 0 { "" } else { ", " })?;
        }
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}
