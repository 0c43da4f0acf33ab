//! The answer that every protocol tells.

use std::{sync::Arc, time::Duration};

use drsn_bundle::baseline::Level;
use serde::Serialize;
use utoipa::ToSchema;

use super::summary::Summary;
use crate::{
    batcher::Share,
    diagnostics::{InputName, Prediction, Wanted, observe},
    error::ApiError,
    judgement::Judgement,
    model::{Model, micros},
    session::Outputs,
};

/// Most inputs whose answer is written between other requests.
const INLINE_INPUTS: usize = 256;
/// About what the answer to an input has as text: in any case, for each class, and for each block.
const TEXT_OF_AN_INPUT: usize = 512;
const TEXT_OF_A_CLASS: usize = 96;
const TEXT_OF_A_BLOCK: usize = 192;
/// Memory of a window's line in an answer: as it is built and as text.
const BYTES_OF_A_WINDOW: u64 = 400;

/// An answer; it serializes to the contract's JSON.
#[derive(Debug, Serialize, ToSchema)]
pub struct Answer<'a> {
    /// The model that answered.
    pub model: ModelName<'a>,
    /// One for each input, in their order.
    pub predictions: Vec<Prediction<'a>>,
    /// Where the time went.
    pub timing: Timing,
}

/// Name and version of a model.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct ModelName<'a> {
    /// Name.
    pub name: &'a str,
    /// Version.
    pub version: &'a str,
}

/// Where the time of a request went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Timing {
    /// Bytes to prepared inputs.
    pub decode_us: u64,
    /// The longest wait of the request's inputs.
    pub queue_us: u64,
    /// The longest of the batches that its inputs were in.
    pub inference_us: u64,
    /// The largest of those batches.
    pub batch_size: usize,
}

impl Timing {
    /// Takes a batch into account.
    pub(super) fn add(&mut self, share: &Share<Outputs>) {
        self.queue_us = self.queue_us.max(micros(share.queue_time));
        self.inference_us = self.inference_us.max(micros(share.inference_time));
        self.batch_size = self.batch_size.max(share.batch_size);
    }
}

/// What a model said to a request's inputs.
#[derive(Debug)]
pub struct Outcome {
    /// The model.
    pub model: Arc<Model>,
    wanted: Wanted,
    decode_time: Duration,
    found: Found,
}

/// A model's outputs, not yet read.
#[derive(Debug)]
pub(super) enum Found {
    /// Of inputs that are one window each.
    Inputs { shares: Vec<Share<Outputs>>, levels: Vec<Level>, names: Vec<Option<String>> },
    /// Of inputs of which some are several windows.
    Windows { summaries: Vec<Summary>, timing: Timing },
}

impl Outcome {
    pub(super) fn new(
        model: Arc<Model>,
        wanted: Wanted,
        decode_time: Duration,
        found: Found,
    ) -> Self {
        Self { model, wanted, decode_time, found }
    }

    /// Whether writing the answer takes long enough to be done aside.
    pub fn is_long(&self) -> bool {
        match &self.found {
            Found::Inputs { shares, .. } => inputs(shares) > INLINE_INPUTS,
            Found::Windows { .. } => true,
        }
    }

    /// About the bytes that the answer has as text, so that writing it seldom moves what is written.
    pub fn expected_text(&self) -> usize {
        let inputs = match &self.found {
            Found::Inputs { shares, .. } => inputs(shares),
            Found::Windows { summaries, .. } => summaries.len(),
        };
        let manifest = self.model.manifest();
        let classes = manifest.classes.len().min(self.wanted.top_k) * TEXT_OF_A_CLASS;
        inputs * (TEXT_OF_AN_INPUT + classes + manifest.blocks.len() * TEXT_OF_A_BLOCK)
    }

    /// Memory that the answer takes while it is built, beyond that of an answer without windows.
    pub fn bytes_of_windows(&self) -> u64 {
        match &self.found {
            Found::Inputs { .. } => 0,
            Found::Windows { summaries, .. } => {
                let windows: usize = summaries.iter().map(Summary::count).sum();
                windows as u64 * BYTES_OF_A_WINDOW
            }
        }
    }

    /// Reads the answer out of the outputs, and counts it in the metrics: call it once.
    ///
    /// # Errors
    /// [`ApiError::internal`] where the model gave a number that is not finite.
    pub fn answer(&self) -> Result<Answer<'_>, ApiError> {
        let labels = &self.model.labels;
        let (predictions, timing) = match &self.found {
            Found::Inputs { shares, levels, names } => self.of_inputs(shares, levels, names)?,
            Found::Windows { summaries, timing } => {
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

    fn of_inputs(
        &self,
        shares: &[Share<Outputs>],
        levels: &[Level],
        names: &[Option<String>],
    ) -> Result<(Vec<Prediction<'_>>, Timing), ApiError> {
        let mut predictions = Vec::new();
        let mut timing = Timing::default();
        let manifest = self.model.manifest();
        let channels = manifest.input.channels();
        for share in shares {
            timing.add(share);
            for row in 0..share.count {
                let index = predictions.len();
                let input = InputName { index, name: names.get(index).cloned().flatten() };
                let channels = index * channels..(index + 1) * channels;
                let levels = levels.get(channels).unwrap_or_default();
                let judgement = Judgement::of(share, row, manifest, levels)?;
                let prediction =
                    Prediction::of(input, share, row, judgement, manifest, self.wanted)?;
                observe(&prediction, share, row, &self.model.metrics);
                judgement.observe(&self.model.metrics.baseline);
                predictions.push(prediction);
            }
        }
        Ok((predictions, timing))
    }
}

fn inputs(shares: &[Share<Outputs>]) -> usize {
    shares.iter().map(|share| share.count).sum()
}
