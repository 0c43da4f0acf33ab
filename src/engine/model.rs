//! A served model: its manifest, its queue and its workers.

use std::{
    collections::VecDeque,
    num::NonZero,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use drsn_bundle::{
    Bundle, Golden, Manifest,
    runtime::{Provider, Runtime, RuntimeError},
};
use hyper::body::Bytes;

use crate::{
    config::Config,
    engine::{
        cap::Cap,
        change::ChangeWatch,
        class_map::MapShape,
        inputs::Inputs,
        magnitudes::UsualMagnitudes,
        pending::{Pending, new_job, whole_job},
        queue::{BatchSlice, Job, Limits, PushError, Queue, StreamId},
        session::{ModelSession, Outputs, choose_provider},
        tuning::{Batching, Tuning},
        worker::{self, WorkerContext, Workers},
    },
    error::{ApiError, ErrorKind},
    observability::{
        metrics::{Metrics, ModelIdentity, ModelLabels, ModelMetrics},
        statistics::Tally,
    },
};

pub(crate) use super::pending::answer_of;

/// How often a stream checks whether a full queue has room again.
const ROOM_PAUSE: Duration = Duration::from_millis(10);

/// A model that answers requests.
#[derive(Debug)]
pub(crate) struct Model {
    /// Name and version under which it is served.
    pub(crate) labels: ModelLabels,
    pub(crate) metrics: ModelMetrics,
    /// The execution provider in use.
    pub(crate) provider: Provider,
    /// The shape of its class activation map, if it has one.
    pub(crate) map: Option<MapShape>,
    /// What the rolling view compares with, for a model with a baseline of the shift.
    pub(crate) usual: Option<UsualMagnitudes>,
    /// The test for changes over all inputs, for a model with such a baseline.
    pub(crate) change: Option<ChangeWatch>,
    /// What is usual for it, as JSON; empty until it is requested.
    pub(crate) usual_json: OnceLock<Bytes>,
    bundle: Arc<Bundle>,
    queue: Arc<Queue<Outputs>>,
    cap: Arc<Cap>,
    workers: Arc<Workers<Outputs>>,
    tuning: Tuning,
}

/// A model that is no longer served. Its last requests may still be running.
#[derive(Debug)]
pub(crate) struct RetiredModel {
    queue: Arc<Queue<Outputs>>,
    workers: Arc<Workers<Outputs>>,
}

impl RetiredModel {
    /// Whether its last request was answered and its memory released.
    pub(crate) fn is_over(&self) -> bool {
        self.workers.have_ended()
    }

    /// Drops the requests that still wait, and returns when the workers have ended, or at `until`;
    /// true if none of their threads computes any more.
    pub(crate) fn stop(&self, until: Instant) -> bool {
        self.queue.abandon();
        self.workers.join(until)
    }
}

impl Model {
    /// Starts the workers of a bundle, and returns when all of them are ready. They are tasks of
    /// the async runtime in whose context this is called.
    ///
    /// # Errors
    /// [`RuntimeError`] if the model does not run on this machine, or does not return its golden
    /// outputs.
    pub(crate) fn start(
        bundle: Bundle,
        labels: ModelLabels,
        config: &Config,
        runtime: &Runtime,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, RuntimeError> {
        let provider = choose_provider(runtime, &bundle, config.device)?;
        let bundle = Arc::new(bundle);
        let Batching { cap, ceiling, tuning, session } =
            Batching::choose(config.max_batch, runtime, &bundle, provider)?;
        let metrics = metrics.model(ModelIdentity {
            labels: labels.clone(),
            classes: bundle.manifest.classes.clone(),
            blocks: bundle.manifest.blocks.iter().map(|block| block.name.to_string()).collect(),
            requested: config.device.to_string(),
            actual: provider.name(),
        });
        let (max_batch, cap) = (cap.size(), Arc::new(cap));
        metrics.max_batch.set(max_batch as i64);
        let count = config.workers.map_or_else(|| worker::default_count(provider), NonZero::get);
        let queue = Arc::new(Queue::new(Limits {
            requests: config.queue.get(),
            batch: ceiling,
            wait: config.max_wait(),
            workers: count,
        }));
        queue.set_cap(max_batch);
        let open = {
            let (runtime, bundle) = (runtime.clone(), Arc::clone(&bundle));
            move |given: Option<ModelSession>| {
                let given =
                    given.map_or_else(|| ModelSession::open(&runtime, &bundle, provider), Ok);
                let mut session = given?;
                session.warm_up(max_batch)?;
                Ok(session)
            }
        };
        let context = WorkerContext::new(
            &labels.model,
            Arc::new(open),
            Arc::clone(&queue),
            Arc::clone(&cap),
            metrics.clone(),
        );
        let (map, usual) = (session.map(), UsualMagnitudes::of(&bundle.manifest));
        let change = ChangeWatch::of(&bundle.manifest, config.false_alarm_every.get());
        let workers = Arc::new(Workers::start(&context, count, Some(session))?);
        Ok(Self {
            labels,
            metrics,
            provider,
            map,
            usual,
            change,
            usual_json: OnceLock::new(),
            bundle,
            queue,
            cap,
            workers,
            tuning,
        })
    }

    pub(crate) fn manifest(&self) -> &Manifest {
        &self.bundle.manifest
    }

    /// Memory of an input's class activation map, in bytes.
    pub(crate) fn map_bytes(&self) -> u64 {
        let positions = self.map.map_or(0, MapShape::positions);
        (self.manifest().classes.len() * positions * size_of::<f32>()) as u64
    }

    /// The prepared inputs with known outputs that every engine must reproduce.
    pub(crate) fn golden(&self) -> &Golden {
        &self.bundle.golden
    }

    /// Largest number of inputs in a batch, which may change while the model serves.
    pub(crate) fn max_batch(&self) -> usize {
        self.cap.size()
    }

    /// The time per input by batch size, measured at the start; empty if the batch size was
    /// configured.
    pub(crate) fn tuning(&self) -> &Tuning {
        &self.tuning
    }

    /// The parts of the model that outlive it.
    pub(crate) fn retire(&self) -> RetiredModel {
        RetiredModel { queue: Arc::clone(&self.queue), workers: Arc::clone(&self.workers) }
    }

    /// Whether every worker is running, and none of them keeps a thread of the connections stuck.
    pub(crate) fn is_healthy(&self) -> bool {
        self.workers.all_running()
    }

    /// Queues prepared inputs and waits for their outputs, which are in the order of the inputs.
    /// With `detailed` they include those of the second graph.
    ///
    /// # Errors
    /// [`ErrorKind::QueueFull`], [`ErrorKind::DeadlineExceeded`], or [`ErrorKind::Internal`] if the
    /// runtime fails.
    pub(crate) async fn infer(
        &self,
        inputs: Inputs,
        detailed: bool,
        deadline: Instant,
    ) -> Result<Vec<BatchSlice<Outputs>>, ApiError> {
        let started = Instant::now();
        let slices = self.outputs(inputs, detailed, deadline).await;
        let tally = slices.as_ref().ok().map(|slices| {
            slices.iter().map(BatchSlice::tally).fold(Tally::default(), Tally::beside)
        });
        self.metrics.statistics.answered(started.elapsed(), tally);
        slices
    }

    /// Queues one prepared input of an admitted stream and waits for its outputs. If the queue is
    /// full, it first waits for room.
    ///
    /// # Errors
    /// As for [`Self::infer`].
    pub(crate) async fn infer_for(
        &self,
        stream: StreamId,
        input: Inputs,
        detailed: bool,
        deadline: Instant,
    ) -> Result<BatchSlice<Outputs>, ApiError> {
        let started = Instant::now();
        let (job, answer) = whole_job(input, detailed, deadline);
        let slice = match self.offer(stream, job).await {
            Ok(()) => answer_of(answer, deadline).await,
            Err(error) => Err(error),
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
                Err((error, _)) => return Err(self.push_error(error)),
            }
            tokio::time::sleep(ROOM_PAUSE).await;
        }
    }

    async fn outputs(
        &self,
        inputs: Inputs,
        detailed: bool,
        deadline: Instant,
    ) -> Result<Vec<BatchSlice<Outputs>>, ApiError> {
        let (mut jobs, mut answers) = (VecDeque::new(), Vec::new());
        let (values, pieces) = inputs.into_pieces(self.max_batch());
        for rows in pieces {
            let (job, answer) = new_job(Arc::clone(&values), rows, detailed, deadline);
            jobs.push_back(job);
            answers.push(answer);
        }
        drop(values);
        self.queue.push(jobs).map_err(|error| self.push_error(error))?;
        let mut slices = Vec::with_capacity(answers.len());
        for answer in answers {
            slices.push(answer_of(answer, deadline).await?);
        }
        Ok(slices)
    }

    /// Whether the queue has room now. A request that would be refused is so before its body is
    /// read and decoded, which costs more than an answer.
    ///
    /// # Errors
    /// [`ErrorKind::QueueFull`], or [`ErrorKind::Draining`] if the model accepts no more requests.
    pub(crate) fn check_room(&self) -> Result<(), ApiError> {
        self.queue.has_room().map_err(|error| self.push_error(error))
    }

    /// Admits one request that will submit its inputs one after another. This decides, once,
    /// whether the queue has room for it.
    ///
    /// # Errors
    /// [`ErrorKind::QueueFull`], or [`ErrorKind::Draining`] if the model accepts no more requests.
    pub(crate) fn admit(&self) -> Result<StreamId, ApiError> {
        self.queue.admit().map_err(|error| self.push_error(error))
    }

    /// Queues some prepared inputs of an admitted request, at most [`Self::max_batch`];
    /// [`answer_of`] waits for their outputs.
    ///
    /// # Errors
    /// [`ErrorKind::Draining`] if the model accepts no more requests.
    pub(crate) fn submit(
        &self,
        stream: StreamId,
        inputs: Inputs,
        detailed: bool,
        deadline: Instant,
    ) -> Result<Pending, ApiError> {
        let (job, answer) = whole_job(inputs, detailed, deadline);
        self.queue.push_for(stream, job).map_err(|error| self.push_error(error))?;
        Ok(answer)
    }

    /// Number of requests that wait for a worker.
    pub(crate) fn queue_depth(&self) -> usize {
        self.queue.depth()
    }

    /// Accepts no more requests, drops those that wait, and returns when the workers have ended, or
    /// at `until`; true if none of their threads computes any more.
    pub(crate) fn stop(&self, until: Instant) -> bool {
        self.metrics.ready.set(0);
        self.queue.abandon();
        self.workers.join(until)
    }

    fn push_error(&self, error: PushError) -> ApiError {
        let model = &self.labels.model;
        match error {
            PushError::Full => ErrorKind::QueueFull
                .because(format!("the queue of model {model} is full; retry shortly")),
            PushError::Closed => {
                ErrorKind::Draining.because(format!("model {model} accepts no more requests"))
            }
        }
    }
}

impl Drop for Model {
    /// Requests hold their model, so none waits in the queue. The workers end by themselves:
    /// waiting for them here would delay the last request.
    fn drop(&mut self) {
        self.queue.abandon();
    }
}

/// Microseconds, for an answer's `timing`.
pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
