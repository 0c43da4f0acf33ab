//! The workers of a model: tasks that answer batches. Each owns a session; they share only the
//! queue.
//!
//! They run on the threads that serve connections: a request's data are still in the core's cache
//! when it is computed, and no other thread has to be woken. A long batch is computed with
//! [`block_in_place`](tokio::task::block_in_place), so that probes and other requests are answered
//! meanwhile.

mod crew;
mod post;
#[cfg(test)]
mod schedules;
mod task;
#[cfg(test)]
mod tests;
mod watchdog;

use std::{
    fmt,
    num::NonZero,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use drsn_bundle::runtime::{Provider, RuntimeError};
use ndarray::ArrayViewD;
use tokio::runtime::Handle;

use crate::{
    engine::{allocator, cap::Cap, queue::Queue},
    observability::metrics::ModelMetrics,
};
use crew::Crew;
use post::Post;
pub(super) use post::Stop;
use task::Worker;
use watchdog::Watchdog;

/// A session of a model: what a worker computes with.
pub(super) trait Compute: Send + 'static {
    /// The outputs of a batch.
    type Outputs: fmt::Debug + Send + Sync + 'static;

    /// Runs prepared inputs, `[batch, …]`.
    ///
    /// # Errors
    /// [`RuntimeError`] if the runtime fails.
    fn run(
        &mut self,
        inputs: ArrayViewD<'_, f32>,
        detailed: bool,
    ) -> Result<Self::Outputs, RuntimeError>;

    /// Ends a run from another thread.
    fn stopper(&self) -> Arc<dyn Stop>;

    /// Whether it computes on the calling thread.
    fn is_on_cpu(&self) -> bool;
}

/// Warms up the given session, or a new one that returned the golden outputs.
pub(super) type Open<C> = dyn Fn(Option<C>) -> Result<C, RuntimeError> + Send + Sync;

/// What every worker of a model needs.
pub(super) struct WorkerContext<C: Compute> {
    /// The model's name.
    name: Arc<str>,
    open: Arc<Open<C>>,
    crew: Arc<Crew<C::Outputs>>,
    /// The largest batch.
    cap: Arc<Cap>,
    metrics: ModelMetrics,
    /// Where workers run.
    tasks: Handle,
}

impl<C: Compute> WorkerContext<C> {
    /// The context of workers that are tasks of the async runtime in whose context this is called.
    pub(super) fn new(
        name: &str,
        open: Arc<Open<C>>,
        queue: Arc<Queue<C::Outputs>>,
        cap: Arc<Cap>,
        metrics: ModelMetrics,
    ) -> Self {
        let (crew, tasks) = (Crew::new(queue, allocator::return_freed), Handle::current());
        Self { name: name.into(), open, crew, cap, metrics, tasks }
    }
}

impl<C: Compute> Clone for WorkerContext<C> {
    fn clone(&self) -> Self {
        Self {
            name: Arc::clone(&self.name),
            open: Arc::clone(&self.open),
            crew: Arc::clone(&self.crew),
            cap: Arc::clone(&self.cap),
            metrics: self.metrics.clone(),
            tasks: self.tasks.clone(),
        }
    }
}

/// The workers of a model; they end when its queue is closed and empty.
#[derive(Debug)]
pub(super) struct Workers<O> {
    crew: Arc<Crew<O>>,
    count: usize,
}

impl<O: Send + Sync + 'static> Workers<O> {
    /// Starts `count` workers. Each has a warm session that returned the golden outputs; the first
    /// one uses `session`, if given.
    ///
    /// # Errors
    /// [`RuntimeError`] of the first session that could not be opened; no worker was started then.
    pub(super) fn start<C: Compute<Outputs = O>>(
        context: &WorkerContext<C>,
        count: usize,
        session: Option<C>,
    ) -> Result<Self, RuntimeError> {
        let watchdog = Self::start_unwatched(context, count, session)?;
        let watching = thread::Builder::new().name("watchdog".to_owned());
        if let Err(error) = watching.spawn(move || watchdog.watch()) {
            context.crew.queue.abandon();
            return Err(RuntimeError::Load { reason: error.to_string() });
        }
        Ok(Self { crew: Arc::clone(&context.crew), count })
    }

    /// The same, and returns the watchdog that is not looking yet.
    fn start_unwatched<C: Compute<Outputs = O>>(
        context: &WorkerContext<C>,
        count: usize,
        session: Option<C>,
    ) -> Result<Watchdog<C>, RuntimeError> {
        let sessions = open_sessions(context, count, session)?;
        let start = |(session, time)| {
            let post = Post::new(context.crew.join(), time);
            context.tasks.spawn(Worker::new(session, context.clone(), Arc::clone(&post)).run());
            post
        };
        let posts = sessions.into_iter().map(start).collect();
        Ok(Watchdog { context: context.clone(), posts })
    }

    /// Whether every worker is running, and no thread that serves connections is stuck.
    pub(super) fn all_running(&self) -> bool {
        self.crew.is_whole(self.count)
    }

    /// Whether every worker has ended and released its session, or was given up.
    pub(super) fn have_ended(&self) -> bool {
        self.crew.wait_ended(Duration::ZERO)
    }

    /// Waits for the workers to end, as they do when the queue is closed, but not beyond `until`:
    /// one of them may be stuck. Returns whether none of their threads computes any more. It
    /// blocks: tasks must not call it.
    pub(super) fn join(&self, until: Instant) -> bool {
        let have_ended = self.crew.wait_ended(until.saturating_duration_since(Instant::now()));
        if !have_ended {
            tracing::warn!("a worker did not end in time; leaving it behind");
        }
        have_ended && !self.crew.has_stuck()
    }
}

/// Opens and warms up `count` sessions concurrently; the given one is the first of them. Each comes
/// with the time that this took.
fn open_sessions<C: Compute>(
    context: &WorkerContext<C>,
    count: usize,
    mut given: Option<C>,
) -> Result<Vec<(C, Duration)>, RuntimeError> {
    let panicked =
        |_| RuntimeError::Load { reason: "opening a worker's session panicked".to_owned() };
    thread::scope(|scope| {
        let open = |_| {
            let given = given.take();
            thread::Builder::new().spawn_scoped(scope, move || {
                let started = Instant::now();
                Ok(((context.open)(given)?, started.elapsed()))
            })
        };
        // Collected, so that all threads are started before the first is joined.
        let opening: Vec<_> = (0..count).map(open).collect();
        let opened = opening.into_iter().map(|thread| {
            let thread = thread.map_err(|error| RuntimeError::Load { reason: error.to_string() });
            thread?.join().map_err(panicked)?
        });
        opened.collect()
    })
}

/// The default number of workers of a model: one per core on the CPU, one on a GPU.
pub(super) fn default_count(provider: Provider) -> usize {
    match provider {
        Provider::Cpu => thread::available_parallelism().map_or(1, NonZero::get),
        Provider::Cuda(_) => 1,
    }
}
