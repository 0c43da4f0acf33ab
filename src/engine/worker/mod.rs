//! The workers of a model: tasks that answer batches. Each owns a session; they share only the
//! queue.
//!
//! They run on the threads that serve connections: a request's data are still in the core's cache
//! when it is computed, and no other thread has to be woken. A long batch is computed with
//! [`block_in_place`](tokio::task::block_in_place), so that probes and other requests are answered
//! meanwhile.

mod task;

use std::{
    num::NonZero,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use drsn_bundle::{
    Bundle,
    runtime::{Provider, Runtime, RuntimeError},
};
use tokio::{runtime::Handle, task::JoinHandle};

use crate::{
    engine::{
        allocator,
        queue::Queue,
        session::{ModelSession, Outputs},
    },
    observability::metrics::ModelMetrics,
};
use task::Worker;

/// What every worker of a model needs.
#[derive(Debug, Clone)]
pub(super) struct WorkerContext {
    pub(super) runtime: Runtime,
    pub(super) bundle: Arc<Bundle>,
    pub(super) provider: Provider,
    pub(super) queue: Arc<Queue<Outputs>>,
    pub(super) metrics: ModelMetrics,
}

/// The workers of a model; they end when its queue is closed and empty.
#[derive(Debug)]
pub(super) struct Workers {
    running: Arc<AtomicUsize>,
    count: usize,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    runtime: Handle,
}

impl Workers {
    /// Starts `count` tasks on the async runtime in whose context this is called. Each has a warm
    /// session that returned the golden outputs; the first one uses `session`, if given.
    ///
    /// # Errors
    /// [`RuntimeError`] of the first session that could not be opened; no worker was started then.
    pub(super) fn start(
        context: &WorkerContext,
        count: usize,
        session: Option<ModelSession>,
    ) -> Result<Self, RuntimeError> {
        let runtime = Handle::current();
        let sessions = open_sessions(context, count, session)?;
        let running = Arc::new(AtomicUsize::new(0));
        let start = |session| {
            let guard = RunningGuard::new(&running, &context.queue);
            runtime.spawn(Worker::new(session, context.clone()).run(guard))
        };
        let tasks = Mutex::new(sessions.into_iter().map(start).collect());
        Ok(Self { running, count, tasks, runtime })
    }

    /// Whether every worker is running.
    pub(super) fn all_running(&self) -> bool {
        self.running.load(Ordering::Relaxed) == self.count
    }

    /// Whether every worker has ended and released its session.
    pub(super) fn have_ended(&self) -> bool {
        self.running.load(Ordering::Relaxed) == 0
    }

    /// Waits for the workers to end, as they do when the queue is closed. It blocks: tasks must not
    /// call it.
    pub(super) fn join(&self) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        for task in tasks.drain(..) {
            // A worker that panicked has logged it.
            let _ = self.runtime.block_on(task);
        }
    }
}

/// Opens and warms up `count` sessions concurrently; the given one is the first of them.
fn open_sessions(
    context: &WorkerContext,
    count: usize,
    mut given: Option<ModelSession>,
) -> Result<Vec<ModelSession>, RuntimeError> {
    let panicked =
        |_| RuntimeError::Load { reason: "opening a worker's session panicked".to_owned() };
    thread::scope(|scope| {
        let open = |_| {
            let given = given.take();
            thread::Builder::new().spawn_scoped(scope, move || warm_session(given, context))
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

/// Counts a running worker. When the last one ends, for whatever reason, it closes the queue, so
/// that no request waits for a worker in vain.
#[derive(Debug)]
struct RunningGuard {
    count: Arc<AtomicUsize>,
    queue: Arc<Queue<Outputs>>,
}

impl RunningGuard {
    fn new(count: &Arc<AtomicUsize>, queue: &Arc<Queue<Outputs>>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self { count: Arc::clone(count), queue: Arc::clone(queue) }
    }
}

impl Drop for RunningGuard {
    fn drop(&mut self) {
        if self.count.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.queue.abandon();
            allocator::return_freed();
        }
    }
}

/// Warms up the given session, or a new one.
fn warm_session(
    given: Option<ModelSession>,
    context: &WorkerContext,
) -> Result<ModelSession, RuntimeError> {
    let mut session = match given {
        Some(session) => session,
        None => ModelSession::open(&context.runtime, &context.bundle, context.provider)?,
    };
    session.warm_up(context.queue.max_batch())?;
    Ok(session)
}

/// The default number of workers of a model: one per core on the CPU, one on a GPU.
pub(super) fn default_count(provider: Provider) -> usize {
    match provider {
        Provider::Cpu => thread::available_parallelism().map_or(1, NonZero::get),
        Provider::Cuda(_) => 1,
    }
}
