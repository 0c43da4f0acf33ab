//! The answer that every protocol tells.

use std::{sync::Arc, time::Duration};

use drsn_bundle::baseline::Level;
use ndarray::Array2;
use serde::Serialize;
use utoipa::ToSchema;

use super::summary::Summary;
use crate::{
    engine::{
        model::{Model, micros},
        queue::BatchSlice,
        session::Outputs,
    },
    error::ApiError,
    inference::diagnostics::{Prediction, Wanted, reader::read},
};

/// Answers to more inputs than this are written off the threads that serve connections.
pub(crate) const INLINE_INPUTS: usize = 256;
/// About what the answer to an input has as text: in any case, for each class, and for each block.
const TEXT_OF_AN_INPUT: usize = 512;
const TEXT_OF_A_CLASS: usize = 96;
const TEXT_OF_A_BLOCK: usize = 192;
/// Memory of a window's line in an answer: as it is built and as text.
const BYTES_OF_A_WINDOW: u64 = 400;

/// An answer; it serializes to the contract's JSON.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Answer<'a> {
    /// The model that answered.
    pub(crate) model: ModelName<'a>,
    /// One for each input, in their order.
    pub(crate) predictions: Vec<Prediction<'a>>,
    /// Where the time went.
    pub(crate) timing: Timing,
}

/// Name and version of a model.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(crate) struct ModelName<'a> {
    /// Name.
    pub(crate) name: &'a str,
    /// Version.
    pub(crate) version: &'a str,
}

/// Where the time of a request went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Timing {
    /// Bytes to prepared inputs.
    pub(crate) decode_us: u64,
    /// The longest wait of the request's inputs.
    pub(crate) queue_us: u64,
    /// The longest of the batches that its inputs were in.
    pub(crate) inference_us: u64,
    /// The largest of those batches.
    pub(crate) batch_size: usize,
}

impl Timing {
    /// Takes a batch into account.
    pub(super) fn add(&mut self, slice: &BatchSlice<Outputs>) {
        self.queue_us = self.queue_us.max(micros(slice.queue_time));
        self.inference_us = self.inference_us.max(micros(slice.inference_time));
        self.batch_size = self.batch_size.max(slice.batch_size);
    }
}

/// What a model said to a request's inputs.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The model.
    pub(crate) model: Arc<Model>,
    wanted: Wanted,
    decode_time: Duration,
    raw: RawOutputs,
}

/// A model's outputs, not yet read.
#[derive(Debug)]
pub(super) enum RawOutputs {
    /// Of inputs that are one window each.
    Inputs { slices: Vec<BatchSlice<Outputs>>, levels: Array2<Level>, names: Vec<Option<String>> },
    /// Of inputs of which some are several windows.
    Windows { summaries: Vec<Summary>, timing: Timing },
}

impl Outcome {
    pub(super) fn new(
        model: Arc<Model>,
        wanted: Wanted,
        decode_time: Duration,
        raw: RawOutputs,
    ) -> Self {
        Self { model, wanted, decode_time, raw }
    }

    /// Whether writing the answer takes long enough to be done aside.
    pub(crate) fn is_long(&self) -> bool {
        match &self.raw {
            RawOutputs::Inputs { slices, .. } => inputs(slices) > INLINE_INPUTS,
            RawOutputs::Windows { .. } => true,
        }
    }

    /// About the bytes that the answer has as text, so that writing it seldom moves what is written.
    pub(crate) fn expected_text(&self) -> usize {
        let inputs = match &self.raw {
            RawOutputs::Inputs { slices, .. } => inputs(slices),
            RawOutputs::Windows { summaries, .. } => summaries.len(),
        };
        let manifest = self.model.manifest();
        let classes = manifest.classes.len().min(self.wanted.top_k) * TEXT_OF_A_CLASS;
        inputs * (TEXT_OF_AN_INPUT + classes + manifest.blocks.len() * TEXT_OF_A_BLOCK)
    }

    /// Memory that the answer takes while it is built, beyond that of an answer without windows.
    pub(crate) fn bytes_of_windows(&self) -> u64 {
        match &self.raw {
            RawOutputs::Inputs { .. } => 0,
            RawOutputs::Windows { summaries, .. } => {
                let windows: usize = summaries.iter().map(Summary::count).sum();
                windows as u64 * BYTES_OF_A_WINDOW
            }
        }
    }

    /// Reads the answer out of the outputs, and counts it in the metrics: call it once.
    ///
    /// # Errors
    /// [`ApiError::internal`] where the model gave a number that is not finite.
    pub(crate) fn answer(&self) -> Result<Answer<'_>, ApiError> {
        let labels = &self.model.labels;
        let (predictions, timing) = match &self.raw {
            RawOutputs::Inputs { slices, levels, names } => {
                self.of_inputs(slices, levels, names)?
            }
            RawOutputs::Windows { summaries, timing } => {
                let predictions = summaries.iter().enumerate().map(|(index, summary)| {
                    let prediction =
                        summary.prediction(index, self.model.manifest(), self.wanted)?;
                    summary.observe(&prediction, &self.model.metrics);
                    Ok(prediction)
                });
                (predictions.collect::<Result<_, ApiError>>()?, *timing)
            }
        };
        Ok(Answer {
            model: ModelName { name: &labels.model, version: &labels.version },
            predictions,
            timing: Timing { decode_us: micros(self.decode_time), ..timing },
        })
    }

    fn of_inputs<'a>(
        &'a self,
        slices: &'a [BatchSlice<Outputs>],
        levels: &'a Array2<Level>,
        names: &[Option<String>],
    ) -> Result<(Vec<Prediction<'a>>, Timing), ApiError> {
        let mut timing = Timing::default();
        slices.iter().for_each(|slice| timing.add(slice));
        let mut predictions = Vec::with_capacity(inputs(slices));
        for reading in read(&self.model, slices, levels.view()) {
            let name = names.get(predictions.len()).cloned().flatten();
            predictions.push(reading?.prediction(name, self.wanted)?);
        }
        Ok((predictions, timing))
    }
}

fn inputs(slices: &[BatchSlice<Outputs>]) -> usize {
    slices.iter().map(|slice| slice.rows.len()).sum()
}
