//! A model's outputs to predictions: class probabilities, and what each block's thresholds did to the input.

mod blocks;

use drsn_bundle::{
    Manifest,
    baseline::{InputLevel, InputShift, WindowsShift},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    batcher::Share,
    error::ApiError,
    judgement::Judgement,
    metrics::ModelMetrics,
    schema,
    session::{BlockOutputs, Outputs},
};

pub(crate) use blocks::scales;
pub use blocks::{BlockDiagnostics, Channel, Magnitudes, Spread};

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
#[derive(Debug, Serialize, ToSchema)]
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
    /// The windows that a longer recording was cut into; empty where the input was one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<WindowPrediction<'a>>,
    /// What the thresholds did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diagnostics: Option<Diagnostics<'a>>,
}

/// One window of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct WindowPrediction<'a> {
    /// Its first sample, at the model's sample rate.
    pub start: usize,
    /// One past its last sample.
    pub end: usize,
    /// Label of its most probable class.
    pub label: &'a str,
    /// That class's position in the model's list.
    pub class_index: usize,
    /// That class's probability.
    pub probability: f32,
    /// How far it lies from the training data: null for a model without that baseline, missing where the client wants no
    /// diagnostics.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::input_shift)]
    pub input_shift: Option<Option<InputShift>>,
}

/// Which of a request's inputs it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct InputName {
    /// Position in the request, from 0.
    pub index: usize,
    /// Name of the file, where there is one.
    #[schema(required)]
    pub name: Option<String>,
}

/// A class and its probability.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct ClassProbability<'a> {
    /// Label.
    pub label: &'a str,
    /// Position in the model's list of classes.
    pub class_index: usize,
    /// Probability, in [0, 1].
    pub probability: f32,
}

/// What is known of an input besides its class.
#[derive(Debug, Serialize, ToSchema)]
pub struct Diagnostics<'a> {
    /// How far the input lies from the training data; null for a model without that baseline.
    #[schema(required, schema_with = schema::shift)]
    pub input_shift: Option<Shift>,
    /// Level of the raw signal; null for images, and for a model without that baseline.
    #[schema(required, schema_with = schema::input_level)]
    pub input_level: Option<InputLevel>,
    /// The blocks that shrink, in the order in which data meets them.
    pub blocks: Vec<BlockDiagnostics<'a>>,
}

/// How far an input lies from the training data.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Shift {
    /// Of an input that is one window, or an image.
    Input(InputShift),
    /// Of a recording of several windows.
    Windows(WindowsShift),
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
        let mut ranked = ranked(probabilities, manifest);
        let best = ranked[0];
        ranked.truncate(wanted.top_k);
        Ok(Self {
            input,
            label: best.label,
            class_index: best.class_index,
            probability: best.probability,
            probabilities: ranked,
            windows: Vec::new(),
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
        // Their number is known, which a collection of results is not told.
        let mut blocks = Vec::with_capacity(manifest.blocks.len());
        for (block, outputs) in manifest.blocks.iter().zip(outputs) {
            let of = |tensor| row_of(tensor, row, block.channels);
            let zeroed = outputs.zeroed.as_deref().filter(|_| detail == Detail::Full).map(of);
            let found = Magnitudes::of(of(&outputs.threshold), of(&outputs.mean_abs), zeroed)?;
            let scales = scales(block.threshold, found);
            blocks.push(BlockDiagnostics::new(block, found, scales, detail)?);
        }
        let Judgement { shift, level: input_level } = judgement;
        let input_shift = shift.map(Shift::Input);
        Ok(Some(Self { input_shift, input_level, blocks }))
    }
}

/// The classes, most probable first.
pub(crate) fn ranked<'a>(
    probabilities: &[f32],
    manifest: &'a Manifest,
) -> Vec<ClassProbability<'a>> {
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
    ranked
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

/// One input's numbers in a tensor `[batch, width]`.
pub(crate) fn row_of(tensor: &[f32], row: usize, width: usize) -> &[f32] {
    &tensor[row * width..][..width]
}

pub(crate) fn check_finite(numbers: &[f32]) -> Result<(), ApiError> {
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
    fn a_number_that_is_not_finite_never_leaves_the_server() {
        assert_eq!(check_finite(&[0.0, f32::NAN]), Err(ApiError::internal()));
        assert_eq!(check_finite(&[f32::INFINITY]), Err(ApiError::internal()));
        assert_eq!(check_finite(&[0.5]), Ok(()));
    }
}
