//! A model's counts and durations since it was loaded, for the Open Inference Protocol's
//! statistics.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Counts and durations of one model.
#[derive(Debug, Default)]
pub(crate) struct Statistics {
    /// Inputs that were answered.
    inferences: AtomicU64,
    /// Batches that were run.
    executions: AtomicU64,
    /// Time of the last answer, in milliseconds since 1970.
    last: AtomicU64,
    /// Requests that were answered: the time from decoded to answered.
    pub(crate) success: Total,
    /// Requests that failed.
    pub(crate) fail: Total,
    /// Waiting for a worker.
    pub(crate) queue: Total,
    /// Preparing inputs from tensors.
    pub(crate) compute_input: Total,
    /// Inference in ONNX Runtime.
    pub(crate) compute_infer: Total,
    /// Writing outputs as tensors.
    pub(crate) compute_output: Total,
}

/// The number and the sum of some durations.
#[derive(Debug, Default)]
pub(crate) struct Total {
    count: AtomicU64,
    nanoseconds: AtomicU64,
}

impl Total {
    pub(crate) fn add(&self, duration: Duration) {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.count.fetch_add(1, Ordering::Relaxed);
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    /// The number of durations.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// The sum of the durations.
    pub(crate) fn nanoseconds(&self) -> u64 {
        self.nanoseconds.load(Ordering::Relaxed)
    }
}

/// The inputs of one request, and how long its batches waited and ran.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) inputs: usize,
    pub(crate) queue: Duration,
    pub(crate) infer: Duration,
}

impl Tally {
    /// Adds a batch that ran concurrently: the longer duration counts.
    #[must_use]
    pub(crate) fn beside(self, other: Self) -> Self {
        Self {
            inputs: self.inputs + other.inputs,
            queue: self.queue.max(other.queue),
            infer: self.infer.max(other.infer),
        }
    }

    /// Adds a batch that ran afterwards: durations add up.
    #[must_use]
    pub(crate) fn then(self, other: Self) -> Self {
        Self {
            inputs: self.inputs + other.inputs,
            queue: self.queue + other.queue,
            infer: self.infer + other.infer,
        }
    }
}

impl Statistics {
    /// Counts a batch that was run.
    pub(crate) fn executed(&self) {
        self.executions.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a request of this duration; without a tally it counts as failed.
    pub(crate) fn answered(&self, duration: Duration, tally: Option<Tally>) {
        let Some(Tally { inputs, queue, infer }) = tally else {
            self.fail.add(duration);
            return;
        };
        self.success.add(duration);
        self.queue.add(queue);
        self.compute_infer.add(infer);
        self.inferences.fetch_add(inputs as u64, Ordering::Relaxed);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.last.store(u64::try_from(now.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Inputs that were answered.
    pub(crate) fn inferences(&self) -> u64 {
        self.inferences.load(Ordering::Relaxed)
    }

    /// Batches that were run.
    pub(crate) fn executions(&self) -> u64 {
        self.executions.load(Ordering::Relaxed)
    }

    /// Time of the last answer, in milliseconds since 1970; 0 before the first.
    pub(crate) fn last(&self) -> u64 {
        self.last.load(Ordering::Relaxed)
    }
}
