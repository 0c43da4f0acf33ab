//! One request from its bytes to its answer, whatever protocol it came by.
//!
//! A face hands over a [`Body`] with [`Options`] and gets an [`Outcome`]; [`Outcome::answer`] is what all protocols tell,
//! typed and serializable. What is too long to be in memory is given to a [`Streaming`] piece by piece instead.
//!
//! ```text
//! Body ─► decode ─► Decoded::Inputs ───────────────────────────► batcher ─► Outcome
//!               └─► Decoded::Recordings ─► Windower ─► Pipeline ─► batcher ─► Summary ─┘
//! bytes ─► Streaming ────────────────┘
//! ```
//!
//! * [`Options`]: what the client wants.
//! * [`Outcome`], [`Answer`]: what it gets.
//! * `pipeline`: windows to the batcher, a few pieces in flight at a time.
//! * `summary`: the answers of a recording's windows to one.
//! * [`Streaming`]: WAV files and raw numbers, while they come.

mod answer;
pub(crate) mod in_flight;
mod pipeline;
mod stream;
mod summary;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use drsn_bundle::InputSpec;
use hyper::body::Bytes;
use ndarray::Array2;
use tokio::task::yield_now;

use crate::{
    engine::model::Model,
    error::ApiError,
    inference::{
        INLINE_BYTES,
        context::RequestContext,
        decode::{
            Decoded, Decoder, FileKind, JsonRequest, PARSING_FACTOR, RawInput, named,
            recording::{check_choice, check_variable},
        },
        diagnostics::{Detail, Wanted},
        options::Options,
    },
};

use answer::RawOutputs;
pub(crate) use answer::{Answer, INLINE_INPUTS, Outcome, Timing};
pub(crate) use stream::{StreamKind, Streaming};

/// How long files of one request are decoded before others have their turn.
const SLICE: Duration = Duration::from_millis(20);

/// What is to be classified. The memory of its bytes has been reserved.
#[derive(Debug)]
pub(crate) enum Body {
    /// A JSON object with inputs, and options beside them.
    Json(Bytes),
    /// Little-endian 32-bit floats in the model's layout.
    Raw(Bytes),
    /// Files, each one input (an array `[N, C, L]` is N of them).
    Files(Vec<File>),
    /// One signal: the samples of each channel.
    Signal(Array2<f32>),
    /// One or more inputs in the model's own shape, before normalisation, one after the other.
    Tensor(Vec<f32>),
}

/// A file of an image or a recording.
#[derive(Debug)]
pub(crate) struct File {
    /// Its name, which is repeated in the answer.
    pub(crate) name: Option<String>,
    /// Its content.
    pub(crate) bytes: Bytes,
    /// What its sender says that it is, or nothing. Its first bytes have the first word, and its name the second.
    pub(crate) declared: Option<FileKind>,
}

impl File {
    /// What it is.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] where nothing tells it: it is never taken for raw numbers.
    pub(crate) fn kind(&self) -> Result<FileKind, ApiError> {
        FileKind::sniff(&self.bytes)
            .or_else(|| self.name.as_deref().and_then(FileKind::of_name))
            .or(self.declared)
            .ok_or_else(|| {
                ApiError::invalid(
                    "unknown file type: neither its first bytes, its name nor its declared type identifies it; send images as PNG, JPEG, WebP, BMP or GIF, and recordings as WAV, CSV, NPY, NPZ or MAT",
                )
            })
    }
}

impl Body {
    /// Whether decoding takes long enough to be done aside.
    fn is_long(&self) -> bool {
        match self {
            Self::Json(bytes) | Self::Raw(bytes) => bytes.len() > INLINE_BYTES,
            Self::Files(_) => true,
            Self::Signal(channels) => channels.len() > INLINE_BYTES / 4,
            Self::Tensor(values) => values.len() > INLINE_BYTES / 4,
        }
    }
}

/// DecodedRequest inputs, and what the client wants to know of them.
struct DecodedRequest {
    model: Arc<Model>,
    decoded: Decoded,
    plan: Plan,
}

/// What is to be done with each input.
#[derive(Debug, Clone, Copy)]
struct Plan {
    wanted: Wanted,
    overlap: f64,
    most_windows: usize,
    deadline: Instant,
}

impl Plan {
    fn new(context: &RequestContext<'_>, options: &Options) -> Self {
        Self {
            wanted: Wanted {
                top_k: options.top_k.unwrap_or(usize::MAX),
                detail: options.detail.unwrap_or_default(),
            },
            overlap: options.overlap.unwrap_or_default(),
            most_windows: context.app.config.max_windows.get(),
            deadline: context.deadline,
        }
    }

    fn wants_zeroed(&self) -> bool {
        self.wanted.detail == Detail::Full
    }
}

/// Classifies a request whose bytes are in memory. The context's reservation, made for the body, is left with what the
/// outcome needs.
///
/// # Errors
/// [`ApiError`] with what was expected and what came.
pub(crate) async fn classify(
    context: &mut RequestContext<'_>,
    body: Body,
    options: Options,
) -> Result<Outcome, ApiError> {
    let decoding = Instant::now();
    let (app, deadline) = (context.app, context.deadline);
    let is_long = body.is_long();
    let decoded = match body {
        // Boxed to keep the future of a common request small.
        Body::Files(files) => Box::pin(decode_files(context, files, options)).await,
        body @ (Body::Json(_) | Body::Raw(_) | Body::Signal(_) | Body::Tensor(_)) => {
            app.compute(is_long, deadline, || decode(context, body, options)).await?
        }
    };
    let DecodedRequest { model, decoded, plan } = decoded?;
    let decode_time = decoding.elapsed();
    let (mut inputs, names) = match decoded {
        Decoded::Inputs { inputs, names } => (inputs, names),
        Decoded::Recordings(recordings) => {
            // Boxed to keep the future of a common request small.
            let classified = pipeline::classify(context, &model, recordings, plan, decode_time);
            return Box::pin(classified).await;
        }
    };
    context.memory.shrink_to(inputs.bytes());
    model.metrics.decode.observe(decode_time.as_secs_f64());
    let levels = inputs.take_levels();
    let slices = model.infer(inputs, plan.wants_zeroed(), deadline).await?;
    context.memory.shrink_to(0);
    let raw = RawOutputs::Inputs { slices, levels, names };
    Ok(Outcome::new(model, plan.wanted, decode_time, raw))
}

fn decode(
    context: &mut RequestContext<'_>,
    body: Body,
    options: Options,
) -> Result<DecodedRequest, ApiError> {
    let mut rest = Vec::new();
    let mut json = match &body {
        Body::Json(bytes) => {
            context.memory.grow(PARSING_FACTOR * bytes.len() as u64)?;
            Some(JsonRequest::parse(bytes, &mut rest)?)
        }
        Body::Raw(_) | Body::Files(_) | Body::Signal(_) | Body::Tensor(_) => None,
    };
    let options = match &mut json {
        Some(json) => json.take_options(options)?,
        None => options,
    };
    let model = find(context, &options)?;
    check_variable(None, &options)?;
    let plan = Plan::new(context, &options);
    let mut decoder = Decoder::new(context, model.manifest(), &options);
    let decoded = match json {
        Some(json) => json.inputs(&mut decoder)?,
        None => match body {
            Body::Raw(bytes) => decoder.raw(&bytes)?,
            Body::Signal(channels) => signal(&mut decoder, channels)?,
            Body::Tensor(values) => tensor(&mut decoder, values)?,
            Body::Files(_) | Body::Json(_) => return Err(ApiError::internal()),
        },
    };
    Ok(DecodedRequest { model, decoded, plan })
}

/// Decodes files one after the other. After each [`SLICE`] other requests get a turn, and so does the connection
/// itself: it notices a client that has hung up, and the rest of its files is not decoded.
async fn decode_files(
    context: &mut RequestContext<'_>,
    files: Vec<File>,
    options: Options,
) -> Result<DecodedRequest, ApiError> {
    let model = find(context, &options)?;
    if options.batch.is_some_and(|batch| batch != 1) {
        return Err(ApiError::invalid(
            "the option batch applies to raw numbers; this body has files",
        ));
    }
    let (app, deadline) = (context.app, context.deadline);
    let (count, mut files) = (files.len(), files.into_iter().enumerate());
    let mut inputs = Vec::with_capacity(count);
    let decoded = loop {
        let slice = || {
            let mut decoder = Decoder::new(context, model.manifest(), &options);
            decode_slice(&mut decoder, &mut files, count, &mut inputs)
        };
        match app.compute(true, deadline, slice).await?? {
            Some(decoded) => break decoded,
            None => yield_now().await,
        }
    };
    Ok(DecodedRequest { model, decoded, plan: Plan::new(context, &options) })
}

/// Decodes files until a slice of time is over; returns the inputs once all files are decoded.
fn decode_slice(
    decoder: &mut Decoder<'_>,
    files: &mut impl Iterator<Item = (usize, File)>,
    count: usize,
    inputs: &mut Vec<RawInput>,
) -> Result<Option<Decoded>, ApiError> {
    let started = Instant::now();
    for (index, file) in files {
        let samples = file.kind().and_then(|kind| decoder.file(kind, &file.bytes));
        let samples = samples.map_err(|error| named(error, index, file.name.as_deref(), count))?;
        let name = file.name;
        inputs.extend(samples.into_iter().map(|samples| RawInput { name: name.clone(), samples }));
        if started.elapsed() >= SLICE {
            return Ok(None);
        }
    }
    if inputs.is_empty() {
        return Err(ApiError::invalid("the request has no inputs"));
    }
    decoder.decoded(std::mem::take(inputs)).map(Some)
}

/// The model that the options name, if the options fit it.
fn find(context: &mut RequestContext<'_>, options: &Options) -> Result<Arc<Model>, ApiError> {
    let model = context.find_model(options.model.as_deref(), options.version.as_deref())?;
    match (&model.manifest().input, options.of_recordings()) {
        (InputSpec::Image(_), Some(option)) => {
            return Err(ApiError::invalid(format!(
                "the option {option} applies to signals, but this model expects images"
            )));
        }
        (InputSpec::Image(_), None) => {}
        (InputSpec::Signal(signal), _) => check_choice(signal, options)?,
    }
    Ok(model)
}

/// One signal: the samples of each channel.
fn signal(decoder: &mut Decoder<'_>, channels: Array2<f32>) -> Result<Decoded, ApiError> {
    decoder.memory.grow((channels.len() * size_of::<f32>()) as u64)?;
    let samples = decoder.channels(channels)?;
    decoder.decoded(vec![RawInput { name: None, samples }])
}

/// Inputs in the model's own shape.
fn tensor(decoder: &mut Decoder<'_>, values: Vec<f32>) -> Result<Decoded, ApiError> {
    let elements = decoder.spec.elements();
    if values.is_empty() || !values.len().is_multiple_of(elements) {
        return Err(ApiError::invalid(format!(
            "each input must have {elements} numbers ({}); the request has {} numbers",
            decoder.spec.shape_in_words(),
            values.len()
        )));
    }
    decoder.tensor(values)
}

/// Seconds of a stage's work that goes on between others.
#[derive(Debug, Default, Clone, Copy)]
struct Stopwatch(Duration);

impl Stopwatch {
    fn time<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let done = work();
        self.0 += started.elapsed();
        done
    }
}
