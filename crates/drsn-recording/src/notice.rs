//! What a reader assumed or repaired, so that no reading differs from that of a file's own tools
//! without a word.

use std::fmt;

/// Something that a reader assumed or repaired, which the owner of the recording should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Its kind.
    pub code: NoticeCode,
    /// One sentence: what was found, and what was made of it.
    pub message: String,
}

/// The kinds of notices. Their names are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum NoticeCode {
    /// The file ends before the length that it declares, or in the middle of a sample.
    Truncated,
    /// Lines before the table, or between its rows, were left out.
    LinesSkipped,
    /// Columns that number the rows, advance like time or hold no numbers were left out.
    ColumnsSkipped,
    /// It is doubtful whether a line names the columns.
    HeaderAssumed,
    /// Commas separate whole numbers, and may be meant as decimal commas.
    CommasAssumed,
    /// Samples are a number that programs write for values that are missing.
    MissingValues,
    /// The times of the samples are not evenly spaced, or contradict a rate that the file states.
    UnevenClock,
    /// An array was read as samples x channels, because its first axis is the longer one.
    Transposed,
    /// Nothing says the sample rate, and the model's was taken.
    RateAssumed,
    /// The file lacks the variable or the channels that the model was trained on, and others were
    /// taken.
    OtherSource,
    /// Windows in which a channel is constant were left out.
    ConstantWindows,
    /// The recording is shorter than a window, and was extended to one.
    Padded,
}

impl NoticeCode {
    /// All kinds.
    pub const ALL: [Self; 12] = [
        Self::Truncated,
        Self::LinesSkipped,
        Self::ColumnsSkipped,
        Self::HeaderAssumed,
        Self::CommasAssumed,
        Self::MissingValues,
        Self::UnevenClock,
        Self::Transposed,
        Self::RateAssumed,
        Self::OtherSource,
        Self::ConstantWindows,
        Self::Padded,
    ];

    /// The name, in snake case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::LinesSkipped => "lines_skipped",
            Self::ColumnsSkipped => "columns_skipped",
            Self::HeaderAssumed => "header_assumed",
            Self::CommasAssumed => "commas_assumed",
            Self::MissingValues => "missing_values",
            Self::UnevenClock => "uneven_clock",
            Self::Transposed => "transposed",
            Self::RateAssumed => "rate_assumed",
            Self::OtherSource => "other_source",
            Self::ConstantWindows => "constant_windows",
            Self::Padded => "padded",
        }
    }
}

impl fmt::Display for NoticeCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl NoticeCode {
    /// A notice of this kind.
    pub fn because(self, message: impl Into<String>) -> Notice {
        Notice { code: self, message: message.into() }
    }
}
