//! What a network takes, and how raw pixels and samples become that.
//!
//! Training and serving prepare their inputs by this code alone, so that they cannot differ.

mod format;
mod image;
mod prepare;

use serde::{Deserialize, Serialize};

pub use self::image::{ImageError, ImageFile};
pub use format::ImageFormat;
pub use prepare::PrepareError;

/// The input of a network: its shape, and the preparation that its training assumed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum InputSpec {
    /// Pictures.
    Image(ImageSpec),
    /// Windows of a sampled signal.
    Signal(SignalSpec),
}

/// Pictures of one size, `[channels, height, width]`.
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
    /// What becomes of a picture of another size.
    pub geometry: Geometry,
    /// The filter for changing the size.
    pub filter: Filter,
    /// Subtracted from each channel; a pixel's raw value is in [0, 1].
    pub mean: Vec<f32>,
    /// Divides each channel after that.
    pub std: Vec<f32>,
}

/// What becomes of a picture whose size is not the network's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Geometry {
    /// It is refused.
    Refuse,
    /// It is scaled to the network's size, whatever its proportions.
    Stretch,
    /// Its middle part of the network's proportions is scaled to the network's size.
    CenterCrop,
}

/// Filters for changing the size of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Filter {
    /// The nearest pixel.
    Nearest,
    /// Linear, with antialiasing where the picture shrinks.
    Triangle,
    /// Cubic, with antialiasing where the picture shrinks.
    CatmullRom,
}

/// Windows of a signal, `[channels, window]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SignalSpec {
    /// Channels that are recorded together.
    pub channels: usize,
    /// Samples of each channel.
    pub window: usize,
    /// Samples in a second, where training fixed it.
    pub sample_rate_hz: Option<f64>,
    /// How each window is normalised.
    pub normalization: Normalization,
}

/// How each window of a signal is normalised.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Normalization {
    /// Not at all.
    None,
    /// `(x − μ) / max(σ, ε)`, with each channel's mean μ and population deviation σ over the window, in f64.
    ZScore {
        /// ε, in the signal's unit.
        epsilon: f64,
    },
}

impl InputSpec {
    /// Sizes of one input, without the batch: `[C, H, W]` or `[C, L]`.
    pub fn shape(&self) -> Vec<usize> {
        match self {
            Self::Image(image) => vec![image.channels, image.height, image.width],
            Self::Signal(signal) => vec![signal.channels, signal.window],
        }
    }

    /// Numbers in one input.
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

    /// The word for what it takes: `image` or `signal`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Image(_) => "image",
            Self::Signal(_) => "signal",
        }
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        // Far above every real model, and far below what could overflow a size or exhaust memory.
        const MOST_ELEMENTS: usize = 1 << 26;
        let elements =
            self.shape().iter().try_fold(1_usize, |product, &size| product.checked_mul(size));
        if !elements.is_some_and(|n| (1..=MOST_ELEMENTS).contains(&n)) {
            return Err(format!(
                "the input's shape {:?} must hold between 1 and {MOST_ELEMENTS} numbers",
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
                "an image input has 1 or 3 channels, and this has {}",
                self.channels
            ));
        }
        if self.mean.len() != self.channels || self.std.len() != self.channels {
            return Err("an image input has one mean and one std a channel".to_owned());
        }
        if !self.mean.iter().all(|m| m.is_finite()) || !self.std.iter().all(|s| s.is_normal()) {
            return Err("mean must be finite, and std finite and not zero".to_owned());
        }
        Ok(())
    }
}

impl SignalSpec {
    fn check(&self) -> Result<(), String> {
        if self.sample_rate_hz.is_some_and(|rate| !(rate.is_finite() && rate > 0.0)) {
            return Err("sample_rate_hz must be a positive number".to_owned());
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
