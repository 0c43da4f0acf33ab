//! Keeps inputs that alarm, that are uncertain, or a share of all of them, with their answers, in a
//! folder of bounded size.
//!
//! A request only decides ([`ModelCapture::reasons`]) and hands over what is kept
//! ([`ModelCapture::keep`]): a thread of its own writes, so that a disk that is slow, full or gone
//! costs inputs that are not kept, and never an answer.
//!
//! ```text
//! request ─► rules ─► queue ─► thread ─► ring ─► segment: DIR/MODEL/VERSION/TIME/000001-shift.wav
//! ```

mod folder;
mod formats;
mod queue;
mod recent;
mod ring;
mod rules;
mod segment;

use std::{
    io,
    sync::Arc,
    time::{Duration, SystemTime},
};

use drsn_bundle::InputSpec;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::metrics::{CaptureMetrics, Metrics, ModelLabels};
use crate::config::CaptureFlags;

use folder::Folder;
pub(crate) use folder::FolderError;
use queue::Queue;
use ring::Ring;
pub(crate) use rules::Reasons;
use rules::Rules;

/// The inputs of all models that are kept.
#[derive(Debug)]
pub(crate) struct Capture {
    flags: CaptureFlags,
    queue: Arc<Queue>,
}

/// The inputs of one model that are kept.
#[derive(Debug)]
pub(crate) struct ModelCapture {
    labels: Arc<ModelLabels>,
    input: Arc<InputSpec>,
    metrics: CaptureMetrics,
    rules: Rules,
    queue: Arc<Queue>,
}

/// An input that is kept, and its answer.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) reasons: Reasons,
    /// The request's id in the log.
    pub(crate) request: Option<Uuid>,
    /// First sample, if the input is a window of a longer signal.
    pub(crate) start: Option<usize>,
    /// Label of the most probable class.
    pub(crate) predicted: String,
    pub(crate) probability: f32,
    /// The prediction, as JSON.
    pub(crate) prediction: Box<RawValue>,
    /// The input before it was prepared, in the model's shape.
    pub(crate) values: Vec<f32>,
}

/// What is kept, with what is known of its model.
#[derive(Debug)]
struct Item {
    kept: Kept,
    time: SystemTime,
    labels: Arc<ModelLabels>,
    input: Arc<InputSpec>,
    metrics: CaptureMetrics,
}

impl Item {
    /// Its size in memory, in bytes.
    fn bytes(&self) -> usize {
        let Kept { values, prediction, predicted, .. } = &self.kept;
        size_of::<Self>()
            + values.len() * size_of::<f32>()
            + prediction.get().len()
            + predicted.len()
    }
}

impl Capture {
    /// Checks the folder and locks it, if one is configured.
    ///
    /// # Errors
    /// [`FolderError`] if it cannot be used.
    pub(crate) fn open(flags: &CaptureFlags) -> Result<Option<Self>, FolderError> {
        let Some(path) = &flags.folder else { return Ok(None) };
        let folder = Folder::open(path)?;
        let ring = Ring::new(folder, flags.capture_bytes.get());
        let thread = |source: io::Error| FolderError::Thread { path: path.clone(), source };
        let queue = Queue::start(ring).map_err(thread)?;
        Ok(Some(Self { flags: flags.clone(), queue }))
    }

    /// Those of a model.
    pub(crate) fn of_model(
        &self,
        labels: &ModelLabels,
        input: &InputSpec,
        metrics: &Metrics,
    ) -> ModelCapture {
        ModelCapture {
            labels: Arc::new(labels.clone()),
            input: Arc::new(input.clone()),
            metrics: metrics.captures(labels),
            rules: Rules::new(&self.flags),
            queue: Arc::clone(&self.queue),
        }
    }

    /// Waits until everything is written, but no longer than `limit`. It blocks.
    pub(crate) fn finish(&self, limit: Duration) {
        let unwritten = self.queue.finish(limit);
        if unwritten > 0 {
            tracing::warn!(inputs = unwritten, "the server ends before all captures are written");
        }
    }
}

impl ModelCapture {
    /// Why an input is to be kept; `None` if it is not. Call this once for each input: it counts.
    pub(crate) fn reasons(&self, shift: bool, level: bool, probability: f32) -> Option<Reasons> {
        let reasons = self.rules.reasons(shift, level, probability)?;
        if !self.rules.admit(reasons) {
            self.metrics.limited.inc();
            return None;
        }
        Some(reasons)
    }

    /// Hands an input over to be written.
    pub(crate) fn keep(&self, kept: Kept) {
        self.queue.add(Item {
            kept,
            time: SystemTime::now(),
            labels: Arc::clone(&self.labels),
            input: Arc::clone(&self.input),
            metrics: self.metrics.clone(),
        });
    }
}

#[cfg(test)]
mod tests;
