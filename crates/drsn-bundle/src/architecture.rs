//! The dimensions of the network, from which `drsn-train` builds it, and which the manifest
//! records.
//!
//! Source: M. Zhao et al., "Deep Residual Shrinkage Networks for Fault Diagnosis", IEEE TII 2019,
//! DOI 10.1109/TII.2019.2943898, sections III and IV.

use serde::{Deserialize, Serialize};

/// The layers of a network, from input to output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Architecture {
    /// The kind of building unit.
    pub unit: Unit,
    /// The function that the thresholds apply to a feature.
    #[serde(default)]
    pub shrinkage: ShrinkageFunction,
    /// The first convolution.
    pub stem: Stem,
    /// The stages. Only the first unit of a stage may have a stride; all units of a stage have the
    /// same channels.
    pub stages: Vec<Stage>,
    /// Width of the units' kernels, which are square in 2-D.
    #[serde(default = "three")]
    pub kernel: usize,
    /// Divisor of the unit's channels C that gives the width of the hidden layer of each threshold
    /// network: 1 for C, 4 for C/4 (at least one).
    pub threshold_reduction: usize,
    /// Trainable parameters of the network.
    pub parameters: usize,
}

/// The kinds of building unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Unit {
    /// RSBU-CW: a threshold for each channel (the paper's section III-C).
    Cw,
    /// RSBU-CS: a threshold shared by all channels (section III-B).
    Cs,
    /// Squeeze and excitation in place of shrinkage, for comparison (J. Hu et al., CVPR 2018).
    Se,
    /// Plain pre-activation residual unit, for comparison.
    Resnet,
}

/// The function that a threshold τ applies to a feature x.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum ShrinkageFunction {
    /// `sign(x) · max(|x| − τ, 0)`: the paper's soft threshold.
    #[default]
    Soft,
    /// `x − τ² / x` outside [−τ, τ], and 0 within: large features are hardly reduced.
    /// Source: H.-Y. Gao, "Wavelet Shrinkage Denoising Using the Non-Negative Garrote", 1998.
    Garrote,
}

fn three() -> usize {
    3
}

/// The first convolution: square kernel in 2-D, "same" padding, no bias and no activation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Stem {
    /// Output channels.
    pub channels: usize,
    /// Width of the kernel in samples or pixels.
    pub kernel: usize,
    /// Stride.
    pub stride: usize,
}

/// Consecutive units with the same number of channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Stage {
    /// Channels of each unit.
    pub channels: usize,
    /// Number of units.
    pub blocks: usize,
    /// Stride of the first unit.
    pub stride: usize,
}

/// The padding before and after one axis, as TensorFlow's SAME: the output has `ceil(size /
/// stride)` elements, and an odd element goes after the axis.
///
/// ```
/// use drsn_bundle::same_padding;
/// assert_eq!(same_padding(28, 3, 1), (1, 1));
/// assert_eq!(same_padding(28, 3, 2), (0, 1));
/// assert_eq!(same_padding(7, 3, 2), (1, 1));
/// ```
pub fn same_padding(size: usize, kernel: usize, stride: usize) -> (usize, usize) {
    let padded = (size.div_ceil(stride) - 1) * stride + kernel;
    let total = padded.saturating_sub(size);
    (total / 2, total - total / 2)
}
