//! Names of the statistics of an input, for the causes of an alarm.

use serde::Serialize;

use crate::InputSpec;

/// A statistic of the values of one channel, relative to their deviation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Statistic {
    /// The mean of an image's pixels.
    Mean,
    /// Their deviation.
    Deviation,
    /// The kurtosis: a few large values among many small ones.
    Kurtosis,
    /// The mean square of dips: of values below all their neighbours.
    Dips,
    /// The mean square of peaks: of values above all their neighbours.
    Peaks,
    /// The mean square of first differences.
    Steps,
    /// The mean square of second differences.
    Bends,
    /// The kurtosis of first differences: a few large steps among many small ones.
    Jumps,
    /// The share of values that equal the next.
    Repeats,
}

/// A direction in an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Axis {
    /// From one column to the next.
    Horizontal,
    /// From one row to the next.
    Vertical,
}

/// A statistic of one channel of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct NamedStatistic {
    /// What it is.
    pub what: Statistic,
    /// Of an image, the direction of neighbours, if it is of one direction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub axis: Option<Axis>,
    /// Position of the input's channel, from 0.
    pub channel: usize,
}

/// The statistics of one channel, in their order.
pub(super) const OF_SIGNAL: [(Statistic, Option<Axis>); 7] = [
    (Statistic::Kurtosis, None),
    (Statistic::Dips, None),
    (Statistic::Peaks, None),
    (Statistic::Steps, None),
    (Statistic::Bends, None),
    (Statistic::Jumps, None),
    (Statistic::Repeats, None),
];
pub(super) const OF_IMAGE: [(Statistic, Option<Axis>); 13] = [
    (Statistic::Mean, None),
    (Statistic::Deviation, None),
    (Statistic::Kurtosis, None),
    (Statistic::Dips, None),
    (Statistic::Peaks, None),
    (Statistic::Steps, Some(Axis::Horizontal)),
    (Statistic::Bends, Some(Axis::Horizontal)),
    (Statistic::Jumps, Some(Axis::Horizontal)),
    (Statistic::Repeats, Some(Axis::Horizontal)),
    (Statistic::Steps, Some(Axis::Vertical)),
    (Statistic::Bends, Some(Axis::Vertical)),
    (Statistic::Jumps, Some(Axis::Vertical)),
    (Statistic::Repeats, Some(Axis::Vertical)),
];

impl NamedStatistic {
    /// The statistic at a position of an input's.
    pub fn at(position: usize, input: &InputSpec) -> Self {
        let of_channel: &[_] = match input {
            InputSpec::Signal(_) => &OF_SIGNAL,
            InputSpec::Image(_) => &OF_IMAGE,
        };
        let (what, axis) = of_channel[position % of_channel.len()];
        Self { what, axis, channel: position / of_channel.len() }
    }
}

impl Statistic {
    /// The word for it in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Deviation => "deviation",
            Self::Kurtosis => "kurtosis",
            Self::Dips => "dips",
            Self::Peaks => "peaks",
            Self::Steps => "steps",
            Self::Bends => "bends",
            Self::Jumps => "jumps",
            Self::Repeats => "repeats",
        }
    }
}

impl Axis {
    /// The word for it in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Horizontal => "horizontal",
            Self::Vertical => "vertical",
        }
    }
}
