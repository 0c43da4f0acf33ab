//! One worker: it takes batches from the queue and answers their jobs.

use std::{
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use drsn_bundle::runtime::{Provider, RuntimeError};
use ndarray::{ArrayViewD, IxDyn};
use tokio::task::block_in_place;

use super::{RunningGuard, WorkerContext, warm_session};
use crate::engine::{
    inputs::append,
    queue::{BatchSlice, Job, JobError},
    session::{ModelSession, Outputs},
};

/// Longest computation on a thread whose connections wait meanwhile: as long as the scheduler may
/// let a thread keep a core while another one wants it.
const SHORT: Duration = Duration::from_millis(4);

/// A worker: its session and what it needs to answer batches.
#[derive(Debug)]
pub(super) struct Worker {
    session: ModelSession,
    context: WorkerContext,
    /// The inputs of a batch of several jobs, one after the other.
    buffer: Vec<f32>,
    /// Inference time per input in the last batch; `None` before the first one.
    time_per_input: Option<Duration>,
}

impl Worker {
    pub(super) fn new(session: ModelSession, context: WorkerContext) -> Self {
        Self { session, context, buffer: Vec::new(), time_per_input: None }
    }

    /// Answers batches until the queue is closed and empty.
    pub(super) async fn run(mut self, guard: RunningGuard) {
        while let Some(mut batch) = self.context.queue.next_batch().await {
            let jobs = mem::take(&mut batch.jobs);
            if jobs.is_empty() {
                continue;
            }
            let has_session = if self.is_short(&jobs) {
                self.answer_or_recover(jobs)
            } else {
                block_in_place(|| self.answer_or_recover(jobs))
            };
            if !has_session {
                break;
            }
        }
        // Releasing a session and its memory takes milliseconds.
        block_in_place(|| {
            drop(self);
            drop(guard);
        });
    }

    /// Whether a batch is expected to take so little time that connections can wait for it. A batch
    /// on a GPU never counts as short: its thread only waits, and can serve connections meanwhile.
    fn is_short(&self, batch: &[Job<Outputs>]) -> bool {
        let inputs: usize = batch.iter().map(Job::count).sum();
        let expected =
            self.time_per_input.and_then(|time| time.checked_mul(u32::try_from(inputs).ok()?));
        self.session.provider() == Provider::Cpu && expected.is_some_and(|time| time <= SHORT)
    }

    /// Answers a batch; after a panic it opens a new session. Returns whether the worker has a
    /// usable session.
    fn answer_or_recover(&mut self, batch: Vec<Job<Outputs>>) -> bool {
        if catch_unwind(AssertUnwindSafe(|| self.answer(batch))).is_ok() {
            return true;
        }
        // The panic dropped the jobs' replies, so their requests fail.
        let model = &self.context.bundle.manifest.name;
        tracing::error!(%model, "worker panicked; restarting it");
        match warm_session(None, &self.context) {
            Ok(session) => self.session = session,
            Err(error) => {
                tracing::error!(%model, %error, "cannot restart the worker");
                return false;
            }
        }
        true
    }

    /// Runs one batch and answers its jobs.
    fn answer(&mut self, batch: Vec<Job<Outputs>>) {
        let started = Instant::now();
        let batch_size = batch.iter().map(Job::count).sum::<usize>();
        let outputs = self.infer(&batch, batch_size);
        let inference_time = started.elapsed();
        self.time_per_input =
            Some(inference_time / u32::try_from(batch_size).unwrap_or(u32::MAX).max(1));
        let metrics = &self.context.metrics;
        metrics.inference.observe(inference_time.as_secs_f64());
        metrics.batch_size.observe(batch_size as f64);
        metrics.statistics.executed();
        let outputs = match outputs {
            Ok(outputs) => Arc::new(outputs),
            Err(error) => {
                tracing::error!(%error, batch_size, "batch failed");
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
            let outputs = Arc::clone(&outputs);
            let slice = BatchSlice { outputs, rows, queue_time, inference_time, batch_size };
            // This fails if the client has hung up meanwhile, and needs no answer.
            let _ = job.reply.send(Ok(slice));
        }
    }

    /// The outputs for the inputs of all jobs. The graph that also counts zeroed features runs if
    /// any job needs it.
    fn infer(&mut self, jobs: &[Job<Outputs>], batch_size: usize) -> Result<Outputs, RuntimeError> {
        let zeroed = jobs.iter().any(|job| job.zeroed);
        let inputs = match jobs {
            [job] => job.inputs(),
            jobs => concatenate(&mut self.buffer, jobs, batch_size)?,
        };
        self.session.run(inputs, zeroed)
    }
}

/// Copies the inputs of some jobs into `buffer`, one after the other, and returns them as `[batch,
/// …]`.
fn concatenate<'a>(
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
