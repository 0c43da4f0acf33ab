//! The queue in front of a model's workers. It knows nothing of what they compute.
//!
//! A worker that is free takes what waits, up to the largest batch. There is no timer by default: the time in which
//! all workers are busy is what fills the next batch, and a lone request never waits. Workers are tasks of the runtime
//! that also serves connections: before each batch they let those go first that have something to read.

mod job;

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

pub use job::{Job, JobError, Share};
use tokio::{sync::Notify, task::yield_now, time::timeout};

/// Why nothing of a request was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushError {
    /// As many requests wait as may.
    Full,
    /// The queue takes no more.
    Closed,
}

/// Limits of a queue.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Requests that may wait.
    pub requests: usize,
    /// Inputs in a batch.
    pub batch: usize,
    /// How long a batch that is not full waits for more, from its first job on.
    pub wait: Duration,
}

/// A bounded queue of requests. Each batch takes one job of each request in turn, so that a request with one input
/// does not wait for all of one with thousands.
#[derive(Debug)]
pub struct Queue<O> {
    limits: Limits,
    state: Mutex<State<O>>,
    /// Told when jobs come and when the queue is closed.
    changed: Notify,
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
pub struct StreamId(u64);

/// What a worker that is free finds.
enum Outlook {
    /// Nothing, and nothing will come.
    Over,
    Nothing,
    /// Less than a full batch, which may wait for more.
    Early(Duration),
    /// What is to be taken.
    Batch,
}

impl<O> Queue<O> {
    /// An empty queue.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            state: Mutex::new(State {
                requests: VecDeque::new(),
                inputs: 0,
                streams: 0,
                closed: false,
            }),
            changed: Notify::new(),
        }
    }

    /// Inputs that a batch may have; a job may not have more.
    pub fn max_batch(&self) -> usize {
        self.limits.batch
    }

    /// Requests that wait.
    pub fn depth(&self) -> usize {
        self.lock().requests.len()
    }

    /// Queues the jobs of one request.
    ///
    /// # Errors
    /// [`PushError`] where as many requests wait as may, or the queue is closed.
    pub fn push(&self, jobs: VecDeque<Job<O>>) -> Result<(), PushError> {
        debug_assert!(jobs.iter().all(|job| job.count <= self.limits.batch));
        if jobs.is_empty() {
            return Ok(());
        }
        let mut state = self.lock();
        self.check_room(&mut state)?;
        state.inputs += jobs.iter().map(|job| job.count).sum::<usize>();
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
    pub fn admit(&self) -> Result<StreamId, PushError> {
        let mut state = self.lock();
        self.check_room(&mut state)?;
        state.streams += 1;
        Ok(StreamId(state.streams))
    }

    /// Queues the next job of an admitted request. Those of its jobs that wait take turns with other requests as one.
    ///
    /// # Errors
    /// [`PushError::Closed`].
    pub fn push_for(&self, stream: StreamId, job: Job<O>) -> Result<(), PushError> {
        debug_assert!(job.count <= self.limits.batch);
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
    pub fn offer(&self, stream: StreamId, job: Job<O>) -> Result<(), (PushError, Job<O>)> {
        debug_assert!(job.count <= self.limits.batch);
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

    /// Waits for jobs and takes as many as fit into a batch; nothing when the queue is closed and empty.
    ///
    /// Jobs whose client has hung up are dropped, and those whose deadline has passed are answered so, before they
    /// cost any work. The batch can be empty after that, and where another worker was faster.
    pub async fn next_batch(&self) -> Option<Vec<Job<O>>> {
        loop {
            // From here on: nothing that comes after the look is missed.
            let changed = self.changed.notified();
            match self.outlook() {
                Outlook::Over => return None,
                Outlook::Nothing => changed.await,
                Outlook::Early(patience) => {
                    // Whichever comes first, the queue is looked at again.
                    let _ = timeout(patience, changed).await;
                }
                Outlook::Batch => {
                    // Requests that have come are read first, and are part of this batch; and where there always is
                    // one, others have their turn in between.
                    yield_now().await;
                    return Some(self.take());
                }
            }
        }
    }

    fn outlook(&self) -> Outlook {
        let state = self.lock();
        if state.requests.is_empty() {
            return if state.closed { Outlook::Over } else { Outlook::Nothing };
        }
        self.patience(&state).map_or(Outlook::Batch, Outlook::Early)
    }

    /// Takes no more jobs; those that wait are still answered.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_waiters();
    }

    /// Takes no more jobs, and drops those that wait.
    pub fn abandon(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.requests.clear();
        state.inputs = 0;
        drop(state);
        self.changed.notify_waiters();
    }

    /// How much longer the batch in the making may wait to become full; nothing where it is to be taken now.
    fn patience(&self, state: &State<O>) -> Option<Duration> {
        if self.limits.wait.is_zero() || state.closed || state.inputs >= self.limits.batch {
            return None;
        }
        let first = state.requests.front()?.jobs.front()?;
        self.limits.wait.checked_sub(first.queued.elapsed()).filter(|rest| !rest.is_zero())
    }

    fn take(&self) -> Vec<Job<O>> {
        let mut state = self.lock();
        let now = Instant::now();
        let mut batch = Vec::new();
        let mut room = self.limits.batch;
        while let Some(job) = state.pop_if(|job| job.count <= room) {
            // A client that has hung up has closed its reply: no work for it.
            if job.reply.is_closed() {
                continue;
            }
            if job.deadline <= now {
                // The receiver may have gone meanwhile; then nobody needs the answer.
                let _ = job.reply.send(Err(JobError::DeadlineExceeded));
                continue;
            }
            room -= job.count;
            batch.push(job);
        }
        batch
    }

    fn lock(&self) -> MutexGuard<'_, State<O>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<O> State<O> {
    /// Adds a job to those of its stream that wait.
    fn add(&mut self, stream: StreamId, job: Job<O>) {
        self.inputs += job.count;
        match self.requests.iter_mut().find(|waiting| waiting.stream == Some(stream)) {
            Some(waiting) => waiting.jobs.push_back(job),
            None => self
                .requests
                .push_back(Waiting { stream: Some(stream), jobs: VecDeque::from([job]) }),
        }
    }

    /// Takes the first request's next job, where it is `wanted`, and puts what is left of the request at the end.
    fn pop_if(&mut self, wanted: impl Fn(&Job<O>) -> bool) -> Option<Job<O>> {
        let request = self.requests.front_mut()?;
        let job = request.jobs.pop_front_if(|job| wanted(job))?;
        self.inputs -= job.count;
        if let Some(request) = self.requests.pop_front().filter(|request| !request.jobs.is_empty())
        {
            self.requests.push_back(request);
        }
        Some(job)
    }

    /// Gives the places of clients that have hung up to others.
    fn forget_abandoned(&mut self) {
        self.requests.retain(|request| request.jobs.iter().any(|job| !job.reply.is_closed()));
        self.inputs = self.requests.iter().flat_map(|r| &r.jobs).map(|job| job.count).sum();
    }
}

#[cfg(test)]
mod tests;
