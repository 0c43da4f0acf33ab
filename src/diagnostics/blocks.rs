//! What the blocks of a network did to an input: thresholds, scales, shares of zeroed features.

use drsn_bundle::{Block, ThresholdKind};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Detail, check_finite};
use crate::error::ApiError;

/// What one block did to an input.
#[derive(Debug, Serialize, ToSchema)]
pub struct BlockDiagnostics<'a> {
    /// Name of the block.
    pub name: &'a str,
    /// Number of its channels.
    pub channels: usize,
    /// Thresholds τ over the channels.
    pub threshold: Spread,
    /// Learned scales α over the channels; null where no channel has any magnitude.
    pub scale: Option<Spread>,
    /// Each channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<Vec<Channel>>,
}

/// Mean, least and largest of some numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct Spread {
    /// Mean.
    pub mean: f32,
    /// Least.
    pub min: f32,
    /// Largest.
    pub max: f32,
}

/// What a block did in one channel.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
#[schema(as = BlockChannel)]
pub struct Channel {
    /// Threshold τ.
    pub threshold: f32,
    /// Learned scale α = τ / A; null where A is zero, so that nothing tells it.
    pub scale: Option<f32>,
    /// Mean magnitude A before shrinkage.
    pub mean_abs: f32,
    /// Share of the channel's features that shrinkage set to exactly zero.
    pub zeroed: f32,
}

/// What is known of a block's channels, of one window or as the mean of several.
#[derive(Debug, Clone, Copy)]
pub struct Magnitudes<'a> {
    /// τ of each channel.
    pub threshold: &'a [f32],
    /// A of each channel.
    pub mean_abs: &'a [f32],
    /// Share of each channel's features that are zero, where it was asked for.
    pub zeroed: Option<&'a [f32]>,
}

impl<'a> Magnitudes<'a> {
    /// Checks a block's outputs for one input.
    ///
    /// # Errors
    /// [`ApiError::internal`] where a number is not finite.
    pub fn of(
        threshold: &'a [f32],
        mean_abs: &'a [f32],
        zeroed: Option<&'a [f32]>,
    ) -> Result<Self, ApiError> {
        check_finite(threshold)?;
        check_finite(mean_abs)?;
        check_finite(zeroed.unwrap_or_default())?;
        Ok(Self { threshold, mean_abs, zeroed })
    }
}

impl<'a> BlockDiagnostics<'a> {
    /// What an answer tells of a block, with the scales α of its channels.
    ///
    /// # Errors
    /// [`ApiError::internal`] for a block without channels.
    pub fn new(
        block: &'a Block,
        Magnitudes { threshold, mean_abs, zeroed }: Magnitudes<'_>,
        scales: &[Option<f32>],
        detail: Detail,
    ) -> Result<Self, ApiError> {
        let channel = match (detail, zeroed) {
            (Detail::Full, Some(zeroed)) => {
                let channels = threshold.iter().zip(scales).zip(mean_abs).zip(zeroed);
                let channel = |(((&threshold, &scale), &mean_abs), &zeroed)| Channel {
                    threshold,
                    scale,
                    mean_abs,
                    zeroed,
                };
                Some(channels.map(channel).collect())
            }
            (Detail::None | Detail::Summary | Detail::Full, _) => None,
        };
        Ok(Self {
            name: block.name.as_str(),
            channels: block.channels,
            threshold: Spread::of(threshold.iter().copied()).ok_or_else(ApiError::internal)?,
            scale: Spread::of(scales.iter().copied().flatten()),
            channel,
        })
    }
}

/// α of each channel. CW: each channel's τ / A. CS: one τ over the mean of all A, for every channel.
/// (Zhao et al. 2019, sections III-B and III-C.)
pub(crate) fn scales(
    kind: ThresholdKind,
    thresholds: &[f32],
    magnitudes: &[f32],
) -> Vec<Option<f32>> {
    let scale = |threshold: f32, magnitude: f32| {
        let scale = threshold / magnitude;
        // Of a magnitude that is zero, or nearly so, no scale can be told.
        scale.is_finite().then_some(scale.min(1.0))
    };
    match kind {
        ThresholdKind::ChannelWise => thresholds
            .iter()
            .zip(magnitudes)
            .map(|(&threshold, &magnitude)| scale(threshold, magnitude))
            .collect(),
        ThresholdKind::ChannelShared => {
            let mean = magnitudes.iter().sum::<f32>() / magnitudes.len() as f32;
            thresholds.iter().map(|&threshold| scale(threshold, mean)).collect()
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_wise_scale_belongs_to_its_channel_and_a_shared_one_to_all() {
        let (thresholds, magnitudes) = ([0.1, 0.1], [0.2, 0.4]);
        let wise = scales(ThresholdKind::ChannelWise, &thresholds, &magnitudes);
        assert_eq!(wise, [Some(0.5), Some(0.25)]);
        let shared = scales(ThresholdKind::ChannelShared, &thresholds, &magnitudes);
        assert_eq!(shared[0], shared[1]);
        assert!(shared[0].is_some_and(|scale| (scale - 1.0 / 3.0).abs() < 1e-6));
    }

    #[test]
    fn a_channel_without_magnitude_has_no_scale() {
        let wise = scales(ThresholdKind::ChannelWise, &[0.0, 0.1], &[0.0, 0.2]);
        assert_eq!(wise, [None, Some(0.5)]);
        assert_eq!(Spread::of(wise.into_iter().flatten()).map(|s| s.mean), Some(0.5));
    }
}
