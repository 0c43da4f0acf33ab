//! The outputs of a model for each input.

use std::sync::atomic::{AtomicBool, Ordering};

use drsn_bundle::{
    Block, Features, InputSpec, Manifest,
    baseline::{InputMeasure, Level, ShiftVectors, bands_of, most_likely},
    onnx::PROBABILITIES,
    runtime::Session,
};

use ndarray::{Array2, ArrayD, Ix2};

use super::error::EvaluationError;
use crate::training::{Batches, InputError};

/// Batch size for the model.
const BATCH: usize = 100;

/// The outputs of a model besides its probabilities.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Names<'a> {
    /// The units that shrink.
    pub(crate) blocks: &'a [Block],
    /// The features before the last layer, if the graph gives them.
    pub(crate) features: Option<&'a Features>,
}

impl<'a> Names<'a> {
    /// Those of a bundle's model.
    pub(crate) fn of(manifest: &'a Manifest) -> Self {
        Self { blocks: &manifest.blocks, features: manifest.features.as_ref() }
    }
}

/// What a model gives for one input.
pub(crate) struct ModelOutput {
    /// Index of the input in its source.
    pub(crate) index: usize,
    /// The most likely class.
    pub(crate) class: usize,
    /// Probability of each class.
    pub(crate) probabilities: Vec<f32>,
    /// Mean magnitudes of all blocks.
    pub(crate) mean_abs: Vec<f32>,
    /// Thresholds of all blocks.
    pub(crate) thresholds: Vec<f32>,
    /// Features before the last layer; empty if the model does not give them.
    pub(crate) features: Vec<f32>,
    /// Statistics of the prepared input, and after them the bands of its spectrum.
    pub(crate) statistics: Vec<f32>,
    /// Number of the bands.
    bands: usize,
    /// Levels of a signal's channels before preparation; empty for an image.
    pub(crate) levels: Vec<Level>,
}

impl ModelOutput {
    /// What the shift of the input is judged by.
    pub(crate) fn vectors(&self) -> ShiftVectors<'_> {
        let Self { mean_abs, features, statistics, bands, .. } = self;
        let (input, spectrum) = statistics.split_at(statistics.len() - bands);
        ShiftVectors { mean_abs, features, input, spectrum }
    }
}

/// Runs the model on all inputs and calls `handle` for each; returns false if `stop` was set.
pub(crate) fn for_each_output(
    session: &mut Session,
    names: Names<'_>,
    batches: &Batches<'_>,
    stop: &AtomicBool,
    mut handle: impl FnMut(ModelOutput) -> Result<(), EvaluationError>,
) -> Result<bool, EvaluationError> {
    let mut measure = InputMeasure::new(batches.input, true);
    let bands = bands_of(batches.input);
    for indices in batches.part.indices.chunks(BATCH) {
        if stop.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let (inputs, levels) = read(batches, indices)?;
        let mut outputs = session.run(inputs.view())?;
        let probabilities = outputs.take(PROBABILITIES)?;
        let features = names.features.map(|features| outputs.take(&features.output)).transpose()?;
        let mut of_blocks = |name: fn(&Block) -> &str| -> Result<Vec<_>, _> {
            names.blocks.iter().map(|block| outputs.take(name(block))).collect()
        };
        let magnitudes = of_blocks(|block| &block.mean_abs_output)?;
        let thresholds = of_blocks(|block| &block.threshold_output)?;
        let row_of = |blocks: &[Array2<f32>], row: usize| -> Vec<f32> {
            blocks.iter().flat_map(|block| block.row(row)).copied().collect()
        };
        let inputs = inputs.outer_iter().zip(levels);
        for (row, (&index, (input, levels))) in indices.iter().zip(inputs).enumerate() {
            let mut statistics = Vec::with_capacity(measure.width());
            measure.append(input.to_slice().unwrap_or_default(), &mut statistics);
            let features = features.as_ref().map(|features| features.row(row).to_vec());
            handle(ModelOutput {
                index,
                probabilities: probabilities.row(row).to_vec(),
                class: most_likely(probabilities.row(row)),
                features: features.unwrap_or_default(),
                statistics,
                bands,
                mean_abs: row_of(&magnitudes, row),
                thresholds: row_of(&thresholds, row),
                levels,
            })?;
        }
    }
    Ok(true)
}

/// Reads and prepares inputs; returns them with the levels of each before preparation.
fn read(
    batches: &Batches<'_>,
    indices: &[usize],
) -> Result<(ArrayD<f32>, Vec<Vec<Level>>), InputError> {
    let mut inputs = batches.buffer(indices.len());
    let mut levels = Vec::with_capacity(indices.len());
    for (&index, mut input) in indices.iter().zip(inputs.outer_iter_mut()) {
        batches.raw(index, 0, input.view_mut())?;
        levels.push(match batches.input {
            InputSpec::Image(_) => Vec::new(),
            InputSpec::Signal(_) => match input.view().into_dimensionality::<Ix2>() {
                Ok(channels) => Level::of_channels(&channels),
                Err(_) => Vec::new(),
            },
        });
        batches.prepare(index, input)?;
    }
    Ok((inputs, levels))
}
