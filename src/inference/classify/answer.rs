//! The answer to a request, which every protocol writes in its own form.

use std::{sync::Arc, time::Duration};

use serde::Serialize;
use utoipa::ToSchema;

use super::summary::Summary;
use crate::{
    engine::{
        class_map::MapShape,
        inputs::BeforePreparation,
        model::{Model, micros},
        queue::BatchSlice,
        session::Outputs,
    },
    error::ApiError,
    inference::{
        diagnostics::{Detail, Prediction, Wanted, reader::read},
        origin::Origin,
    },
};

/// Answers to more inputs than this are written off the threads that serve connections.
pub(crate) const INLINE_INPUTS: usize = 256;
/// Approximate length of the text for an input, for each of its classes and for each block, in
/// bytes.
const TEXT_PER_INPUT: usize = 512;
const TEXT_PER_CLASS: usize = 96;
const TEXT_PER_BLOCK: usize = 192;
/// The same for each channel and each value of a map in a full answer.
const TEXT_PER_CHANNEL: usize = 112;
const TEXT_PER_VALUE: usize = 12;
/// Most values of a map.
const MOST_VALUES: usize = 4096;
/// Memory of a window's entry in an answer, as a value and as text.
const BYTES_PER_WINDOW: u64 = 400;

/// An answer; serializes to the API's JSON.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Answer<'a> {
    /// The model that answered.
    pub(crate) model: ModelName<'a>,
    /// One prediction for each input, in the order of the request.
    pub(crate) predictions: Vec<Prediction<'a>>,
    /// How long the stages of the request took.
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

/// How long the stages of a request took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Timing {
    /// From the body to prepared inputs, in microseconds.
    pub(crate) decode_us: u64,
    /// Longest wait of the request's inputs in the queue, in microseconds.
    pub(crate) queue_us: u64,
    /// Longest inference time of the batches with its inputs, in microseconds.
    pub(crate) inference_us: u64,
    /// Number of inputs in the largest of those batches.
    pub(crate) batch_size: usize,
}

impl Timing {
    /// Includes a batch.
    pub(super) fn add(&mut self, slice: &BatchSlice<Outputs>) {
        self.queue_us = self.queue_us.max(micros(slice.queue_time));
        self.inference_us = self.inference_us.max(micros(slice.inference_time));
        self.batch_size = self.batch_size.max(slice.batch_size);
    }
}

/// A model's outputs for a request, and what is needed to write the answer.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) model: Arc<Model>,
    wanted: Wanted,
    decode_time: Duration,
    raw: RawOutputs,
}

/// A model's outputs that have not been read yet.
#[derive(Debug)]
pub(super) enum RawOutputs {
    /// Each input is one window.
    Inputs { slices: Vec<BatchSlice<Outputs>>, before: BeforePreparation, origins: Vec<Origin> },
    /// Some inputs are several windows.
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

    /// Whether writing the answer takes so long that it belongs off the threads that serve
    /// connections.
    pub(crate) fn is_long(&self) -> bool {
        match &self.raw {
            RawOutputs::Inputs { slices, .. } => count_inputs(slices) > INLINE_INPUTS,
            RawOutputs::Windows { .. } => true,
        }
    }

    /// Approximate length of the answer as text, in bytes, to reserve a buffer that seldom has to
    /// grow.
    pub(crate) fn expected_text(&self) -> usize {
        let inputs = match &self.raw {
            RawOutputs::Inputs { slices, .. } => count_inputs(slices),
            RawOutputs::Windows { summaries, .. } => summaries.len(),
        };
        let manifest = self.model.manifest();
        let classes = manifest.classes.len().min(self.wanted.top_k) * TEXT_PER_CLASS;
        let blocks = manifest.blocks.len() * TEXT_PER_BLOCK;
        inputs * (TEXT_PER_INPUT + classes + blocks + self.text_of_details())
    }

    /// Approximate length of the text of full diagnostics beyond the summary, for an input, in
    /// bytes.
    fn text_of_details(&self) -> usize {
        if self.wanted.detail != Detail::Full {
            return 0;
        }
        let channels: usize = self.model.manifest().blocks.iter().map(|block| block.channels).sum();
        let values = self.model.map.map_or(0, MapShape::positions).min(MOST_VALUES);
        channels * TEXT_PER_CHANNEL + values * TEXT_PER_VALUE
    }

    /// Memory of what an answer may have beyond the size of its inputs, as values and as text, in
    /// bytes: windows, names of channels and notices of each input, and full diagnostics.
    pub(crate) fn bytes_of_answer(&self) -> u64 {
        let (origins, inputs, windows) = match &self.raw {
            RawOutputs::Inputs { slices, origins, .. } => {
                (origins.iter().map(Origin::bytes_in_answer).sum(), count_inputs(slices), 0)
            }
            RawOutputs::Windows { summaries, .. } => {
                let origins: usize = summaries.iter().map(Summary::bytes_of_origin).sum();
                (origins, summaries.len(), summaries.iter().map(Summary::count).sum())
            }
        };
        // The values take less than their text.
        let in_bytes: usize = origins + 2 * inputs * self.text_of_details();
        in_bytes as u64 + windows as u64 * BYTES_PER_WINDOW
    }

    /// Reads the answer from the outputs, and counts it in the metrics: call this once.
    ///
    /// # Errors
    /// [`ApiError::internal`] if the model returned a non-finite number.
    pub(crate) fn answer(&self) -> Result<Answer<'_>, ApiError> {
        let labels = &self.model.labels;
        let (predictions, timing) = match &self.raw {
            RawOutputs::Inputs { slices, before, origins } => {
                self.of_inputs(slices, before, origins)?
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
        before: &'a BeforePreparation,
        origins: &[Origin],
    ) -> Result<(Vec<Prediction<'a>>, Timing), ApiError> {
        let mut timing = Timing::default();
        for slice in slices {
            timing.add(slice);
        }
        let mut predictions = Vec::with_capacity(count_inputs(slices));
        for reading in read(&self.model, slices, before) {
            let origin = origins.get(predictions.len()).cloned().unwrap_or_default();
            predictions.push(reading?.prediction(origin, self.wanted)?);
        }
        Ok((predictions, timing))
    }
}

fn count_inputs(slices: &[BatchSlice<Outputs>]) -> usize {
    slices.iter().map(|slice| slice.rows.len()).sum()
}
