//! A model's counts and durations since it was loaded, as the Open Inference Protocol's statistics have them.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::batcher::Share;

/// Counts and durations of one model.
#[derive(Debug, Default)]
pub struct Statistics {
    /// Inputs that were answered.
    inferences: AtomicU64,
    /// Batches that were run.
    executions: AtomicU64,
    /// Milliseconds since 1970 of the last answer.
    last: AtomicU64,
    /// Requests that were answered, from decoded to answered.
    pub success: Total,
    /// Requests that were not.
    pub fail: Total,
    /// Waiting for a worker.
    pub queue: Total,
    /// Tensors to prepared inputs.
    pub compute_input: Total,
    /// The runtime's work.
    pub compute_infer: Total,
    /// Outputs to tensors.
    pub compute_output: Total,
}

/// A number of durations and their sum.
#[derive(Debug, Default)]
pub struct Total {
    count: AtomicU64,
    nanoseconds: AtomicU64,
}

impl Total {
    /// Adds one.
    pub fn add(&self, duration: Duration) {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.count.fetch_add(1, Ordering::Relaxed);
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Their sum.
    pub fn nanoseconds(&self) -> u64 {
        self.nanoseconds.load(Ordering::Relaxed)
    }
}

/// What the batches of one request took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    inputs: usize,
    queue: Duration,
    infer: Duration,
}

impl Tally {
    /// Of shares that were computed beside one another: the longest counts.
    pub fn of<O>(shares: &[Share<O>]) -> Self {
        let longest = |of: fn(&Share<O>) -> Duration| shares.iter().map(of).max();
        Self {
            inputs: shares.iter().map(|share| share.count).sum(),
            queue: longest(|share| share.queue_time).unwrap_or_default(),
            infer: longest(|share| share.inference_time).unwrap_or_default(),
        }
    }

    /// Adds a share that was computed after the others.
    pub fn add<O>(&mut self, share: &Share<O>) {
        self.inputs += share.count;
        self.queue += share.queue_time;
        self.infer += share.inference_time;
    }
}

impl Statistics {
    /// Notes a batch that was run.
    pub fn executed(&self) {
        self.executions.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes a request that took this long and was answered, or was not.
    pub fn answered(&self, duration: Duration, tally: Option<Tally>) {
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
    pub fn inferences(&self) -> u64 {
        self.inferences.load(Ordering::Relaxed)
    }

    /// Batches that were run.
    pub fn executions(&self) -> u64 {
        self.executions.load(Ordering::Relaxed)
    }

    /// Milliseconds since 1970 of the last answer; 0 before the first.
    pub fn last(&self) -> u64 {
        self.last.load(Ordering::Relaxed)
    }
}
