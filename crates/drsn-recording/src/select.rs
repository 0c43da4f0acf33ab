//! The variable and the channels of a file to read.

use std::fmt;

use ndarray::{Array2, ArrayRef1};

use crate::{Names, RecordingError};

/// The part of a file to read: by default all channels of the only variable that can be meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// The channels in this order; empty for all of them in the file's order.
    pub channel: Vec<ChannelId>,
    /// A variable of a MAT or NPZ file: its whole name or its ending, such as `DE_time` for
    /// `X097_DE_time`. The fields of structures and the elements of cells in a MAT-file have paths:
    /// `bearing.gs`, `run.Y[6].Data`. Square brackets count from 0, as in Python, and `Y(7).Data` or
    /// `Y{7}` from 1, as in MATLAB. Other formats have no variables and ignore it.
    pub variable: Option<String>,
    /// The variable or field of a MAT or NPZ file that holds the samples per second, a single
    /// number, found like `variable`.
    pub rate_variable: Option<String>,
    /// Lines of a table to leave out at its start.
    pub skip_lines: u64,
}

/// One channel of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChannelId {
    /// The channel that has this number as its name, or else this position in the file, from 0;
    /// the time columns of a table are not counted.
    Index(usize),
    /// Its name, such as a column's header.
    Name(String),
}

impl From<&str> for ChannelId {
    /// A position, if the text is a number as it is usually written; else a name, as `01` is.
    fn from(text: &str) -> Self {
        match text.parse::<usize>() {
            Ok(index) if index.to_string() == text => Self::Index(index),
            _ => Self::Name(text.to_owned()),
        }
    }
}

impl fmt::Display for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(index) => index.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

impl Selection {
    /// Positions of the selected channels in a file that has `count`, named or not.
    pub(crate) fn channels(
        &self,
        count: usize,
        names: &[String],
    ) -> Result<Vec<usize>, RecordingError> {
        if self.channel.is_empty() {
            return Ok((0..count).collect());
        }
        let no_channel =
            |wanted| RecordingError::NoChannel { wanted, available: available(count, names) };
        let find = |id: &ChannelId| match id {
            // Columns are often named by numbers, and seldom by their positions from 0.
            ChannelId::Index(index) => position(&index.to_string(), names)?
                .or((*index < count).then_some(*index))
                .ok_or_else(|| no_channel(index.to_string())),
            ChannelId::Name(name) => {
                position(name, names)?.ok_or_else(|| no_channel(format!("\"{name}\"")))
            }
        };
        self.channel.iter().map(find).collect()
    }
}

/// The position of the channel of this name, which must be the only one.
fn position(name: &str, names: &[String]) -> Result<Option<usize>, RecordingError> {
    let found = || (0..).zip(names).filter(|(_, n)| *n == name).map(|(position, _)| position);
    if found().nth(1).is_none() {
        return Ok(found().next());
    }
    let positions: Names = found().map(|position: usize| position.to_string()).collect();
    Err(RecordingError::Unsupported(format!(
        "it has {} channels of the name {}: give the position of the one that is meant, counted \
         from 0 ({positions}), or make their names different",
        found().count(),
        Names::from_iter([name])
    )))
}

fn available(count: usize, names: &[String]) -> Names {
    if names.is_empty() {
        let last = count.saturating_sub(1);
        return Names::from_iter([format!("channels 0 to {last}")]);
    }
    names.iter().collect()
}

/// These rows of an array `[C, T]`, in row-major order. Without a copy if the array is what is
/// wanted.
pub(crate) fn rows(array: Array2<f32>, wanted: &[usize]) -> Array2<f32> {
    let is_all = wanted.iter().copied().eq(0..array.nrows());
    if is_all && array.is_standard_layout() {
        return array;
    }
    let mut rows = Array2::zeros((wanted.len(), array.ncols()));
    for (mut row, &channel) in rows.rows_mut().into_iter().zip(wanted) {
        row.assign(&array.row(channel));
    }
    rows
}

/// Channels of equal length as one array `[C, T]`; a single channel is not copied.
pub(crate) fn stack(mut channels: Vec<Vec<f32>>) -> Array2<f32> {
    let shape = (channels.len(), channels.first().map_or(0, Vec::len));
    let samples = if channels.len() == 1 {
        channels.remove(0)
    } else {
        // Spare capacity would be held beside the copy.
        channels.iter_mut().for_each(Vec::shrink_to_fit);
        channels.concat()
    };
    debug_assert_eq!(samples.len(), shape.0 * shape.1);
    Array2::from_shape_vec(shape, samples).unwrap_or_default()
}

/// Whether a channel advances evenly to the last digit, as times and numbers of samples do and no
/// signal does.
pub(crate) fn is_clock(samples: &ArrayRef1<f32>) -> bool {
    /// Samples that are too few to know.
    const FEWEST: usize = 64;
    /// Rounding to 32 bits, of the samples and of the step.
    const ROUNDING: f64 = 4.0 * f32::EPSILON as f64;
    let (Some(&first), Some(&last)) = (samples.first(), samples.last()) else { return false };
    let (first, last) = (f64::from(first), f64::from(last));
    let step = (last - first) / (samples.len() - 1) as f64;
    let allowed = ROUNDING * first.abs().max(last.abs());
    let is_near = |(at, &value): (usize, &f32)| {
        (f64::from(value) - (first + step * at as f64)).abs() <= allowed
    };
    samples.len() >= FEWEST && step > 2.0 * allowed && samples.iter().enumerate().all(is_near)
}

/// The refusal of a channel that tells the time of others; `signal` is one of these.
pub(crate) fn no_signal(channel: usize, signal: usize) -> RecordingError {
    RecordingError::Unsupported(format!(
        "its channel {channel} advances evenly, as times and numbers of samples do, and is no signal: \
         choose others with the option channel, such as channel={signal}"
    ))
}

/// Rejects a channel with a sample that is not finite; `first` samples of it came before these.
pub(crate) fn check_finite(
    channel: usize,
    first: usize,
    samples: &ArrayRef1<f32>,
) -> Result<(), RecordingError> {
    // Without an early end many samples are looked at at once.
    let are_finite =
        |samples: &[f32]| samples.iter().fold(true, |all, sample| all & sample.is_finite());
    if samples.as_slice().is_some_and(are_finite) {
        return Ok(());
    }
    match samples.iter().enumerate().find(|(_, value)| !value.is_finite()) {
        None => Ok(()),
        Some((index, &value)) => {
            Err(RecordingError::NotFinite { channel, index: first + index, value })
        }
    }
}
