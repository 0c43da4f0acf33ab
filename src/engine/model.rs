//! A served model: its manifest, its queue and its workers.

use std::{
    collections::VecDeque,
    ops::Range,
    sync::Arc,
    time::{Duration, Instant},
};

use drsn_bundle::{
    Bundle, Manifest,
    runtime::{Provider, Runtime, RuntimeError},
};
use ndarray::ArrayD;
use tokio::sync::oneshot;

use crate::{
    config::{Config, MaxBatch},
    engine::{
        inputs::Inputs,
        queue::{BatchSlice, Job, JobError, Limits, PushError, Queue, StreamId},
        session::{ModelSession, Outputs, choose_provider},
        tuning::Tuning,
        worker::{self, WorkerContext, Workers},
    },
    error::{ApiError, ErrorKind},
    observability::{
        metrics::{Metrics, ModelLabels, ModelMetrics, ModelStory},
        statistics::Tally,
    },
};

/// Pause of a stream between two looks whether a full queue has room.
const ROOM_PAUSE: Duration = Duration::from_millis(10);

/// A model that answers requests.
#[derive(Debug)]
pub(crate) struct Model {
    /// Name and version under which it is served.
    pub(crate) labels: ModelLabels,
    /// Its metrics.
    pub(crate) metrics: ModelMetrics,
    /// Where it computes.
    pub(crate) provider: Provider,
    bundle: Arc<Bundle>,
    queue: Arc<Queue<Outputs>>,
    workers: Arc<Workers>,
    tuning: Tuning,
}

/// What is left of a model that is served no more: it can still have requests, and workers that end.
#[derive(Debug)]
pub(crate) struct RetiredModel {
    queue: Arc<Queue<Outputs>>,
    workers: Arc<Workers>,
}

impl RetiredModel {
    /// Whether the last request is answered and the memory given back.
    pub(crate) fn is_over(&self) -> bool {
        self.workers.have_ended()
    }

    /// Drops what still waits, and returns when the workers have ended.
    pub(crate) fn stop(&self) {
        self.queue.abandon();
        self.workers.join();
    }
}

impl Model {
    /// Puts a bundle to work, and returns when all its workers are ready. Its workers are tasks of the runtime in whose
    /// context this is called.
    ///
    /// # Errors
    /// [`RuntimeError`] where the model does not run here, or does not give its golden outputs.
    pub(crate) fn start(
        bundle: Bundle,
        labels: ModelLabels,
        config: &Config,
        runtime: &Runtime,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, RuntimeError> {
        let provider = choose_provider(runtime, &bundle, config.device)?;
        let bundle = Arc::new(bundle);
        let (max_batch, tuning, session) = match config.max_batch {
            MaxBatch::Fixed(batch) => (batch.get(), Tuning::default(), None),
            MaxBatch::Auto => {
                let mut session = ModelSession::open(runtime, &bundle, provider)?;
                let tuning = Tuning::measure(&mut session)?;
                (tuning.best_batch(), tuning, Some(session))
            }
        };
        let metrics = metrics.model(ModelStory {
            labels: labels.clone(),
            classes: bundle.manifest.classes.clone(),
            blocks: bundle.manifest.blocks.iter().map(|block| block.name.to_string()).collect(),
            requested: config.device.to_string(),
            actual: provider.name(),
        });
        let count =
            config.workers.map_or_else(|| worker::default_count(provider), std::num::NonZero::get);
        let queue = Arc::new(Queue::new(Limits {
            requests: config.queue.get(),
            batch: max_batch,
            wait: config.max_wait(),
            workers: count,
        }));
        let work = WorkerContext {
            runtime: runtime.clone(),
            bundle: Arc::clone(&bundle),
            provider,
            queue: Arc::clone(&queue),
            metrics: metrics.clone(),
        };
        let workers = Arc::new(Workers::start(&work, count, session)?);
        Ok(Self { labels, metrics, provider, bundle, queue, workers, tuning })
    }

    /// What the model says of itself.
    pub(crate) fn manifest(&self) -> &Manifest {
        &self.bundle.manifest
    }

    /// Largest batch that it is given.
    pub(crate) fn max_batch(&self) -> usize {
        self.queue.max_batch()
    }

    /// What an input costs by batch, as it was measured at the start; empty where the batch was given.
    pub(crate) fn tuning(&self) -> &Tuning {
        &self.tuning
    }

    /// What is left of the model when nobody uses it any more.
    pub(crate) fn retire(&self) -> RetiredModel {
        RetiredModel { queue: Arc::clone(&self.queue), workers: Arc::clone(&self.workers) }
    }

    /// Whether every worker lives.
    pub(crate) fn is_healthy(&self) -> bool {
        self.workers.all_alive()
    }

    /// Queues prepared inputs and waits for their outputs, which come in the inputs' order.
    ///
    /// # Errors
    /// [`ErrorKind::QueueFull`], [`ErrorKind::DeadlineExceeded`], or [`ErrorKind::Internal`] where the runtime fails.
    pub(crate) async fn infer(
        &self,
        inputs: Inputs,
        zeroed: bool,
        deadline: Instant,
    ) -> Result<Vec<BatchSlice<Outputs>>, ApiError> {
        let started = Instant::now();
        let slices = self.outputs(inputs, zeroed, deadline).await;
        let tally = slices.as_ref().ok().map(|slices| {
            slices.iter().map(BatchSlice::tally).fold(Tally::default(), Tally::beside)
        });
        self.metrics.statistics.answered(started.elapsed(), tally);
        slices
    }

    /// Queues one prepared input of an admitted stream and waits for its outputs; if the queue is full, it first waits
    /// for room.
    ///
    /// # Errors
    /// As [`Self::infer`].
    pub(crate) async fn infer_for(
        &self,
        stream: StreamId,
        input: Inputs,
        zeroed: bool,
        deadline: Instant,
    ) -> Result<BatchSlice<Outputs>, ApiError> {
        let started = Instant::now();
        let (job, answer) = whole_job(input, zeroed, deadline);
        let slice = match self.offer(stream, job).await {
            Ok(()) => answer_of(answer, deadline).await,
            Err(refusal) => Err(refusal),
        };
        let tally = slice.as_ref().ok().map(BatchSlice::tally);
        self.metrics.statistics.answered(started.elapsed(), tally);
        slice
    }

    async fn offer(&self, stream: StreamId, mut job: Job<Outputs>) -> Result<(), ApiError> {
        loop {
            match self.queue.offer(stream, job) {
                Ok(()) => return Ok(()),
                Err((PushError::Full, back)) if Instant::now() < back.deadline => job = back,
                Err((refusal, _)) => return Err(self.refused(refusal)),
            }
            tokio::time::sleep(ROOM_PAUSE).await;
        }
    }

    async fn outputs(
        &self,
        inputs: Inputs,
        zeroed: bool,
        deadline: Instant,
    ) -> Result<Vec<BatchSlice<Outputs>>, ApiError> {
        let (mut jobs, mut answers) = (VecDeque::new(), Vec::new());
        let (values, pieces) = inputs.into_pieces(self.max_batch());
        for rows in pieces {
            let (job, answer) = new_job(Arc::clone(&values), rows, zeroed, deadline);
            jobs.push_back(job);
            answers.push(answer);
        }
        drop(values);
        self.queue.push(jobs).map_err(|refusal| self.refused(refusal))?;
        let mut slices = Vec::with_capacity(answers.len());
        for answer in answers {
            slices.push(answer_of(answer, deadline).await?);
        }
        Ok(slices)
    }

    /// Admits one request whose inputs come one after another; its place in the queue is decided here, once.
    ///
    /// # Errors
    /// [`ErrorKind::QueueFull`], or [`ErrorKind::Draining`] where the model takes no more.
    pub(crate) fn admit(&self) -> Result<StreamId, ApiError> {
        self.queue.admit().map_err(|refusal| self.refused(refusal))
    }

    /// Queues some prepared inputs of an admitted request, at most [`Self::max_batch`]; [`answer_of`] waits for them.
    ///
    /// # Errors
    /// [`ErrorKind::Draining`] where the model takes no more.
    pub(crate) fn submit(
        &self,
        stream: StreamId,
        inputs: Inputs,
        zeroed: bool,
        deadline: Instant,
    ) -> Result<Pending, ApiError> {
        let (job, answer) = whole_job(inputs, zeroed, deadline);
        self.queue.push_for(stream, job).map_err(|refusal| self.refused(refusal))?;
        Ok(answer)
    }

    /// Requests that wait.
    pub(crate) fn queue_depth(&self) -> usize {
        self.queue.depth()
    }

    /// Takes no more requests, drops those that wait, and returns when the workers have ended.
    pub(crate) fn stop(&self) {
        self.metrics.ready.set(0);
        self.queue.abandon();
        self.workers.join();
    }

    fn refused(&self, refusal: PushError) -> ApiError {
        match refusal {
            PushError::Full => ErrorKind::QueueFull.because(format!(
                "as many requests wait for model {} as may; try again in a moment",
                self.labels.model
            )),
            PushError::Closed => ErrorKind::Draining
                .because(format!("model {} takes no more requests", self.labels.model)),
        }
    }
}

impl Drop for Model {
    /// Requests hold their model, so nobody waits in the queue. The workers end by themselves: waiting for them here
    /// would hold up the request that was the last.
    fn drop(&mut self) {
        self.queue.abandon();
    }
}

/// One job of all inputs.
fn whole_job(inputs: Inputs, zeroed: bool, deadline: Instant) -> (Job<Outputs>, Pending) {
    let (rows, values) = (0..inputs.count(), Arc::new(inputs.into_values()));
    new_job(values, rows, zeroed, deadline)
}

fn new_job(
    values: Arc<ArrayD<f32>>,
    rows: Range<usize>,
    zeroed: bool,
    deadline: Instant,
) -> (Job<Outputs>, Pending) {
    let (reply, answer) = oneshot::channel();
    (Job { values, rows, zeroed, queued: Instant::now(), deadline, reply }, answer)
}

/// An answer that is on its way.
pub(crate) type Pending = oneshot::Receiver<Result<BatchSlice<Outputs>, JobError>>;

/// Waits for an answer.
///
/// # Errors
/// [`ErrorKind::DeadlineExceeded`], or [`ErrorKind::Internal`] where the runtime fails.
pub(crate) async fn answer_of(
    answer: Pending,
    deadline: Instant,
) -> Result<BatchSlice<Outputs>, ApiError> {
    let answer =
        tokio::time::timeout_at(deadline.into(), answer).await.map_err(|_| out_of_time())?;
    match answer {
        Ok(Ok(share)) => Ok(share),
        Ok(Err(JobError::DeadlineExceeded)) => Err(out_of_time()),
        // Without a reply, the worker panicked; it says so in the log.
        Ok(Err(JobError::Failed)) | Err(_) => Err(ApiError::internal()),
    }
}

fn out_of_time() -> ApiError {
    ErrorKind::DeadlineExceeded.because("the request's time was up before it was answered")
}

/// Microseconds for an answer's `timing`.
pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
