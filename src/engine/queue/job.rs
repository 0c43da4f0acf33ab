//! The jobs of a queue, and their answers.

use std::{
    ops::Range,
    sync::Arc,
    time::{Duration, Instant},
};

use ndarray::{ArrayD, ArrayViewD, Axis, Slice};
use tokio::sync::oneshot;

use crate::observability::statistics::Tally;

/// Some inputs of one request that are computed in one batch.
#[derive(Debug)]
pub(crate) struct Job<O> {
    /// The request's prepared inputs, `[N, …]`; its jobs share them.
    pub(crate) values: Arc<ArrayD<f32>>,
    /// The rows of this job's inputs.
    pub(crate) rows: Range<usize>,
    /// Whether the client wants all diagnostics, which need a larger graph.
    pub(crate) detailed: bool,
    /// When the job was queued.
    pub(crate) queued: Instant,
    /// When nobody needs the answer any more.
    pub(crate) deadline: Instant,
    /// The channel for the answer; closed once the client has hung up.
    pub(crate) reply: oneshot::Sender<Result<BatchSlice<O>, JobError>>,
}

impl<O> Job<O> {
    /// Number of inputs.
    pub(crate) fn count(&self) -> usize {
        self.rows.len()
    }

    /// The prepared inputs, `[count, …]`.
    pub(crate) fn inputs(&self) -> ArrayViewD<'_, f32> {
        self.values.slice_axis(Axis(0), Slice::from(self.rows.clone()))
    }
}

/// One job's part of a batch's outputs.
#[derive(Debug)]
pub(crate) struct BatchSlice<O> {
    /// Outputs of the whole batch.
    pub(crate) outputs: Arc<O>,
    /// The job's rows in them.
    pub(crate) rows: Range<usize>,
    /// How long the job waited.
    pub(crate) queue_time: Duration,
    /// Inference time of the batch.
    pub(crate) inference_time: Duration,
    /// Inputs in the batch.
    pub(crate) batch_size: usize,
}

impl<O> BatchSlice<O> {
    /// The number of its inputs and its durations, for the model's statistics.
    pub(crate) fn tally(&self) -> Tally {
        Tally { inputs: self.rows.len(), queue: self.queue_time, infer: self.inference_time }
    }
}

/// Why a job was not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JobError {
    /// The deadline passed while it waited.
    DeadlineExceeded,
    /// The runtime failed.
    Failed,
}
