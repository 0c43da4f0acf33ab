//! How many workers a model has, and how many threads it has given up.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::engine::queue::Queue;

/// Threads of a model that may be stuck and still be replaced: each keeps the memory of its session.
const MAX_GIVEN_UP: usize = 4;

/// The workers of one model, counted.
#[derive(Debug)]
pub(super) struct Crew<O> {
    pub(super) queue: Arc<Queue<O>>,
    counts: Mutex<Counts>,
    /// Notified when the last worker has ended.
    ended: Condvar,
    /// Called by the last worker.
    at_end: fn(),
}

#[derive(Debug, Default)]
struct Counts {
    /// Workers at work, stuck ones that were given up not among them.
    running: usize,
    /// Threads that were given up and have not come back.
    given_up: usize,
    /// Those of them that served connections.
    connection_threads: usize,
}

impl<O> Crew<O> {
    /// The last worker to end calls `at_end`.
    pub(super) fn new(queue: Arc<Queue<O>>, at_end: fn()) -> Arc<Self> {
        Arc::new(Self { queue, counts: Mutex::default(), ended: Condvar::new(), at_end })
    }

    /// Counts one more worker, until the guard is dropped.
    pub(super) fn join(self: &Arc<Self>) -> RunningGuard<O> {
        self.lock().running += 1;
        RunningGuard(Arc::clone(self))
    }

    /// Whether this many workers run, and no thread that serves connections is stuck.
    pub(super) fn is_whole(&self, workers: usize) -> bool {
        let counts = self.lock();
        counts.running == workers && counts.connection_threads == 0
    }

    /// Waits until every worker has ended, but no longer than `limit`. Returns whether all have.
    pub(super) fn wait_ended(&self, limit: Duration) -> bool {
        let is_running = |counts: &mut Counts| counts.running > 0;
        let waited = self.ended.wait_timeout_while(self.lock(), limit, is_running);
        waited.unwrap_or_else(PoisonError::into_inner).0.running == 0
    }

    /// Counts a stuck thread. Returns whether its worker may be replaced.
    pub(super) fn give_up(&self, serves_connections: bool) -> bool {
        let mut counts = self.lock();
        counts.given_up += 1;
        counts.connection_threads += usize::from(serves_connections);
        counts.given_up <= MAX_GIVEN_UP
    }

    /// Whether a thread that was given up is still stuck.
    pub(super) fn has_stuck(&self) -> bool {
        self.lock().given_up > 0
    }

    /// A stuck thread has come back.
    pub(super) fn came_back(&self, serves_connections: bool) {
        let mut counts = self.lock();
        counts.given_up = counts.given_up.saturating_sub(1);
        let back = usize::from(serves_connections);
        counts.connection_threads = counts.connection_threads.saturating_sub(back);
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a running worker. When the last one ends, for whatever reason, it closes the queue, so
/// that no request waits for a worker in vain.
#[derive(Debug)]
pub(super) struct RunningGuard<O>(Arc<Crew<O>>);

impl<O> Drop for RunningGuard<O> {
    fn drop(&mut self) {
        let mut counts = self.0.lock();
        if counts.running == 1 {
            self.0.queue.abandon();
            (self.0.at_end)();
        }
        counts.running -= 1;
        self.0.ended.notify_all();
    }
}
