//! The tasks that answer batches. Each owns a session; nothing is shared between them but the queue.
//!
//! They run on the threads that serve connections: what a request brings is in the core's cache when it is computed, and
//! no thread has to be woken for it. A batch that takes long is computed aside, so that probes and other requests are
//! answered meanwhile.

use std::{
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use drsn_bundle::{
    Bundle,
    runtime::{Provider, Runtime, RuntimeError},
};
use ndarray::{ArrayViewD, IxDyn};
use tokio::{
    runtime::Handle,
    task::{JoinHandle, block_in_place},
};

use crate::{
    engine::{
        allocator,
        inputs::append,
        queue::{BatchSlice, Job, JobError, Queue},
        session::{ModelSession, Outputs},
    },
    observability::metrics::ModelMetrics,
};

/// Longest computation for which connections of the same thread wait: as long as a thread that computes may keep a core
/// from another.
const SHORT: Duration = Duration::from_millis(4);

/// What every worker of a model needs.
#[derive(Debug, Clone)]
pub(crate) struct WorkerContext {
    /// The loaded library.
    pub(crate) runtime: Runtime,
    /// The model.
    pub(crate) bundle: Arc<Bundle>,
    /// Where it computes.
    pub(crate) provider: Provider,
    /// Where jobs come from.
    pub(crate) queue: Arc<Queue<Outputs>>,
    /// Where durations go.
    pub(crate) metrics: ModelMetrics,
}

/// The workers of a model; they end when its queue is closed and empty.
#[derive(Debug)]
pub(crate) struct Workers {
    alive: Arc<AtomicUsize>,
    wanted: usize,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    runtime: Handle,
}

impl Workers {
    /// Starts `count` tasks on the runtime in whose context this is called, each with a session that gave the golden
    /// outputs and is warm. The first one takes the session that is given, if one is.
    ///
    /// # Errors
    /// [`RuntimeError`] of the first session that could not be opened; no worker was started then.
    pub(crate) fn start(
        context: &WorkerContext,
        count: usize,
        session: Option<ModelSession>,
    ) -> Result<Self, RuntimeError> {
        let runtime = Handle::current();
        let sessions = open_sessions(context, count, session)?;
        let alive = Arc::new(AtomicUsize::new(0));
        let start = |session| {
            let alive = Alive::new(&alive, &context.queue);
            runtime.spawn(Worker::new(session, context.clone()).live(alive))
        };
        let tasks = Mutex::new(sessions.into_iter().map(start).collect());
        Ok(Self { alive, wanted: count, tasks, runtime })
    }

    /// Whether every worker lives.
    pub(crate) fn all_alive(&self) -> bool {
        self.alive.load(Ordering::Relaxed) == self.wanted
    }

    /// Whether every worker has ended and given back its session.
    pub(crate) fn have_ended(&self) -> bool {
        self.alive.load(Ordering::Relaxed) == 0
    }

    /// Waits for the workers to end, as they do when the queue is closed. It blocks: not to be called by a task.
    pub(crate) fn join(&self) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        for task in tasks.drain(..) {
            // A worker that panicked has said so in the log.
            let _ = self.runtime.block_on(task);
        }
    }
}

/// Opens and warms `count` sessions, at once; the one that is given is the first of them.
fn open_sessions(
    context: &WorkerContext,
    count: usize,
    mut given: Option<ModelSession>,
) -> Result<Vec<ModelSession>, RuntimeError> {
    let ended_early =
        |_| RuntimeError::Load { reason: "a worker ended while it started".to_owned() };
    thread::scope(|scope| {
        let open = |_| {
            let given = given.take();
            thread::Builder::new().spawn_scoped(scope, move || {
                let opened = given.map_or_else(|| new_session(context), Ok);
                opened.and_then(|session| warm(session, context))
            })
        };
        // All of them are begun before one is waited for.
        let opening: Vec<_> = (0..count).map(open).collect();
        let opened = opening.into_iter().map(|thread| {
            let thread =
                thread.map_err(|refusal| RuntimeError::Load { reason: refusal.to_string() });
            thread?.join().map_err(ended_early)?
        });
        opened.collect()
    })
}

/// A worker that lives. The last one that ends, however it ends, leaves no queue that nobody serves.
#[derive(Debug)]
struct Alive {
    count: Arc<AtomicUsize>,
    queue: Arc<Queue<Outputs>>,
}

impl Alive {
    fn new(count: &Arc<AtomicUsize>, queue: &Arc<Queue<Outputs>>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self { count: Arc::clone(count), queue: Arc::clone(queue) }
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        if self.count.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.queue.abandon();
            allocator::return_freed();
        }
    }
}

fn new_session(context: &WorkerContext) -> Result<ModelSession, RuntimeError> {
    ModelSession::open(&context.runtime, &context.bundle, context.provider)
}

fn warm(mut session: ModelSession, context: &WorkerContext) -> Result<ModelSession, RuntimeError> {
    session.warm_up(context.queue.max_batch())?;
    Ok(session)
}

/// A session and what it needs to answer.
#[derive(Debug)]
struct Worker {
    session: ModelSession,
    context: WorkerContext,
    /// The inputs of a batch, one after the other.
    buffer: Vec<f32>,
    /// What an input of the last batch took; none before the first one.
    an_input: Option<Duration>,
}

impl Worker {
    fn new(session: ModelSession, context: WorkerContext) -> Self {
        Self { session, context, buffer: Vec::new(), an_input: None }
    }

    /// Answers batches until the queue is closed and empty.
    async fn live(mut self, alive: Alive) {
        while let Some(mut batch) = self.context.queue.next_batch().await {
            let jobs = mem::take(&mut batch.jobs);
            if jobs.is_empty() {
                continue;
            }
            let goes_on = if self.is_short(&jobs) {
                self.answer_or_recover(jobs)
            } else {
                block_in_place(|| self.answer_or_recover(jobs))
            };
            if !goes_on {
                break;
            }
        }
        // Giving back a session and its memory takes milliseconds.
        block_in_place(|| {
            drop(self);
            drop(alive);
        });
    }

    /// Whether a batch takes so little time that connections may wait for it. A thread that waits for a GPU may always
    /// be needed.
    fn is_short(&self, batch: &[Job<Outputs>]) -> bool {
        let inputs: usize = batch.iter().map(|job| job.count()).sum();
        let expected = self.an_input.and_then(|time| time.checked_mul(u32::try_from(inputs).ok()?));
        self.session.provider() == Provider::Cpu && expected.is_some_and(|time| time <= SHORT)
    }

    /// Answers a batch; after a panic with a fresh session. Whether there is one.
    fn answer_or_recover(&mut self, batch: Vec<Job<Outputs>>) -> bool {
        if catch_unwind(AssertUnwindSafe(|| self.answer(batch))).is_ok() {
            return true;
        }
        // The jobs' replies were dropped with the panic, which their requests see as a failure.
        let model = &self.context.bundle.manifest.name;
        tracing::error!(%model, "a worker panicked, it starts again");
        match new_session(&self.context).and_then(|session| warm(session, &self.context)) {
            Ok(fresh) => self.session = fresh,
            Err(error) => {
                tracing::error!(%model, %error, "a worker could not start again");
                return false;
            }
        }
        true
    }

    /// Answers the jobs of one batch.
    fn answer(&mut self, batch: Vec<Job<Outputs>>) {
        let started = Instant::now();
        let metrics = &self.context.metrics;
        let batch_size = batch.iter().map(|job| job.count()).sum::<usize>();
        let zeroed = batch.iter().any(|job| job.zeroed);
        let inputs = match &batch[..] {
            [job] => Ok(job.inputs()),
            jobs => gather(&mut self.buffer, jobs, batch_size),
        };
        let outputs = inputs.and_then(|inputs| self.session.run(inputs, zeroed)).map(Arc::new);
        let inference_time = started.elapsed();
        self.an_input = Some(inference_time / u32::try_from(batch_size).unwrap_or(u32::MAX).max(1));
        metrics.inference.observe(inference_time.as_secs_f64());
        metrics.batch_size.observe(batch_size as f64);
        metrics.statistics.executed();
        let outputs = match outputs {
            Ok(outputs) => outputs,
            Err(error) => {
                tracing::error!(%error, batch_size, "a batch failed");
                for job in batch {
                    let _ = job.reply.send(Err(JobError::Failed));
                }
                return;
            }
        };
        let mut first = 0;
        for job in batch {
            let queue_time = started.duration_since(job.queued);
            metrics.queue.observe(queue_time.as_secs_f64());
            let rows = first..first + job.count();
            first = rows.end;
            let slice = BatchSlice {
                outputs: Arc::clone(&outputs),
                rows,
                queue_time,
                inference_time,
                batch_size,
            };
            // A client that has hung up meanwhile needs no answer.
            let _ = job.reply.send(Ok(slice));
        }
    }
}

/// The inputs of some jobs, `[batch, …]`, one after the other in `buffer`.
fn gather<'a>(
    buffer: &'a mut Vec<f32>,
    jobs: &[Job<Outputs>],
    batch: usize,
) -> Result<ArrayViewD<'a, f32>, RuntimeError> {
    buffer.clear();
    let mut shape = IxDyn(&[0]);
    for job in jobs {
        let inputs = job.inputs();
        shape = inputs.raw_dim();
        append(buffer, &inputs);
    }
    shape[0] = batch;
    ArrayViewD::from_shape(shape, buffer)
        .map_err(|error| RuntimeError::Run { reason: error.to_string() })
}

/// Workers for a model where none were asked for: one a core on the CPU, one on a GPU.
pub(crate) fn default_count(provider: Provider) -> usize {
    match provider {
        Provider::Cpu => thread::available_parallelism().map_or(1, std::num::NonZero::get),
        Provider::Cuda(_) => 1,
    }
}
