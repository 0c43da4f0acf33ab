//! A served model: its manifest, its queue and its workers.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use drsn_bundle::{
    Bundle, Manifest,
    runtime::{Provider, Runtime, RuntimeError},
};
use tokio::sync::oneshot;

use crate::{
    batcher::{Job, JobError, Limits, PushError, Queue, Share, StreamId},
    config::{Config, MaxBatch},
    decode::{Inputs, Piece},
    error::{ApiError, ErrorKind},
    metrics::{Metrics, ModelLabels, ModelMetrics, ModelStory},
    session::{ModelSession, Outputs, choose_provider},
    statistics::Tally,
    tuning::Tuning,
    worker::{self, Work, Workers},
};

/// Pause of a stream between two looks whether a full queue has room.
const ROOM_PAUSE: Duration = Duration::from_millis(10);

/// A model that answers requests.
#[derive(Debug)]
pub struct Model {
    /// Name and version under which it is served.
    pub labels: ModelLabels,
    /// Its metrics.
    pub metrics: ModelMetrics,
    /// Where it computes.
    pub provider: Provider,
    bundle: Arc<Bundle>,
    queue: Arc<Queue<Outputs>>,
    workers: Arc<Workers>,
    tuning: Tuning,
}

/// What is left of a model that is served no more: it can still have requests, and workers that end.
#[derive(Debug)]
pub struct Remains {
    queue: Arc<Queue<Outputs>>,
    workers: Arc<Workers>,
}

impl Remains {
    /// Whether the last request is answered and the memory given back.
    pub fn is_over(&self) -> bool {
        self.workers.have_ended()
    }

    /// Drops what still waits, and returns when the workers have ended.
    pub fn stop(&self) {
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
    pub fn start(
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
        let work = Work {
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
    pub fn manifest(&self) -> &Manifest {
        &self.bundle.manifest
    }

    /// Largest batch that it is given.
    pub fn max_batch(&self) -> usize {
        self.queue.max_batch()
    }

    /// What an input costs by batch, as it was measured at the start; empty where the batch was given.
    pub fn tuning(&self) -> &Tuning {
        &self.tuning
    }

    /// What is left of the model when nobody uses it any more.
    pub fn remains(&self) -> Remains {
        Remains { queue: Arc::clone(&self.queue), workers: Arc::clone(&self.workers) }
    }

    /// Whether every worker lives.
    pub fn is_healthy(&self) -> bool {
        self.workers.all_alive()
    }

    /// Queues prepared inputs and waits for their outputs, which come in the inputs' order.
    ///
    /// # Errors
    /// [`ErrorKind::QueueFull`], [`ErrorKind::DeadlineExceeded`], or [`ErrorKind::Internal`] where the runtime fails.
    pub async fn infer(
        &self,
        inputs: Inputs,
        zeroed: bool,
        deadline: Instant,
    ) -> Result<Vec<Share<Outputs>>, ApiError> {
        let started = Instant::now();
        let shares = self.outputs(inputs, zeroed, deadline).await;
        let tally = shares.as_ref().ok().map(|shares| Tally::of(shares));
        self.metrics.statistics.answered(started.elapsed(), tally);
        shares
    }

    /// Queues one prepared input of a stream that was admitted, and waits for its outputs; where the queue is full, for
    /// room first.
    ///
    /// # Errors
    /// As [`Self::infer`].
    pub async fn infer_for(
        &self,
        stream: StreamId,
        input: Inputs,
        zeroed: bool,
        deadline: Instant,
    ) -> Result<Share<Outputs>, ApiError> {
        let started = Instant::now();
        let (reply, answer) = oneshot::channel();
        let (count, values) = (input.count(), input.into_values());
        let range = 0..values.len();
        let queued = Instant::now();
        let job = Job { values: Arc::new(values), range, count, zeroed, queued, deadline, reply };
        let share = match self.offer(stream, job).await {
            Ok(()) => answer_of(answer, deadline).await,
            Err(refusal) => Err(refusal),
        };
        let tally = share.as_ref().ok().map(|share| Tally::of(std::slice::from_ref(share)));
        self.metrics.statistics.answered(started.elapsed(), tally);
        share
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
    ) -> Result<Vec<Share<Outputs>>, ApiError> {
        let (mut jobs, mut answers) = (VecDeque::new(), Vec::new());
        let (values, pieces) = inputs.into_pieces(self.max_batch());
        for Piece { range, count } in pieces {
            let (reply, answer) = oneshot::channel();
            answers.push(answer);
            jobs.push_back(Job {
                values: Arc::clone(&values),
                range,
                count,
                zeroed,
                queued: Instant::now(),
                deadline,
                reply,
            });
        }
        drop(values);
        self.queue.push(jobs).map_err(|refusal| self.refused(refusal))?;
        let mut shares = Vec::with_capacity(answers.len());
        for answer in answers {
            shares.push(answer_of(answer, deadline).await?);
        }
        Ok(shares)
    }

    /// Admits one request whose inputs come one after another; its place in the queue is decided here, once.
    ///
    /// # Errors
    /// [`ErrorKind::QueueFull`], or [`ErrorKind::Draining`] where the model takes no more.
    pub fn admit(&self) -> Result<StreamId, ApiError> {
        self.queue.admit().map_err(|refusal| self.refused(refusal))
    }

    /// Queues some prepared inputs of an admitted request, at most [`Self::max_batch`]; [`answer_of`] waits for them.
    ///
    /// # Errors
    /// [`ErrorKind::Draining`] where the model takes no more.
    pub fn submit(
        &self,
        stream: StreamId,
        values: Vec<f32>,
        count: usize,
        zeroed: bool,
        deadline: Instant,
    ) -> Result<Pending, ApiError> {
        let (reply, answer) = oneshot::channel();
        let range = 0..values.len();
        let queued = Instant::now();
        let job = Job { values: Arc::new(values), range, count, zeroed, queued, deadline, reply };
        self.queue.push_for(stream, job).map_err(|refusal| self.refused(refusal))?;
        Ok(answer)
    }

    /// Requests that wait.
    pub fn queue_depth(&self) -> usize {
        self.queue.depth()
    }

    /// Takes no more requests, drops those that wait, and returns when the workers have ended.
    pub fn stop(&self) {
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

/// An answer that is on its way.
pub type Pending = oneshot::Receiver<Result<Share<Outputs>, JobError>>;

/// Waits for an answer.
///
/// # Errors
/// [`ErrorKind::DeadlineExceeded`], or [`ErrorKind::Internal`] where the runtime fails.
pub async fn answer_of(answer: Pending, deadline: Instant) -> Result<Share<Outputs>, ApiError> {
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
pub fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
