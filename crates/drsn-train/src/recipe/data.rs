//! The data of a recipe: its kind, how recordings are cut into windows, and how it is split.

use drsn_bundle::{Filter, Geometry, Padding};
use serde::{Deserialize, Serialize};

use super::WindowConfig;

/// The most lines that may be left out at the start of a table, as in requests to the server.
pub(crate) const MAX_SKIPPED_LINES: usize = 1_000_000;

/// The kind of data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum DataConfig {
    /// Four IDX files, such as those of MNIST and Fashion-MNIST, gzip-compressed or not.
    Idx(IdxConfig),
    /// The binary version of CIFAR-10.
    Cifar10(IdxConfig),
    /// Image files in folders named after their classes, or listed in an index.
    Images(ImageConfig),
    /// Recordings, in any format that `drsn-recording` reads, in folders named after their classes, or listed in
    /// an index.
    Signals(SignalConfig),
    /// Windows that were cut beforehand, in arrays or in tables with one input a row.
    Windows(WindowConfig),
}

/// Public sets of images, which have their own test set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdxConfig {
    /// Inputs of the training set that are held out, drawn at random by the seed.
    pub held_out: usize,
    /// Maximum number of inputs to train on; all that are not held out if missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Whether to subtract each channel's mean over the training inputs with their training noise.
    #[serde(default)]
    pub zero_centre: bool,
}

/// Image files of any size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageConfig {
    /// 1 for greyscale, 3 for colour.
    pub channels: usize,
    /// Rows of the network's input.
    pub height: usize,
    /// Columns of the network's input.
    pub width: usize,
    /// What happens to an image of another size.
    pub geometry: Geometry,
    /// The resampling filter.
    pub filter: Filter,
    /// Whether to subtract each channel's mean over the training inputs with their training noise.
    #[serde(default)]
    pub zero_centre: bool,
    /// Maximum number of inputs to train on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// How the images are split into training, held-out and test inputs.
    pub split: Split,
}

/// Recordings, and how they are cut into windows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignalConfig {
    /// Samples in a window.
    pub window: usize,
    /// Samples between the starts of consecutive training windows, and of held-out windows.
    pub hop: usize,
    /// The same for test windows; the window's length if missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_hop: Option<usize>,
    /// Channels to read, by name or by number from 0; all if empty.
    #[serde(default)]
    pub channels: Vec<String>,
    /// Variable of a MAT or NPZ file, by its full name or its ending, such as `DE_time`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variable: Option<String>,
    /// Variable of a MAT or NPZ file that holds the samples per second, such as `bearing.sr`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_variable: Option<String>,
    /// Lines of a table to leave out at its start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip_lines: Option<usize>,
    /// Sample rate in hertz. A file with another rate is rejected, or resampled if `resample` is
    /// set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample_rate_hz: Option<f64>,
    /// Whether recordings with another sample rate are resampled.
    #[serde(default)]
    pub resample: bool,
    /// What happens to a recording that is shorter than a window.
    #[serde(default, skip_serializing_if = "PaddingConfig::is_default")]
    pub padding: PaddingConfig,
    /// How each window is normalised.
    pub normalization: NormalizationConfig,
    /// Maximum number of windows to train on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// How the windows are split into training, held-out and test inputs.
    pub split: Split,
}

/// What happens to a recording that is shorter than a window, in training and in serving.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PaddingConfig {
    /// It is refused.
    #[default]
    Refuse,
    /// It is extended by zeros, if it has at least a sixteenth of a window; so are the others.
    Zero,
    /// It is extended by itself from its beginning.
    Repeat,
    /// It is extended by itself backwards and forwards.
    Reflect,
}

impl PaddingConfig {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it")]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// The rule of the bundle; `None` if such recordings are refused.
    pub(crate) fn rule(self) -> Option<Padding> {
        match self {
            Self::Refuse => None,
            Self::Zero => Some(Padding::Zero),
            Self::Repeat => Some(Padding::Repeat),
            Self::Reflect => Some(Padding::Reflect),
        }
    }
}

/// How each window is normalised.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum NormalizationConfig {
    /// No normalisation.
    None,
    /// Mean zero and standard deviation one for each channel.
    ZScore {
        /// Lower bound of the divisor, in the signal's unit.
        epsilon: f64,
    },
}

/// How inputs are split into training, held-out and test inputs. Overlapping windows are always in
/// the same subset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Split {
    /// Splits each recording in time: the start for training, then held out, and the rest for
    /// testing.
    Time {
        /// Share of each recording to train on.
        training: f64,
        /// Share of each recording to hold out.
        held_out: f64,
    },
    /// Splits whole files by their group, which is a column of the index or the folder between
    /// class and file.
    Group {
        /// Groups to test on.
        test: Vec<String>,
        /// Groups to hold out. If empty, `held_out_share` of the training data is held out instead:
        /// the end of each training recording, or the last training files for images.
        #[serde(default)]
        held_out: Vec<String>,
        /// Share of the training data to hold out if `held_out` is empty.
        #[serde(default)]
        held_out_share: f64,
    },
    /// Follows the index column `split`: `training`, `held-out` or `test`, or another usual name
    /// of these. Folders with such names have the same effect.
    List {
        /// Share of the training data to hold out, if the list holds nothing out: the end of each
        /// training recording, or some training images of each class, drawn by the seed.
        #[serde(default, skip_serializing_if = "is_zero")]
        held_out_share: f64,
    },
    /// Splits whole files at random by the seed, class by class. For images only: signals have too
    /// few files, and their windows overlap.
    Random {
        /// Share of the files to hold out.
        held_out: f64,
        /// Share of the files to test on.
        test: f64,
    },
}

/// Random changes to training inputs besides noise.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Augmentation {
    /// Images: mirrors half of them left to right.
    pub flip: bool,
    /// Images: maximum shift along each axis in pixels, filled with zeros: a random crop of the
    /// padded image.
    pub crop: usize,
    /// Signals: maximum change of a window's level in decibels, up or down.
    pub gain_db: f64,
    /// Signals: maximum number of samples by which a window starts earlier or later, within its
    /// part of the recording.
    pub shift: usize,
    /// Signals: share of the windows of which a part, at the beginning or the end, is taken from
    /// another training window. Each class then counts by its share.
    #[serde(skip_serializing_if = "is_zero")]
    pub splice: f64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it")]
pub(super) fn is_zero(share: &f64) -> bool {
    *share == 0.0
}
