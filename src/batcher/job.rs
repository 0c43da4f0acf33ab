//! What waits in a queue, and what comes back.

use std::{
    ops::Range,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

/// Some inputs of one request that a worker answers at once.
#[derive(Debug)]
pub struct Job<O> {
    /// The request's prepared inputs, one after the other; its jobs share them.
    pub values: Arc<Vec<f32>>,
    /// Where this job's inputs are among them.
    pub range: Range<usize>,
    /// Number of inputs.
    pub count: usize,
    /// Whether the client wants the share of zeroed features, which costs a larger graph.
    pub zeroed: bool,
    /// When it was queued.
    pub queued: Instant,
    /// When its answer is worthless.
    pub deadline: Instant,
    /// Where the answer goes; closed when the client has hung up.
    pub reply: oneshot::Sender<Result<Share<O>, JobError>>,
}

impl<O> Job<O> {
    /// The prepared inputs.
    pub fn inputs(&self) -> &[f32] {
        &self.values[self.range.clone()]
    }
}

/// One job's part of a batch's outputs.
#[derive(Debug)]
pub struct Share<O> {
    /// Outputs of the whole batch.
    pub outputs: Arc<O>,
    /// The job's first row in them.
    pub first: usize,
    /// The job's rows.
    pub count: usize,
    /// From queued to taken.
    pub queue_time: Duration,
    /// What the batch took.
    pub inference_time: Duration,
    /// Inputs in the batch.
    pub batch_size: usize,
}

/// Why a job was not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobError {
    /// Its deadline passed while it waited.
    DeadlineExceeded,
    /// The runtime failed.
    Failed,
}
