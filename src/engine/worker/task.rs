//! One worker: it takes batches from the queue and answers their jobs.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use drsn_bundle::runtime::RuntimeError;
use ndarray::{ArrayD, ArrayViewD, Axis, IxDyn, Slice};
use tokio::task::block_in_place;

use super::{
    Compute, WorkerContext,
    post::{Post, Work},
};
use crate::engine::{
    allocator,
    cap::Computed,
    inputs::append,
    queue::{Batch, BatchSlice, Job, JobError},
};

/// Longest computation on a thread whose connections wait meanwhile: as long as the scheduler may
/// let a thread keep a core while another one wants it.
const SHORT: Duration = Duration::from_millis(4);

/// A worker: its session and what it needs to answer batches.
pub(super) struct Worker<C: Compute> {
    session: C,
    context: WorkerContext<C>,
    /// Where the watchdog sees what it does.
    post: Arc<Post<C::Outputs>>,
    /// The inputs of a batch of several jobs, one after the other.
    buffer: Vec<f32>,
    /// Inference time per input in the last batch; `None` before the first one.
    time_per_input: Option<Duration>,
}

/// A batch that is being computed.
pub(super) struct Run {
    started: Instant,
    /// Whether any job needs the second graph.
    detailed: bool,
    batch_size: usize,
    inputs: Gathered,
    /// The largest batch when it was taken.
    cap: usize,
    clock: Clock,
}

/// How a batch ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    Answered,
    /// The watchdog did not wait for it, and has answered the batch.
    TakenOff,
}

impl<C: Compute> Worker<C> {
    pub(super) fn new(session: C, context: WorkerContext<C>, post: Arc<Post<C::Outputs>>) -> Self {
        Self { session, context, post, buffer: Vec::new(), time_per_input: None }
    }

    /// Answers batches until the queue is closed and empty.
    pub(super) async fn run(mut self) {
        let mut is_short = false;
        while let Some(batch) = self.context.crew.queue.next_batch().await {
            if batch.jobs.is_empty() {
                continue;
            }
            is_short = self.is_short(&batch.jobs);
            let goes_on = if is_short {
                self.answer_or_recover(batch, is_short)
            } else {
                block_in_place(|| self.answer_or_recover(batch, is_short))
            };
            if !goes_on {
                break;
            }
        }
        // Releasing a session and its memory takes milliseconds.
        block_in_place(|| {
            let Self { session, context, post, .. } = self;
            drop(session);
            if !post.leave() {
                context.crew.came_back(is_short);
            }
        });
    }

    /// Whether a batch is expected to take so little time that connections can wait for it. A batch
    /// on a GPU never counts as short: its thread only waits, and can serve connections meanwhile.
    fn is_short(&self, batch: &[Job<C::Outputs>]) -> bool {
        let inputs: usize = batch.iter().map(Job::count).sum();
        let expected =
            self.time_per_input.and_then(|time| time.checked_mul(u32::try_from(inputs).ok()?));
        self.session.is_on_cpu() && expected.is_some_and(|time| time <= SHORT)
    }

    /// Answers a batch; after a panic it opens a new session. Returns whether the worker has a
    /// usable session.
    fn answer_or_recover(&mut self, batch: Batch<C::Outputs>, is_short: bool) -> bool {
        if let Ok(end) = catch_unwind(AssertUnwindSafe(|| self.answer(batch, is_short))) {
            return end == End::Answered;
        }
        // This drops the jobs' replies, so their requests fail.
        drop(self.post.end());
        let model = &self.context.name;
        tracing::error!(%model, "worker panicked; restarting it");
        self.post.begin(Work::opening());
        let opened = (self.context.open)(None);
        if self.post.end().is_none() {
            return false;
        }
        match opened {
            Ok(session) => self.session = session,
            Err(error) => {
                tracing::error!(%model, %error, "cannot restart the worker");
                return false;
            }
        }
        self.context.metrics.restarts_after_panic.inc();
        true
    }

    /// Runs one batch and answers its jobs.
    fn answer(&mut self, batch: Batch<C::Outputs>, is_short: bool) -> End {
        let run = self.begin(batch, is_short);
        let outputs = self.compute(&run);
        self.finish(run, outputs)
    }

    /// Computes a batch.
    pub(super) fn compute(&mut self, run: &Run) -> Result<C::Outputs, RuntimeError> {
        let inputs = run.inputs.view(&self.buffer);
        inputs.and_then(|inputs| self.session.run(inputs, run.detailed))
    }

    /// Puts a batch where the watchdog sees it.
    pub(super) fn begin(&mut self, batch: Batch<C::Outputs>, is_short: bool) -> Run {
        let started = Instant::now();
        let detailed = batch.jobs.iter().any(|job| job.detailed);
        let batch_size = batch.jobs.iter().map(Job::count).sum();
        let inputs = gather(&mut self.buffer, &batch.jobs, batch_size);
        let cap = batch.cap;
        let clock = Clock::start(self.context.cap.is_comparing() && !detailed);
        self.post.begin(Work::batch(batch, self.session.stopper(), is_short));
        Run { started, detailed, batch_size, inputs, cap, clock }
    }

    /// Answers the jobs of a batch, unless the watchdog has.
    pub(super) fn finish(&mut self, run: Run, outputs: Result<C::Outputs, RuntimeError>) -> End {
        let Run { started, batch_size, cap, clock, .. } = run;
        let cost = clock.elapsed().filter(|_| outputs.is_ok());
        let Some(batch) = self.post.end().and_then(|work| work.batch) else {
            return End::TakenOff;
        };
        let inference_time = started.elapsed();
        self.time_per_input =
            Some(inference_time / u32::try_from(batch_size).unwrap_or(u32::MAX).max(1));
        let metrics = &self.context.metrics;
        metrics.inference.observe(inference_time.as_secs_f64());
        metrics.batch_size.observe(batch_size as f64);
        metrics.statistics.executed();
        self.context.note_cost(Computed { cap, inputs: batch_size, cost });
        match outputs {
            Ok(outputs) => self.reply(batch, outputs, started, inference_time),
            Err(error) => {
                tracing::error!(%error, batch_size, "batch failed");
                for job in batch.into_jobs() {
                    let _ = job.reply.send(Err(JobError::Failed));
                }
            }
        }
        End::Answered
    }

    /// Gives each job its rows of the outputs.
    fn reply(
        &self,
        batch: Batch<C::Outputs>,
        outputs: C::Outputs,
        started: Instant,
        inference_time: Duration,
    ) {
        let (outputs, mut first) = (Arc::new(outputs), 0);
        let batch_size = batch.jobs.iter().map(Job::count).sum();
        for job in batch.into_jobs() {
            let queue_time = started.duration_since(job.queued);
            self.context.metrics.queue.observe(queue_time.as_secs_f64());
            let rows = first..first + job.count();
            first = rows.end;
            let outputs = Arc::clone(&outputs);
            let slice = BatchSlice { outputs, rows, queue_time, inference_time, batch_size };
            // This fails if the client has hung up meanwhile, and needs no answer.
            let _ = job.reply.send(Ok(slice));
        }
    }
}

/// The CPU time of a computation on this thread, if it is wanted and the system tells it.
struct Clock(Option<Duration>);

impl Clock {
    fn start(is_wanted: bool) -> Self {
        Self(is_wanted.then(allocator::thread_cpu_time).flatten())
    }

    /// Microseconds since the start.
    fn elapsed(&self) -> Option<f64> {
        let spent = allocator::thread_cpu_time;
        self.0.and_then(|start| Some(spent()?.saturating_sub(start).as_secs_f64() * 1e6))
    }
}

impl<C: Compute> WorkerContext<C> {
    /// Notes what a batch cost, which may change how large batches get.
    fn note_cost(&self, batch: Computed) {
        let Some(step) = self.cap.note(batch) else { return };
        self.crew.queue.set_cap(step.next);
        if let Some((before, now)) = step.changed {
            self.metrics.max_batch.set(now as i64);
            tracing::info!(model = %self.name, before, now, "the largest batch was changed");
        }
    }
}

/// Where the inputs of a batch are.
enum Gathered {
    /// With their request: these rows.
    Rows(Arc<ArrayD<f32>>, Slice),
    /// In the worker's buffer, in this shape.
    Buffer(IxDyn),
}

impl Gathered {
    /// The inputs, `[batch, …]`.
    fn view<'a>(&'a self, buffer: &'a [f32]) -> Result<ArrayViewD<'a, f32>, RuntimeError> {
        match self {
            Self::Rows(values, rows) => Ok(values.slice_axis(Axis(0), *rows)),
            Self::Buffer(shape) => ArrayViewD::from_shape(shape.clone(), buffer)
                .map_err(|error| RuntimeError::Run { reason: error.to_string() }),
        }
    }
}

/// Finds the inputs of a batch; those of several jobs are copied into `buffer`, one after the other.
fn gather<O>(buffer: &mut Vec<f32>, jobs: &[Job<O>], batch: usize) -> Gathered {
    if let [job] = jobs {
        return Gathered::Rows(Arc::clone(&job.values), Slice::from(job.rows.clone()));
    }
    buffer.clear();
    let mut shape = IxDyn(&[0]);
    for job in jobs {
        let inputs = job.inputs();
        shape = inputs.raw_dim();
        append(buffer, &inputs);
    }
    shape[0] = batch;
    Gathered::Buffer(shape)
}
