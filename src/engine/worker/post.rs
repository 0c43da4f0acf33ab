//! What a worker is doing, where the watchdog can see it.
//!
//! The jobs of a batch lie here while it is computed, and not with the thread that computes them:
//! either the worker or the watchdog takes them out, and answers them.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::crew::RunningGuard;
use crate::engine::queue::Batch;

/// Pause between two looks at the workers. Time is counted in looks: a process that was suspended
/// has not computed for long.
pub(super) const TICK: Duration = Duration::from_secs(1);
/// The limit of a batch, as a multiple of the slowest one, or of opening a session, which runs the
/// largest batch.
const SLOWER: u32 = 10;
/// The least limit. The first batches on a GPU take up to a second, and a machine may be busy.
const LEAST: Duration = Duration::from_secs(10);
/// How long a batch may take to end after it was asked to.
const GRACE: Duration = Duration::from_secs(2);

/// Ends a run from another thread.
pub(crate) trait Stop: fmt::Debug + Send + Sync {
    /// Asks the current run to end with an error.
    fn stop(&self);
    /// Lets the next runs go on.
    fn reset(&self);
}

/// What a worker is doing.
#[derive(Debug)]
pub(super) struct Work<O> {
    /// The batch; `None` while a session is opened.
    pub(super) batch: Option<Batch<O>>,
    pub(super) stop: Option<Arc<dyn Stop>>,
    /// Whether the thread that computes would otherwise serve connections.
    pub(super) holds_connections: bool,
    started: Instant,
    /// Looks of the watchdog since then.
    ticks: u32,
    is_asked: bool,
}

impl<O> Work<O> {
    pub(super) fn batch(batch: Batch<O>, stop: Arc<dyn Stop>, holds_connections: bool) -> Self {
        Self { batch: Some(batch), stop: Some(stop), holds_connections, ..Self::opening() }
    }

    /// Opening a session.
    pub(super) fn opening() -> Self {
        Self {
            batch: None,
            stop: None,
            holds_connections: false,
            started: Instant::now(),
            ticks: 0,
            is_asked: false,
        }
    }

    /// At least how long it lasts already, without times when the process was suspended.
    fn seen(&self) -> Duration {
        TICK * self.ticks.saturating_sub(1)
    }
}

/// A worker that was taken off its post.
#[derive(Debug)]
pub(super) struct Relieved<O> {
    pub(super) work: Work<O>,
    pub(super) guard: RunningGuard<O>,
    pub(super) slowest: Duration,
}

/// The place of one worker.
#[derive(Debug)]
pub(super) struct Post<O>(Mutex<State<O>>);

#[derive(Debug)]
struct State<O> {
    work: Option<Work<O>>,
    /// `None` once the worker has left or was taken off.
    guard: Option<RunningGuard<O>>,
    slowest: Duration,
}

impl<O> Post<O> {
    /// A post whose worker took at most `slowest` for anything so far.
    pub(super) fn new(guard: RunningGuard<O>, slowest: Duration) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State { work: None, guard: Some(guard), slowest })))
    }

    /// The worker begins something.
    pub(super) fn begin(&self, work: Work<O>) {
        self.lock().work = Some(work);
    }

    /// The worker has done it, and takes it back. `None` if it was taken off its post meanwhile: then
    /// it must do nothing more.
    pub(super) fn end(&self) -> Option<Work<O>> {
        let mut state = self.lock();
        let work = state.work.take()?;
        match &work.stop {
            Some(stop) if work.is_asked => stop.reset(),
            Some(_) | None => {
                let time = work.started.elapsed().min(TICK * work.ticks.saturating_add(1));
                state.slowest = state.slowest.max(time);
            }
        }
        Some(work)
    }

    /// The worker leaves. Returns false if it was taken off its post before.
    pub(super) fn leave(&self) -> bool {
        // The guard is dropped after the lock is released.
        let guard = self.lock().guard.take();
        guard.is_some()
    }

    /// The watchdog looks. If the work takes too long, it is asked to end; if it does not, the
    /// worker is taken off its post.
    pub(super) fn tick(&self) -> Option<Relieved<O>> {
        let mut state = self.lock();
        let limit = (state.slowest * SLOWER).max(LEAST);
        let work = state.work.as_mut()?;
        work.ticks = work.ticks.saturating_add(1);
        if work.seen() < limit {
            return None;
        }
        if let Some(stop) = &work.stop {
            if !work.is_asked {
                work.is_asked = true;
                stop.stop();
            }
            if work.seen() < limit + GRACE {
                return None;
            }
        }
        let slowest = state.slowest;
        let (work, guard) = (state.work.take()?, state.guard.take()?);
        Some(Relieved { work, guard, slowest })
    }

    fn lock(&self) -> MutexGuard<'_, State<O>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
