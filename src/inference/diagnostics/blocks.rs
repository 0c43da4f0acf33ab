//! The effect of a network's blocks on an input: thresholds, scales, and what shrinkage left.

use drsn_bundle::Block;
use ndarray::ArrayView1;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Detail, check_finite};
use crate::{engine::session::BlockOutputs, error::ApiError};

/// The effect of one block on an input.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BlockDiagnostics<'a> {
    /// Name of the block.
    pub(crate) name: &'a str,
    /// Number of its channels.
    pub(crate) channels: usize,
    /// Thresholds τ over the channels.
    pub(crate) threshold: Spread,
    /// Learned scales α over the channels; null if no channel has any magnitude.
    pub(crate) scale: Option<Spread>,
    /// Each channel, with `diagnostics=full`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) channel: Option<Vec<Channel>>,
}

/// Mean, minimum and maximum of some numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub(crate) struct Spread {
    /// Mean.
    pub(crate) mean: f32,
    /// Minimum.
    pub(crate) min: f32,
    /// Maximum.
    pub(crate) max: f32,
}

/// The effect of a block on one channel.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
#[schema(as = BlockChannel)]
pub(crate) struct Channel {
    /// Threshold τ.
    pub(crate) threshold: f32,
    /// Learned scale α = τ / A; null if A is zero, because α is then unknown.
    pub(crate) scale: Option<f32>,
    /// Mean magnitude A before shrinkage.
    pub(crate) mean_abs: f32,
    /// Share of the channel's features that shrinkage set to exactly zero.
    pub(crate) zeroed: f32,
    /// Mean magnitude after shrinkage.
    pub(crate) mean_abs_after: f32,
}

/// A block's numbers for each of its channels, for one window or as the mean over several.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Magnitudes<'a> {
    /// τ of each channel.
    pub(crate) threshold: ArrayView1<'a, f32>,
    /// A of each channel.
    pub(crate) mean_abs: ArrayView1<'a, f32>,
    /// What shrinkage left, if requested.
    pub(crate) left: Option<Left<'a>>,
}

/// What a block's shrinkage left of each channel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Left<'a> {
    /// Share of features that are zero.
    pub(crate) zeroed: ArrayView1<'a, f32>,
    /// Mean magnitude.
    pub(crate) mean_abs: ArrayView1<'a, f32>,
}

impl<'a> Magnitudes<'a> {
    /// A block's outputs for one input.
    ///
    /// # Errors
    /// [`ApiError::internal`] if a number is not finite.
    pub(crate) fn of(outputs: &'a BlockOutputs, row: usize) -> Result<Self, ApiError> {
        Self {
            threshold: outputs.threshold.row(row),
            mean_abs: outputs.mean_abs.row(row),
            left: outputs.remains.as_ref().map(|remains| Left {
                zeroed: remains.zeroed.row(row),
                mean_abs: remains.mean_abs.row(row),
            }),
        }
        .finite()
    }

    /// Checks that all numbers are finite.
    ///
    /// # Errors
    /// [`ApiError::internal`] if a number is not finite.
    pub(crate) fn finite(self) -> Result<Self, ApiError> {
        check_finite(self.threshold)?;
        check_finite(self.mean_abs)?;
        if let Some(Left { zeroed, mean_abs }) = self.left {
            check_finite(zeroed)?;
            check_finite(mean_abs)?;
        }
        Ok(self)
    }
}

impl<'a> BlockDiagnostics<'a> {
    /// The diagnostics of a block. `scales` are the scales α of its channels.
    ///
    /// # Errors
    /// [`ApiError::internal`] for a block without channels.
    pub(crate) fn new(
        block: &'a Block,
        Magnitudes { threshold, mean_abs, left }: Magnitudes<'_>,
        scales: impl Iterator<Item = Option<f32>> + Clone,
        detail: Detail,
    ) -> Result<Self, ApiError> {
        let channel = match (detail, left) {
            (Detail::Full, Some(Left { zeroed, mean_abs: after })) => {
                let before = threshold.iter().zip(scales.clone()).zip(mean_abs);
                let channel = |(((&threshold, scale), &mean_abs), (&zeroed, &mean_abs_after))| {
                    Channel { threshold, scale, mean_abs, zeroed, mean_abs_after }
                };
                Some(before.zip(zeroed.iter().zip(after)).map(channel).collect())
            }
            (Detail::None | Detail::Summary | Detail::Full, _) => None,
        };
        Ok(Self {
            name: block.name.as_str(),
            channels: block.channels,
            threshold: Spread::of(threshold.iter().copied()).ok_or_else(ApiError::internal)?,
            scale: Spread::of(scales.flatten()),
            channel,
        })
    }
}

impl Spread {
    fn of(numbers: impl Iterator<Item = f32>) -> Option<Self> {
        let (mut count, mut sum) = (0_u32, 0.0_f64);
        let (mut min, mut max) = (f32::INFINITY, f32::NEG_INFINITY);
        for number in numbers {
            count += 1;
            sum += f64::from(number);
            min = min.min(number);
            max = max.max(number);
        }
        (count > 0).then(|| Self { mean: (sum / f64::from(count)) as f32, min, max })
    }
}
