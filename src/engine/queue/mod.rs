//! The queue in front of a model's workers. It knows nothing of what they compute.
//!
//! A worker that is free takes its share of what waits, up to the largest batch. There is no timer by default: the time in
//! which all workers are busy is what fills the next batch, and a lone request never waits. Workers are tasks of the
//! runtime that also serves connections: before each batch they let those go first that have something to read.

mod batch;
mod job;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicUsize},
    time::Duration,
};

pub(crate) use job::{BatchSlice, Job, JobError};
use tokio::sync::Notify;

/// Why nothing of a request was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PushError {
    /// As many requests wait as may.
    Full,
    /// The queue takes no more.
    Closed,
}

/// Limits of a queue.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Requests that may wait.
    pub(crate) requests: usize,
    /// Inputs in a batch.
    pub(crate) batch: usize,
    /// How long a batch that is not full waits for more, from its first job on.
    pub(crate) wait: Duration,
    /// Workers that take batches.
    pub(crate) workers: usize,
}

/// A bounded queue of requests. Each batch takes one job of each request in turn, so that a request with one input
/// does not wait for all of one with thousands.
#[derive(Debug)]
pub(crate) struct Queue<O> {
    limits: Limits,
    state: Mutex<State<O>>,
    /// Told when jobs come and when the queue is closed.
    changed: Notify,
    /// Inputs in the batches that were taken and are not done.
    computing: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct State<O> {
    /// The requests that wait; none is without jobs.
    requests: VecDeque<Waiting<O>>,
    /// Inputs of all jobs.
    inputs: usize,
    /// Streams that were admitted so far.
    streams: u64,
    closed: bool,
}

/// A request's jobs that wait.
#[derive(Debug)]
struct Waiting<O> {
    /// The stream that they belong to; none where the request came whole.
    stream: Option<StreamId>,
    jobs: VecDeque<Job<O>>,
}

/// A request that was admitted and whose jobs come one after another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StreamId(u64);

impl<O> Queue<O> {
    /// An empty queue.
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            state: Mutex::new(State {
                requests: VecDeque::new(),
                inputs: 0,
                streams: 0,
                closed: false,
            }),
            changed: Notify::new(),
            computing: Arc::default(),
        }
    }

    /// Inputs that a batch may have; a job may not have more.
    pub(crate) fn max_batch(&self) -> usize {
        self.limits.batch
    }

    /// Requests that wait.
    pub(crate) fn depth(&self) -> usize {
        self.lock().requests.len()
    }

    /// Queues the jobs of one request.
    ///
    /// # Errors
    /// [`PushError`] where as many requests wait as may, or the queue is closed.
    pub(crate) fn push(&self, jobs: VecDeque<Job<O>>) -> Result<(), PushError> {
        debug_assert!(jobs.iter().all(|job| job.count() <= self.limits.batch));
        if jobs.is_empty() {
            return Ok(());
        }
        let mut state = self.lock();
        self.check_room(&mut state)?;
        state.inputs += jobs.iter().map(|job| job.count()).sum::<usize>();
        let count = jobs.len();
        state.requests.push_back(Waiting { stream: None, jobs });
        drop(state);
        self.tell_of(count);
        Ok(())
    }

    /// Admits one request whose jobs come one after another: whether there is room for it is decided here, once.
    ///
    /// # Errors
    /// [`PushError`] as [`Queue::push`].
    pub(crate) fn admit(&self) -> Result<StreamId, PushError> {
        let mut state = self.lock();
        self.check_room(&mut state)?;
        state.streams += 1;
        Ok(StreamId(state.streams))
    }

    /// Queues the next job of an admitted request. Those of its jobs that wait take turns with other requests as one.
    ///
    /// # Errors
    /// [`PushError::Closed`].
    pub(crate) fn push_for(&self, stream: StreamId, job: Job<O>) -> Result<(), PushError> {
        debug_assert!(job.count() <= self.limits.batch);
        let mut state = self.lock();
        if state.closed {
            return Err(PushError::Closed);
        }
        state.add(stream, job);
        drop(state);
        self.tell_of(1);
        Ok(())
    }

    /// The same of a request that goes on for as long as its client wants, as long as there is room for it: between its
    /// jobs it has no place.
    ///
    /// # Errors
    /// [`PushError`] with the job, where there is no room for it now.
    pub(crate) fn offer(&self, stream: StreamId, job: Job<O>) -> Result<(), (PushError, Job<O>)> {
        debug_assert!(job.count() <= self.limits.batch);
        let mut state = self.lock();
        let waits = state.requests.iter().any(|waiting| waiting.stream == Some(stream));
        if (state.closed || !waits)
            && let Err(refusal) = self.check_room(&mut state)
        {
            return Err((refusal, job));
        }
        state.add(stream, job);
        drop(state);
        self.tell_of(1);
        Ok(())
    }

    /// Tells workers that wait of new jobs.
    fn tell_of(&self, jobs: usize) {
        if jobs == 1 {
            self.changed.notify_one();
        } else {
            self.changed.notify_waiters();
        }
    }

    fn check_room(&self, state: &mut State<O>) -> Result<(), PushError> {
        if state.closed {
            return Err(PushError::Closed);
        }
        if state.requests.len() >= self.limits.requests {
            state.forget_abandoned();
        }
        if state.requests.len() >= self.limits.requests {
            return Err(PushError::Full);
        }
        Ok(())
    }

    /// Takes no more jobs; those that wait are still answered.
    #[cfg(test)]
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_waiters();
    }

    /// Takes no more jobs, and drops those that wait.
    pub(crate) fn abandon(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.requests.clear();
        state.inputs = 0;
        drop(state);
        self.changed.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, State<O>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<O> State<O> {
    /// Adds a job to those of its stream that wait.
    fn add(&mut self, stream: StreamId, job: Job<O>) {
        self.inputs += job.count();
        match self.requests.iter_mut().find(|waiting| waiting.stream == Some(stream)) {
            Some(waiting) => waiting.jobs.push_back(job),
            None => self
                .requests
                .push_back(Waiting { stream: Some(stream), jobs: VecDeque::from([job]) }),
        }
    }

    /// Gives the places of clients that have hung up to others.
    fn forget_abandoned(&mut self) {
        self.requests.retain(|request| request.jobs.iter().any(|job| !job.reply.is_closed()));
        self.inputs = self.requests.iter().flat_map(|r| &r.jobs).map(|job| job.count()).sum();
    }
}

#[cfg(test)]
mod tests;
