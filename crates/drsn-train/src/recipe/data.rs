//! The data of a recipe: what it is, how recordings are cut into windows, how all is split.

use drsn_bundle::{Filter, Geometry};
use serde::{Deserialize, Serialize};

/// What the data is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum DataConfig {
    /// Four IDX files as of MNIST and Fashion-MNIST, compressed or not.
    Idx(IdxConfig),
    /// The binary version of CIFAR-10.
    Cifar10(IdxConfig),
    /// PNG and JPEG files in folders named after their class, or listed in an index.
    Images(ImageConfig),
    /// Recordings (MAT v5, NPY, NPZ, WAV, CSV) in folders named after their class, or listed in an index.
    Signals(SignalConfig),
}

/// Public sets of images, which come with a test set of their own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdxConfig {
    /// Inputs of the training set that take no part in training, chosen at random by the seed.
    pub held_out: usize,
    /// Trains on so many inputs only; on all that are not held out where it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Subtracts each channel's mean over the training inputs, as they are met with their noise.
    #[serde(default)]
    pub zero_centre: bool,
}

/// Pictures of any size in files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageConfig {
    /// 1 for grey, 3 for colour.
    pub channels: usize,
    /// Rows that the network takes.
    pub height: usize,
    /// Columns that it takes.
    pub width: usize,
    /// What becomes of a picture of another size.
    pub geometry: Geometry,
    /// The filter for changing the size.
    pub filter: Filter,
    /// Subtracts each channel's mean over the training inputs, as they are met with their noise.
    #[serde(default)]
    pub zero_centre: bool,
    /// Trains on so many inputs only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Which inputs are trained on, held out and tested on.
    pub split: Split,
}

/// Recordings, and how they are cut into windows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignalConfig {
    /// Samples of a window.
    pub window: usize,
    /// Samples between the beginnings of two windows that are trained on, and of two that are held out.
    pub hop: usize,
    /// The same for test windows; the window's length where it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_hop: Option<usize>,
    /// Channels to take, by name or number from 0; all where it is empty.
    #[serde(default)]
    pub channels: Vec<String>,
    /// Variable of a MAT or NPZ file, by its whole name or its ending, as `DE_time`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variable: Option<String>,
    /// Samples in a second. A file that says otherwise is refused, or resampled where `resample` says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample_rate_hz: Option<f64>,
    /// Whether recordings of another rate are resampled.
    #[serde(default)]
    pub resample: bool,
    /// How each window is normalised.
    pub normalization: NormalizationConfig,
    /// Trains on so many windows only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Which windows are trained on, held out and tested on.
    pub split: Split,
}

/// How each window is normalised.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum NormalizationConfig {
    /// Not at all.
    None,
    /// Mean zero and deviation one for each channel.
    ZScore {
        /// The least deviation that is divided by, in the signal's unit.
        epsilon: f64,
    },
}

/// Which inputs are trained on, held out and tested on. Windows that overlap are never on two sides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Split {
    /// Each recording in time: its beginning is trained on, what follows is held out, its end is tested on.
    Time {
        /// Share of each recording that is trained on.
        training: f64,
        /// Share that is held out.
        held_out: f64,
    },
    /// Whole files by their group, a column of the index (or the folder between class and file).
    Group {
        /// Groups that are tested on.
        test: Vec<String>,
        /// Groups that are held out; where it is empty, the last `held_out_share` of the training recordings' time
        /// (of the training files, for pictures).
        #[serde(default)]
        held_out: Vec<String>,
        /// Share of the training data that is held out where no group is.
        #[serde(default)]
        held_out_share: f64,
    },
    /// As the column `split` of the index says: `training`, `held-out` or `test`. (Folders of these names at the
    /// top do the same.)
    List,
    /// Whole files at random by the seed, class by class. For pictures; refused for signals, whose files are too
    /// few and whose windows overlap.
    Random {
        /// Share that is held out.
        held_out: f64,
        /// Share that is tested on.
        test: f64,
    },
}

/// What an input meets in training besides noise.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Augmentation {
    /// Images: mirrors every second one, left to right.
    pub flip: bool,
    /// Images: most pixels of shift along each axis, with zeros behind: a crop of the picture padded so far.
    pub crop: usize,
    /// Signals: most decibels by which a window becomes louder or softer.
    pub gain_db: f64,
    /// Signals: most samples by which a window begins earlier or later, within its part of the recording.
    pub shift: usize,
}
