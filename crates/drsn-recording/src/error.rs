//! What can be wrong with a recording, each in a sentence for the person who sent or stored it.

use std::{fmt, io};

use crate::{Foreign, RecordingFormat, is_time_up};

/// A recording that cannot be read. The message does not name the file, which the caller knows.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordingError {
    /// The file cannot be read at all.
    #[error("it cannot be read: {0}")]
    Io(#[source] io::Error),
    /// Neither its first bytes nor its name identify the format.
    #[error(
        "its format is not recognized from its first bytes or its name: \
         expected a {} file",
        RecordingFormat::list()
    )]
    UnknownFormat,
    /// A file of a kind that is not read.
    #[error("it is {0}")]
    Foreign(Foreign),
    /// More bytes than the limit, in the file or unpacked from it.
    #[error("it has {bytes} bytes, above the limit of {limit}: split it into shorter recordings")]
    TooLarge {
        /// Its bytes, or a lower bound of them.
        bytes: u64,
        /// The limit on bytes.
        limit: u64,
    },
    /// More samples than the limit, all channels together.
    #[error(
        "it has {samples} samples, above the limit of {limit}: split it into shorter recordings"
    )]
    TooManySamples {
        /// The samples that it declares, or a lower bound of them.
        samples: u64,
        /// The limit on samples.
        limit: u64,
    },
    /// Bytes that violate their format.
    #[error("it is not a valid {format} file: {reason}")]
    Malformed {
        /// The expected format.
        format: RecordingFormat,
        /// What is wrong.
        reason: String,
    },
    /// A text in which no table was found.
    #[error("it is not a valid CSV file: {reason}; {}", advice(*skip_lines))]
    NoTable {
        /// What was found.
        reason: String,
        /// Lines to leave out, with which there is one.
        skip_lines: Option<u64>,
    },
    /// A valid file with something that is not supported.
    #[error("{0}")]
    Unsupported(String),
    /// A variable, or a member of an archive, that does not exist.
    #[error(
        "it has no numeric variable named \"{wanted}\" or ending with that name; it has {available}"
    )]
    NoVariable {
        /// The name that was given.
        wanted: String,
        /// The numeric variables that exist.
        available: Names,
    },
    /// Several variables match.
    #[error("the variable to read is ambiguous: name one of {candidates}")]
    AmbiguousVariable {
        /// The variables that match.
        candidates: Names,
    },
    /// The variable that was named for the sample rate does not tell one, for this reason.
    #[error(transparent)]
    NoRate(Box<RecordingError>),
    /// A channel that does not exist.
    #[error("it has no channel {wanted}; it has {available}")]
    NoChannel {
        /// The channel that was given, as a number or a quoted name.
        wanted: String,
        /// The channels that exist.
        available: Names,
    },
    /// Nothing to read.
    #[error("it is empty: a recording has at least one sample in at least one channel")]
    Empty,
    /// A sample that is not a number, or too large for 32 bits.
    #[error("sample {index} of channel {channel} is not a finite 32-bit number: {value}")]
    NotFinite {
        /// The channel in the file, from 0.
        channel: usize,
        /// The sample in its channel, from 0.
        index: usize,
        /// Its value: `NaN`, `inf` or `-inf`.
        value: f32,
    },
    /// A cell of a table that is not a number.
    #[error("line {line}, column {column}: \"{cell}\" is not a number")]
    NotNumeric {
        /// Line, from 1.
        line: u64,
        /// Column, from 1.
        column: usize,
        /// The start of the cell.
        cell: String,
    },
    /// A row of a table with more or fewer cells than the first one.
    #[error("line {line} has {found} columns, and {expected} were expected")]
    Ragged {
        /// Line, from 1.
        line: u64,
        /// Cells in the row.
        found: usize,
        /// Cells in the first row.
        expected: usize,
    },
    /// The deadline passed.
    #[error("the time for the request was up before it was read")]
    TimeUp,
    /// Sample rates that cannot be converted into each other.
    #[error("it cannot be resampled: {0}")]
    Resample(String),
}

impl From<io::Error> for RecordingError {
    fn from(error: io::Error) -> Self {
        if is_time_up(&error) { Self::TimeUp } else { Self::Io(error) }
    }
}

impl RecordingError {
    /// The error for a sample rate that was looked for in a variable. What is wrong with the file as
    /// a whole stays what it is.
    pub(crate) fn of_rate(self) -> Self {
        let is_of_variable = matches!(
            self,
            Self::NoVariable { .. } | Self::AmbiguousVariable { .. } | Self::Unsupported(_)
        );
        if is_of_variable { Self::NoRate(Box::new(self)) } else { self }
    }

    pub(crate) fn malformed(format: RecordingFormat, reason: impl Into<String>) -> Self {
        Self::Malformed { format, reason: reason.into() }
    }
}

/// Sample rates that cannot be converted into each other, for this reason.
pub(crate) fn refused(reason: impl Into<String>) -> RecordingError {
    RecordingError::Resample(reason.into())
}

/// How to read a table whose beginning was not found.
fn advice(skip_lines: Option<u64>) -> String {
    match skip_lines {
        Some(lines) => {
            format!("leave out the lines before the table with the option skip_lines={lines}")
        }
        None => {
            "if the table begins later, give the number of lines before it as skip_lines".to_owned()
        }
    }
}

/// Names in a message: the beginnings of the first twenty, and the number of the others. It holds
/// no more than it shows, however many there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    shown: Vec<String>,
    count: usize,
}

impl Names {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    pub(crate) fn push(&mut self, name: &str) {
        const SHOWN: usize = 20;
        /// Characters of each name.
        const LONGEST: usize = 100;
        self.count += 1;
        if self.shown.len() == SHOWN {
            return;
        }
        self.shown.push(match name.char_indices().nth(LONGEST) {
            Some((end, _)) => format!("{}…", name.get(..end).unwrap_or_default()),
            None => name.to_owned(),
        });
    }
}

impl<S: AsRef<str>> FromIterator<S> for Names {
    fn from_iter<I: IntoIterator<Item = S>>(of: I) -> Self {
        let mut names = Self::default();
        of.into_iter().for_each(|name| names.push(name.as_ref()));
        names
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.shown.is_empty() {
            return f.write_str("none");
        }
        f.write_str(&self.shown.join(", "))?;
        match self.count.saturating_sub(self.shown.len()) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}
