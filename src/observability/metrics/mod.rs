//! Prometheus metrics. Labels have few values: names of served models, never text that a client
//! sent.

mod baseline;
mod capture;
mod code;
mod labels;
mod process;
mod series;
mod text;

use std::sync::Arc;

use prometheus_client::{
    encoding::text::encode,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

use baseline::BaselineFamilies;
pub(crate) use baseline::BaselineMetrics;
use capture::CaptureFamily;
pub(crate) use capture::CaptureMetrics;
pub(crate) use code::{ResponseCode, grpc_name};
pub(crate) use labels::ModelLabels;
use labels::{
    BlockLabels, BuildLabels, PredictionLabels, ProtocolLabels, ProviderLabels, RejectionLabels,
    RequestLabels, RestartLabels, StageLabels,
};
use process::ProcessCollector;
pub(crate) use series::ModelIdentity;
use series::{Series, UseCounts};
pub(crate) use text::Format;

use crate::observability::statistics::Statistics;

/// All metrics of the server.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    request_duration: Histograms<ProtocolLabels>,
    stage_duration: Histograms<StageLabels>,
    batch_size: Histograms<ModelLabels>,
    max_batch: Family<ModelLabels, Gauge>,
    worker_restarts: Family<RestartLabels, Counter>,
    queue_depth: Family<ModelLabels, Gauge>,
    /// Requests that are being answered now.
    pub(crate) inflight_requests: Gauge,
    inflight_bytes: Gauge,
    rejected: Family<RejectionLabels, Counter>,
    predictions: Family<PredictionLabels, Counter>,
    model_ready: Family<ModelLabels, Gauge>,
    model_load_duration: Histograms<ModelLabels>,
    execution_provider: Family<ProviderLabels, Gauge>,
    threshold: Histograms<BlockLabels>,
    baseline: BaselineFamilies,
    captures: CaptureFamily,
    used: UseCounts,
}

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// The metrics of one model, looked up once, so that a request need not look them up.
#[derive(Debug, Clone)]
pub(crate) struct ModelMetrics {
    /// HTTP requests answered with 200; the counters of other codes are looked up each time.
    pub(crate) answered: Counter,
    /// HTTP requests, from the headers to the answer.
    pub(crate) request_duration: Histogram,
    /// gRPC calls, from the headers to the answer.
    pub(crate) grpc_duration: Histogram,
    /// Counts and durations for the Open Inference Protocol.
    pub(crate) statistics: Arc<Statistics>,
    /// From the body to prepared inputs.
    pub(crate) decode: Histogram,
    /// Waiting for a worker.
    pub(crate) queue: Histogram,
    /// Inference of a batch in ONNX Runtime.
    pub(crate) inference: Histogram,
    /// From the outputs to the answer's bytes.
    pub(crate) encode: Histogram,
    /// Inputs in a batch.
    pub(crate) batch_size: Histogram,
    /// Inputs in the largest batch that is allowed now.
    pub(crate) max_batch: Gauge,
    /// Workers that got a new session after a panic.
    pub(crate) restarts_after_panic: Counter,
    /// Workers that were replaced because a batch did not end.
    pub(crate) restarts_after_hang: Counter,
    /// Requests that wait for a worker.
    pub(crate) queue_depth: Gauge,
    /// 1 while the model accepts requests, otherwise 0.
    pub(crate) ready: Gauge,
    /// From reading the first byte to ready.
    pub(crate) load_duration: Histogram,
    /// Predictions, by class.
    predictions: Vec<Counter>,
    /// Mean threshold for an input, by block.
    pub(crate) thresholds: Vec<Histogram>,
    /// How unusual inputs are.
    pub(crate) baseline: BaselineMetrics,
    /// Dropping the last clone removes the model's series.
    _series: Arc<Series>,
}

impl ModelMetrics {
    /// Counts an answer with this most probable class.
    pub(crate) fn count_prediction(&self, class: usize) {
        if let Some(counter) = self.predictions.get(class) {
            counter.inc();
        }
        self.baseline.rolling.add_prediction(class);
    }
}

/// 50 µs to 26 s, each bucket twice the one before.
fn durations() -> Histogram {
    Histogram::new(exponential_buckets(50e-6, 2.0, 20))
}

/// 1 to 256 inputs.
fn sizes() -> Histogram {
    Histogram::new(exponential_buckets(1.0, 2.0, 9))
}

/// 0.001 to 33, for thresholds, which are magnitudes of features.
fn magnitudes() -> Histogram {
    Histogram::new(exponential_buckets(1e-3, 2.0, 16))
}

impl Metrics {
    /// All metrics, with no values yet.
    pub(crate) fn new() -> Arc<Self> {
        let duration: fn() -> Histogram = durations;
        let size: fn() -> Histogram = sizes;
        let magnitude: fn() -> Histogram = magnitudes;
        let mut metrics = Self {
            registry: Registry::default(),
            requests: Family::default(),
            request_duration: Family::new_with_constructor(duration),
            stage_duration: Family::new_with_constructor(duration),
            batch_size: Family::new_with_constructor(size),
            max_batch: Family::default(),
            worker_restarts: Family::default(),
            queue_depth: Family::default(),
            inflight_requests: Gauge::default(),
            inflight_bytes: Gauge::default(),
            rejected: Family::default(),
            predictions: Family::default(),
            model_ready: Family::default(),
            model_load_duration: Family::new_with_constructor(duration),
            execution_provider: Family::default(),
            threshold: Family::new_with_constructor(magnitude),
            baseline: BaselineFamilies::new(),
            captures: CaptureFamily::default(),
            used: UseCounts::default(),
        };
        metrics.register_requests();
        metrics.register_models();
        metrics.register_server();
        Arc::new(metrics)
    }

    fn register_requests(&mut self) {
        let r = &mut self.registry;
        r.register(
            "drsn_requests",
            "Requests answered, by HTTP status or gRPC code",
            self.requests.clone(),
        );
        r.register_with_unit(
            "drsn_request_duration",
            "Time from a request's headers to its answer",
            Unit::Seconds,
            self.request_duration.clone(),
        );
        r.register_with_unit(
            "drsn_stage_duration",
            "Time in each stage of a request: decode, queue, inference, encode",
            Unit::Seconds,
            self.stage_duration.clone(),
        );
        r.register("drsn_batch_size", "Inputs in a batch", self.batch_size.clone());
        r.register("drsn_queue_depth", "Requests that wait for a worker", self.queue_depth.clone());
        r.register(
            "drsn_inflight_requests",
            "Requests that are being answered now",
            self.inflight_requests.clone(),
        );
        r.register(
            "drsn_inflight_bytes",
            "Bytes of bodies and decoded inputs in memory",
            self.inflight_bytes.clone(),
        );
        r.register("drsn_rejected", "Requests rejected, by reason", self.rejected.clone());
        r.register(
            "drsn_predictions",
            "Inputs classified, by most probable class",
            self.predictions.clone(),
        );
    }

    fn register_models(&mut self) {
        let r = &mut self.registry;
        r.register(
            "drsn_model_ready",
            "1 if the model accepts requests, otherwise 0",
            self.model_ready.clone(),
        );
        r.register_with_unit(
            "drsn_model_load_duration",
            "Time to read, check and warm up a model",
            Unit::Seconds,
            self.model_load_duration.clone(),
        );
        r.register(
            "drsn_execution_provider_info",
            "The configured device, and the execution provider in use",
            self.execution_provider.clone(),
        );
        r.register(
            "drsn_threshold",
            "Mean threshold of a block for one input",
            self.threshold.clone(),
        );
        r.register(
            "drsn_max_batch",
            "Inputs in the largest batch that is allowed now",
            self.max_batch.clone(),
        );
        r.register(
            "drsn_worker_restarts",
            "Workers that got a new session: after a panic, or because a batch did not end (hang)",
            self.worker_restarts.clone(),
        );
        self.baseline.register(r);
        self.captures.register(r);
    }

    fn register_server(&mut self) {
        let build = Family::<BuildLabels, Gauge>::default();
        build
            .get_or_create(&BuildLabels {
                version: env!("CARGO_PKG_VERSION"),
                revision: option_env!("DRSN_REVISION").unwrap_or("unknown"),
            })
            .set(1);
        let r = &mut self.registry;
        r.register("drsn_build_info", "Version and source revision of the server", build);
        r.register_collector(Box::new(ProcessCollector));
    }

    /// The metrics of one model. Their series exist, with zeros, until the last clone of the result
    /// is dropped.
    pub(crate) fn model(self: &Arc<Self>, identity: ModelIdentity) -> ModelMetrics {
        let series = Series::start(self, identity);
        let ModelIdentity { labels, .. } = series.identity();
        let stage = |stage| self.stage_duration.get_or_create_owned(&labels.stage(stage));
        let duration = |protocol| {
            let labels = labels.protocol(protocol);
            self.request_duration.get_or_create_owned(&labels)
        };
        let restarts = |reason| self.worker_restarts.get_or_create_owned(&labels.restart(reason));
        let classes = series.identity().class_labels();
        let blocks = series.identity().block_labels();
        ModelMetrics {
            answered: self.requests.get_or_create_owned(&labels.answered()),
            request_duration: duration("http"),
            grpc_duration: duration("grpc"),
            statistics: Arc::default(),
            decode: stage("decode"),
            queue: stage("queue"),
            inference: stage("inference"),
            encode: stage("encode"),
            batch_size: self.batch_size.get_or_create_owned(labels),
            max_batch: self.max_batch.get_or_create_owned(labels),
            restarts_after_panic: restarts("panic"),
            restarts_after_hang: restarts("hang"),
            queue_depth: self.queue_depth.get_or_create_owned(labels),
            ready: self.model_ready.get_or_create_owned(labels),
            load_duration: self.model_load_duration.get_or_create_owned(labels),
            predictions: classes.map(|l| self.predictions.get_or_create_owned(&l)).collect(),
            thresholds: blocks.map(|l| self.threshold.get_or_create_owned(&l)).collect(),
            baseline: self.baseline.of(series.identity()),
            _series: Arc::new(series),
        }
    }

    /// Counts an answer; `model` is `None` if the request was answered before its model was known.
    /// Callers that count for a model hold it, so that nothing is counted after its series were
    /// removed.
    pub(crate) fn count_request(&self, model: Option<&ModelLabels>, code: ResponseCode) {
        let (model, version) = model
            .map_or_else(Default::default, |labels| (labels.model.clone(), labels.version.clone()));
        let labels = RequestLabels { model, version, protocol: code.protocol(), code };
        self.requests.get_or_create(&labels).inc();
        self.used.note_request(labels);
    }

    /// Counts a rejected request.
    pub(crate) fn count_rejection(&self, model: Option<&ModelLabels>, reason: &'static str) {
        let model = model.map_or_else(String::new, |labels| labels.model.clone());
        let labels = RejectionLabels { model, reason };
        self.rejected.get_or_create(&labels).inc();
        self.used.note_rejection(labels);
    }

    /// All metrics as text. `inflight_bytes` are the bytes reserved now.
    ///
    /// # Errors
    /// None in practice: the encoder's signature has an error, but writing to a string does not
    /// fail.
    pub(crate) fn render(
        &self,
        format: Format,
        inflight_bytes: u64,
    ) -> Result<String, std::fmt::Error> {
        self.inflight_bytes.set(i64::try_from(inflight_bytes).unwrap_or(i64::MAX));
        let mut open_metrics = String::new();
        encode(&mut open_metrics, &self.registry)?;
        Ok(format.of(open_metrics))
    }
}
