//! What waits in a queue, and what comes back.

use std::{
    ops::Range,
    sync::Arc,
    time::{Duration, Instant},
};

use ndarray::{ArrayD, ArrayViewD, Axis, Slice};
use tokio::sync::oneshot;

use crate::observability::statistics::Tally;

/// Some inputs of one request that a worker answers at once.
#[derive(Debug)]
pub(crate) struct Job<O> {
    /// The request's prepared inputs, `[N, …]`; its jobs share them.
    pub(crate) values: Arc<ArrayD<f32>>,
    /// The rows that are this job's inputs.
    pub(crate) rows: Range<usize>,
    /// Whether the client wants the share of zeroed features, which costs a larger graph.
    pub(crate) zeroed: bool,
    /// When it was queued.
    pub(crate) queued: Instant,
    /// When its answer is worthless.
    pub(crate) deadline: Instant,
    /// Where the answer goes; closed when the client has hung up.
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
    /// From queued to taken.
    pub(crate) queue_time: Duration,
    /// What the batch took.
    pub(crate) inference_time: Duration,
    /// Inputs in the batch.
    pub(crate) batch_size: usize,
}

impl<O> BatchSlice<O> {
    /// Its inputs and durations, for the model's statistics.
    pub(crate) fn tally(&self) -> Tally {
        Tally { inputs: self.rows.len(), queue: self.queue_time, infer: self.inference_time }
    }
}

/// Why a job was not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JobError {
    /// Its deadline passed while it waited.
    DeadlineExceeded,
    /// The runtime failed.
    Failed,
}
