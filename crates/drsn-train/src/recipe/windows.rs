//! Data whose windows were cut beforehand: arrays of inputs and labels, or tables with one input a
//! row.

use serde::{Deserialize, Serialize};

use super::{NormalizationConfig, Split};

/// Labelled windows in arrays or tables, and where they are in them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WindowConfig {
    /// Samples in a window.
    pub window: usize,
    /// Channels of a window; as many as the array has if missing, and 1 in a table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<usize>,
    /// What each axis of the array is, a letter an axis: `n` counts the inputs, `c` the channels
    /// and `l` the samples, and `1` is an axis of size one. Found by the sizes if missing. For a
    /// table with several channels, `ncl` or `nlc`: the order of the samples in a row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub axes: Option<String>,
    /// Array with the inputs; a usual name such as `X` if missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<String>,
    /// Array or column with the labels; a usual name such as `y` or `label` if missing. A column may
    /// also be given by its number from 0, or as `first` or `last`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<String>,
    /// Array or column with the groups; `group` or `groups` if missing, and there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<String>,
    /// Array or column with `training`, `held-out` or `test`; `split` or `splits` if missing, and
    /// there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub splits: Option<String>,
    /// Columns of a table that are no samples, by name or by number from 0.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skip_columns: Vec<String>,
    /// Names of the classes in the order of their labels; the labels themselves if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
    /// Sample rate in hertz.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample_rate_hz: Option<f64>,
    /// How each window is normalised.
    pub normalization: NormalizationConfig,
    /// Maximum number of windows to train on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// How the windows are split into training, held-out and test inputs.
    pub split: Split,
}

/// What an axis of an array counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Axis {
    Inputs,
    Channels,
    Samples,
    /// Nothing: its size is one.
    One,
}

impl Axis {
    const ALL: [(char, Self); 4] =
        [('n', Self::Inputs), ('c', Self::Channels), ('l', Self::Samples), ('1', Self::One)];

    /// Its letter.
    pub(crate) fn letter(self) -> char {
        Self::ALL.iter().find(|(_, axis)| *axis == self).map_or('1', |(letter, _)| *letter)
    }

    /// The axes that a text such as `ncl` names.
    pub(crate) fn parse(text: &str) -> Result<Vec<Self>, String> {
        let of_letter = |letter: char| {
            Self::ALL.iter().find(|(known, _)| *known == letter).map(|(_, axis)| *axis)
        };
        let axes: Option<Vec<Self>> = text.chars().map(of_letter).collect();
        let count = |axes: &[Self], wanted| axes.iter().filter(|axis| **axis == wanted).count();
        axes.filter(|axes| {
            count(axes, Self::Inputs) == 1
                && count(axes, Self::Samples) == 1
                && count(axes, Self::Channels) <= 1
        })
        .ok_or_else(|| {
            format!(
                "data.axes must have the letters n (inputs) and l (samples), at most one c \
                 (channels), and 1 for an axis of size one, such as \"ncl\", got \"{text}\""
            )
        })
    }
}
