//! The queue in front of a model's workers. It does not depend on what they compute.
//!
//! A free worker takes its share of the waiting jobs, up to the largest batch. There is no timer by
//! default: batches fill up while all workers are busy, and a lone request never waits. Workers are
//! tasks of the async runtime that also serves connections: before each batch they yield, so that
//! connections with data to read go first.

mod arrivals;
mod batch;
mod job;
mod line;

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use arrivals::Arrivals;
pub(super) use batch::Batch;
pub(crate) use job::BatchSlice;
pub(super) use job::{Job, JobError};
use line::{Line, Waiting};
use tokio::sync::Notify;

/// Why the queue rejects jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PushError {
    /// The queue has its maximum number of requests.
    Full,
    /// The queue accepts no more jobs.
    Closed,
}

/// Limits of a queue.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Maximum number of waiting requests.
    pub(super) requests: usize,
    /// Maximum number of inputs in a batch, and in a job.
    pub(super) batch: usize,
    /// How long a batch waits to become full, counted from its first job; zero for no wait.
    pub(super) wait: Duration,
    /// Number of workers that share the waiting jobs.
    pub(super) workers: usize,
}

/// A bounded queue of requests, which take turns: a request with one input does not wait for all of
/// a request with thousands.
#[derive(Debug)]
pub(super) struct Queue<O> {
    limits: Limits,
    /// Maximum number of inputs in a batch of several jobs for now, at most that of the limits.
    cap: AtomicUsize,
    state: Mutex<State<O>>,
    /// Notified when jobs are added and when the queue is closed.
    changed: Notify,
    arrivals: Arrivals,
    /// Inputs in the batches that are being computed.
    computing: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct State<O> {
    /// The waiting requests.
    requests: Line<O>,
    /// Number of streams admitted so far.
    streams: u64,
    /// Refusals since a request was let in.
    refusals: usize,
    closed: bool,
}

/// An admitted request whose jobs are queued one after another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StreamId(u64);

impl<O> Queue<O> {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            cap: limits.batch.into(),
            limits,
            state: Mutex::new(State {
                requests: Line::default(),
                streams: 0,
                refusals: 0,
                closed: false,
            }),
            changed: Notify::new(),
            arrivals: Arrivals::default(),
            computing: Arc::default(),
        }
    }

    /// Changes the maximum number of inputs in a batch. Jobs that are larger are batches of their
    /// own.
    pub(super) fn set_cap(&self, inputs: usize) {
        self.cap.store(inputs.min(self.limits.batch), Ordering::Relaxed);
    }

    /// Number of waiting requests.
    pub(super) fn depth(&self) -> usize {
        self.lock().requests.len()
    }

    /// Queues the jobs of one request.
    ///
    /// # Errors
    /// [`PushError`] if the queue is full or closed.
    pub(super) fn push(&self, jobs: VecDeque<Job<O>>) -> Result<(), PushError> {
        debug_assert!(jobs.iter().all(|job| job.count() <= self.limits.batch));
        if jobs.is_empty() {
            return Ok(());
        }
        let mut state = self.lock();
        self.check_room(&mut state)?;
        let count = jobs.len();
        state.requests.push(Waiting { stream: None, jobs });
        drop(state);
        self.notify_workers(count);
        Ok(())
    }

    /// Admits one request whose jobs will be queued one after another. This decides, once, whether
    /// there is room for it.
    ///
    /// # Errors
    /// As for [`Queue::push`].
    pub(super) fn admit(&self) -> Result<StreamId, PushError> {
        let mut state = self.lock();
        self.check_room(&mut state)?;
        state.streams += 1;
        Ok(StreamId(state.streams))
    }

    /// Queues the next job of an admitted request. Its waiting jobs count as one request, which
    /// takes turns with the others.
    ///
    /// # Errors
    /// [`PushError::Closed`] if the queue is closed; it is never full for an admitted request.
    pub(super) fn push_for(&self, stream: StreamId, job: Job<O>) -> Result<(), PushError> {
        debug_assert!(job.count() <= self.limits.batch);
        let mut state = self.lock();
        if state.closed {
            return Err(PushError::Closed);
        }
        state.requests.push_for(stream, job);
        drop(state);
        self.notify_workers(1);
        Ok(())
    }

    /// Queues the next job of a request that lasts as long as its client wants. Such a request has
    /// a place in the queue only while one of its jobs waits.
    ///
    /// # Errors
    /// [`PushError`] and the job, if the queue is full now or closed.
    pub(super) fn offer(&self, stream: StreamId, job: Job<O>) -> Result<(), (PushError, Job<O>)> {
        debug_assert!(job.count() <= self.limits.batch);
        let mut state = self.lock();
        if (state.closed || !state.requests.has(stream))
            && let Err(error) = self.check_room(&mut state)
        {
            return Err((error, job));
        }
        state.requests.push_for(stream, job);
        drop(state);
        self.notify_workers(1);
        Ok(())
    }

    /// Wakes workers for new jobs.
    fn notify_workers(&self, jobs: usize) {
        if jobs == 1 {
            self.changed.notify_one();
        } else {
            self.changed.notify_waiters();
        }
    }

    /// Whether a request would be accepted now.
    pub(super) fn has_room(&self) -> Result<(), PushError> {
        self.check_room(&mut self.lock())
    }

    fn check_room(&self, state: &mut State<O>) -> Result<(), PushError> {
        if state.closed {
            return Err(PushError::Closed);
        }
        if state.requests.len() >= self.limits.requests {
            // To look at all that wait costs as much as some refusals: not at each one.
            if state.refusals.is_multiple_of((self.limits.requests / 8).max(1)) {
                state.requests.remove_abandoned();
            }
            state.refusals += 1;
        }
        if state.requests.len() >= self.limits.requests {
            return Err(PushError::Full);
        }
        state.refusals = 0;
        Ok(())
    }

    /// Whether nothing waits and nothing is being computed.
    #[cfg(test)]
    pub(super) fn is_idle(&self) -> bool {
        let state = self.lock();
        state.requests.is_empty()
            && state.requests.inputs() == 0
            && self.computing.load(Ordering::Relaxed) == 0
    }

    /// Accepts no more jobs; the waiting ones are still answered.
    #[cfg(test)]
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_waiters();
    }

    /// Whether it accepts no more jobs.
    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Accepts no more jobs, and drops the waiting ones.
    pub(super) fn abandon(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.requests.clear();
        drop(state);
        self.changed.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, State<O>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
