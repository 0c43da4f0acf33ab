//! A network's input, and its preparation from raw pixels and samples.
//!
//! Training and serving share this code, so their preparation cannot differ.

mod format;
mod image;
mod padding;
mod prepare;

use serde::{Deserialize, Serialize};

pub use self::image::{ImageError, ImageFile, is_decoding};
pub use format::ImageFormat;
pub use padding::{Padding, PaddingError};
pub use prepare::{MAX_MAGNITUDE, PrepareError};

/// The input of a network: its shape, and the preparation used in training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum InputSpec {
    /// Images.
    Image(ImageSpec),
    /// Windows of a sampled signal.
    Signal(SignalSpec),
}

/// Images of one size, `[channels, height, width]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ImageSpec {
    /// 1 for grey, 3 for red, green and blue.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Handling of images of another size.
    pub geometry: Geometry,
    /// The filter for resizing.
    pub filter: Filter,
    /// Subtracted from each channel; a pixel's raw value is in [0, 1].
    pub mean: Vec<f32>,
    /// Divides each channel after that.
    pub std: Vec<f32>,
}

/// Handling of images whose size is not the network's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Geometry {
    /// They are rejected.
    Refuse,
    /// They are resized to the network's size, whatever their proportions.
    Stretch,
    /// Their central part of the network's proportions is resized to the network's size.
    CenterCrop,
}

/// Filters for resizing images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Filter {
    /// The nearest pixel.
    Nearest,
    /// Linear, with antialiasing when reducing.
    Triangle,
    /// Cubic, with antialiasing when reducing.
    CatmullRom,
}

/// Windows of a signal, `[channels, window]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SignalSpec {
    /// Channels, sampled together.
    pub channels: usize,
    /// Samples of each channel.
    pub window: usize,
    /// Samples per second, if training fixed it.
    pub sample_rate_hz: Option<f64>,
    /// Normalisation of each window.
    pub normalization: Normalization,
    /// What was taken of the files it was trained on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SignalSource>,
    /// How a recording of fewer samples than a window is extended at its end, before it is
    /// normalised; it is rejected if missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub padding: Option<Padding>,
}

/// What was taken of the files that a model was trained on, so that others are read the same way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SignalSource {
    /// Variable of MAT and NPZ files, by its name or its ending; none if the files had none, or
    /// different ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variable: Option<String>,
    /// The channels in the order of the network's, each by its name, or else by its position from
    /// 0; empty if all channels of files without names were taken, or different ones of different
    /// files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<String>,
    /// Variable of MAT and NPZ files that holds the samples per second; none if the files had none,
    /// or different ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_variable: Option<String>,
    /// Lines that were left out at the start of every table, 0 if that was not asked for.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub skip_lines: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it")]
fn is_zero(lines: &u64) -> bool {
    *lines == 0
}

impl SignalSource {
    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Normalisation of each window of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Normalization {
    /// No normalisation.
    None,
    /// `(x − μ) / max(σ, ε)`, with each channel's mean μ and population standard deviation σ over
    /// the window, in f64.
    ZScore {
        /// ε, in the signal's unit.
        epsilon: f64,
    },
}

impl InputSpec {
    /// Shape of one input, without the batch: `[C, H, W]` or `[C, L]`.
    pub fn shape(&self) -> Vec<usize> {
        match self {
            Self::Image(image) => vec![image.channels, image.height, image.width],
            Self::Signal(signal) => vec![signal.channels, signal.window],
        }
    }

    /// Number of values in one input.
    pub fn elements(&self) -> usize {
        self.shape().iter().product()
    }

    /// Planes of an image, or channels of a signal.
    pub fn channels(&self) -> usize {
        match self {
            Self::Image(image) => image.channels,
            Self::Signal(signal) => signal.channels,
        }
    }

    /// `image` or `signal`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Image(_) => "image",
            Self::Signal(_) => "signal",
        }
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        // Far above every real model, and far below any overflow or exhaustion of memory.
        const MAX_ELEMENTS: usize = 1 << 26;
        let elements =
            self.shape().iter().try_fold(1_usize, |product, &size| product.checked_mul(size));
        if !elements.is_some_and(|n| (1..=MAX_ELEMENTS).contains(&n)) {
            return Err(format!(
                "the input's shape {:?} must have between 1 and {MAX_ELEMENTS} values",
                self.shape()
            ));
        }
        match self {
            Self::Image(image) => image.check(),
            Self::Signal(signal) => signal.check(),
        }
    }
}

impl ImageSpec {
    fn check(&self) -> Result<(), String> {
        if !matches!(self.channels, 1 | 3) {
            return Err(format!(
                "an image input has 1 or 3 channels, and this one has {}",
                self.channels
            ));
        }
        if self.mean.len() != self.channels || self.std.len() != self.channels {
            return Err("an image input needs one mean and one std per channel".to_owned());
        }
        if !self.mean.iter().all(|m| m.is_finite()) || !self.std.iter().all(|s| s.is_normal()) {
            return Err("mean must be finite, and std finite and nonzero".to_owned());
        }
        Ok(())
    }
}

impl SignalSpec {
    fn check(&self) -> Result<(), String> {
        if self.sample_rate_hz.is_some_and(|rate| !(rate.is_finite() && rate > 0.0)) {
            return Err("sample_rate_hz must be a positive number".to_owned());
        }
        let taken = self.source.as_ref().map_or(0, |source| source.channels.len());
        if taken != 0 && taken != self.channels {
            return Err(format!(
                "the input has {} channels, but source.channels names {taken}",
                self.channels
            ));
        }
        match self.normalization {
            Normalization::None => Ok(()),
            Normalization::ZScore { epsilon } if epsilon.is_finite() && epsilon > 0.0 => Ok(()),
            Normalization::ZScore { .. } => {
                Err("epsilon of the normalisation must be a positive number".to_owned())
            }
        }
    }
}
