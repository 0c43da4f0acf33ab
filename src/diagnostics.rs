//! A model's outputs to predictions: class probabilities, and what each block's thresholds did to the input.

use drsn_bundle::{
    Block, Manifest, ThresholdKind,
    baseline::{InputLevel, InputShift},
};
use serde::Serialize;

use crate::{
    batcher::Share,
    error::ApiError,
    judgement::Judgement,
    metrics::ModelMetrics,
    session::{BlockOutputs, Outputs},
};

/// How much a client wants to know of the thresholds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Detail {
    /// Nothing.
    None,
    /// Mean, least and largest over a block's channels.
    #[default]
    Summary,
    /// Each channel, too.
    Full,
}

/// One input's answer.
#[derive(Debug, Serialize)]
pub struct Prediction<'a> {
    /// Which input it is.
    pub input: InputName,
    /// Label of the most probable class.
    pub label: &'a str,
    /// Its position in the model's list of classes.
    pub class_index: usize,
    /// Its probability.
    pub probability: f32,
    /// The classes, most probable first.
    pub probabilities: Vec<ClassProbability<'a>>,
    /// What the thresholds did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diagnostics: Option<Diagnostics<'a>>,
}

/// Which of a request's inputs it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InputName {
    /// Position in the request, from 0.
    pub index: usize,
    /// Name of the file, where there is one.
    pub name: Option<String>,
}

/// A class and its probability.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ClassProbability<'a> {
    /// Label.
    pub label: &'a str,
    /// Position in the model's list of classes.
    pub class_index: usize,
    /// Probability, in [0, 1].
    pub probability: f32,
}

/// What is known of an input besides its class.
#[derive(Debug, Serialize)]
pub struct Diagnostics<'a> {
    /// How far the input lies from the training data; null for a model without that baseline.
    pub input_shift: Option<InputShift>,
    /// Level of the raw signal; null for images, and for a model without that baseline.
    pub input_level: Option<InputLevel>,
    /// The blocks that shrink, in the order in which data meets them.
    pub blocks: Vec<BlockDiagnostics<'a>>,
}

/// What one block did to an input.
#[derive(Debug, Serialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// Mean.
    pub mean: f32,
    /// Least.
    pub min: f32,
    /// Largest.
    pub max: f32,
}

/// What a block did in one channel.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
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

/// What of a prediction the client asked for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// Classes in the answer; all where there are fewer.
    pub top_k: usize,
    /// How much of the diagnostics.
    pub detail: Detail,
}

impl<'a> Prediction<'a> {
    /// Reads the answer for one input out of a batch's outputs.
    ///
    /// # Errors
    /// [`ApiError::internal`] where a number is not finite: such a number never leaves the server.
    pub fn of(
        input: InputName,
        share: &Share<Outputs>,
        row: usize,
        judgement: Judgement,
        manifest: &'a Manifest,
        wanted: Wanted,
    ) -> Result<Self, ApiError> {
        let row = share.first + row;
        let probabilities = row_of(&share.outputs.probabilities, row, manifest.classes.len());
        check_finite(probabilities)?;
        let mut ranked: Vec<ClassProbability<'a>> = manifest
            .classes
            .iter()
            .zip(probabilities)
            .enumerate()
            .map(|(class_index, (label, &probability))| ClassProbability {
                label,
                class_index,
                probability,
            })
            .collect();
        // Stable: of two equal probabilities the class that is listed first comes first.
        ranked.sort_by(|a, b| b.probability.total_cmp(&a.probability));
        let best = ranked[0];
        ranked.truncate(wanted.top_k);
        Ok(Self {
            input,
            label: best.label,
            class_index: best.class_index,
            probability: best.probability,
            probabilities: ranked,
            diagnostics: Diagnostics::of(
                &share.outputs.blocks,
                row,
                judgement,
                manifest,
                wanted.detail,
            )?,
        })
    }
}

impl<'a> Diagnostics<'a> {
    fn of(
        outputs: &[BlockOutputs],
        row: usize,
        judgement: Judgement,
        manifest: &'a Manifest,
        detail: Detail,
    ) -> Result<Option<Self>, ApiError> {
        if detail == Detail::None {
            return Ok(None);
        }
        let blocks = manifest
            .blocks
            .iter()
            .zip(outputs)
            .map(|(block, outputs)| BlockDiagnostics::of(block, outputs, row, detail))
            .collect::<Result<_, _>>()?;
        let Judgement { shift: input_shift, level: input_level } = judgement;
        Ok(Some(Self { input_shift, input_level, blocks }))
    }
}

impl<'a> BlockDiagnostics<'a> {
    fn of(
        block: &'a Block,
        outputs: &BlockOutputs,
        row: usize,
        detail: Detail,
    ) -> Result<Self, ApiError> {
        let thresholds = row_of(&outputs.threshold, row, block.channels);
        let magnitudes = row_of(&outputs.mean_abs, row, block.channels);
        check_finite(thresholds)?;
        check_finite(magnitudes)?;
        let scales = scales(block.threshold, thresholds, magnitudes);
        let channel = match (detail, &outputs.zeroed) {
            (Detail::Full, Some(zeroed)) => {
                let zeroed = row_of(zeroed, row, block.channels);
                check_finite(zeroed)?;
                let channels = thresholds.iter().zip(&scales).zip(magnitudes).zip(zeroed);
                Some(
                    channels
                        .map(|(((&threshold, &scale), &mean_abs), &zeroed)| Channel {
                            threshold,
                            scale,
                            mean_abs,
                            zeroed,
                        })
                        .collect(),
                )
            }
            (Detail::None | Detail::Summary | Detail::Full, _) => None,
        };
        Ok(Self {
            name: block.name.as_str(),
            channels: block.channels,
            threshold: Spread::of(thresholds.iter().copied()).ok_or_else(ApiError::internal)?,
            scale: Spread::of(scales.into_iter().flatten()),
            channel,
        })
    }
}

/// Counts a prediction, and observes each block's mean threshold for its input.
pub fn observe(
    prediction: &Prediction<'_>,
    share: &Share<Outputs>,
    row: usize,
    metrics: &ModelMetrics,
) {
    if let Some(counter) = metrics.predictions.get(prediction.class_index) {
        counter.inc();
    }
    let rows = share.outputs.probabilities.len() / metrics.predictions.len().max(1);
    for (outputs, histogram) in share.outputs.blocks.iter().zip(&metrics.thresholds) {
        let channels = outputs.threshold.len() / rows.max(1);
        let thresholds = row_of(&outputs.threshold, share.first + row, channels);
        histogram.observe(f64::from(thresholds.iter().sum::<f32>() / channels as f32));
    }
}

/// α of each channel. CW: each channel's τ / A. CS: one τ over the mean of all A, for every channel.
/// (Zhao et al. 2019, sections III-B and III-C.)
fn scales(kind: ThresholdKind, thresholds: &[f32], magnitudes: &[f32]) -> Vec<Option<f32>> {
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

/// One input's numbers in a tensor `[batch, width]`.
pub(crate) fn row_of(tensor: &[f32], row: usize, width: usize) -> &[f32] {
    &tensor[row * width..][..width]
}

fn check_finite(numbers: &[f32]) -> Result<(), ApiError> {
    if numbers.iter().all(|n| n.is_finite()) {
        return Ok(());
    }
    tracing::error!("the model gave a number that is not finite");
    Err(ApiError::internal())
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

    #[test]
    fn a_number_that_is_not_finite_never_leaves_the_server() {
        assert_eq!(check_finite(&[0.0, f32::NAN]), Err(ApiError::internal()));
        assert_eq!(check_finite(&[f32::INFINITY]), Err(ApiError::internal()));
        assert_eq!(check_finite(&[0.5]), Ok(()));
    }
}
