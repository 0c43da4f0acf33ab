//! One request from its bytes to its answer, for every protocol.
//!
//! A protocol passes a [`Body`] with [`Options`] and gets an [`Outcome`]; all protocols send the
//! contents of [`Outcome::answer`], which is typed and serializable. A recording that is too long
//! for memory goes to a [`Streaming`] in pieces instead.
//!
//! ```text
//! Body ──► decode ──► Decoded::Inputs ───► queue ──► Outcome
//!                └──► Decoded::Recordings ──► Windower ──► Pipeline ──► queue ──► Summary ──► Outcome
//! bytes ─► Streaming ─────────────────────────► Windower ──► Pipeline ──► queue ──► Summary ──► Outcome
//! ```
//!
//! * [`Outcome`], [`Answer`]: the result.
//! * `files`: decodes files in slices of time.
//! * [`samples`]: what was read of a recording, without classifying it.
//! * `pipeline`: passes windows to the queue; `in_flight`: a few pieces of them at a time.
//! * `summary`: summarizes the predictions of a recording's windows; `tally`: counts them, and
//!   those that are left out.
//! * [`Streaming`]: classifies WAV files and raw numbers as they arrive.

mod answer;
mod files;
pub(crate) mod in_flight;
mod pipeline;
pub(crate) mod samples;
mod stream;
mod summary;
pub(crate) mod tally;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use drsn_bundle::InputSpec;
use hyper::body::Bytes;
use ndarray::Array2;

use crate::{
    app::Caller,
    engine::model::Model,
    error::ApiError,
    inference::{
        INLINE_BYTES,
        context::RequestContext,
        decode::{
            Decoded, Decoder, JsonRequest, PARSING_FACTOR, RawInput,
            selection::{check_selection, check_variable},
        },
        diagnostics::{Detail, Wanted},
        options::Options,
    },
};

use answer::RawOutputs;
pub(crate) use answer::{Answer, INLINE_INPUTS, ModelName, Outcome, Timing};
pub(crate) use files::File;
pub(crate) use stream::{StreamKind, Streaming};

/// The inputs of a request, undecoded. The memory of the bytes has been reserved.
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
    /// One or more raw inputs in the model's shape, one after the other.
    Tensor(Vec<f32>),
}

impl Body {
    /// Whether decoding is long enough to leave the threads that serve connections.
    fn is_long(&self) -> bool {
        match self {
            Self::Json(bytes) | Self::Raw(bytes) => bytes.len() > INLINE_BYTES,
            Self::Files(_) => true,
            Self::Signal(channels) => channels.len() > INLINE_BYTES / 4,
            Self::Tensor(values) => values.len() > INLINE_BYTES / 4,
        }
    }
}

/// A request's decoded inputs, with its model and plan.
struct DecodedRequest {
    model: Arc<Model>,
    decoded: Decoded,
    plan: Plan,
}

/// How to classify each input.
#[derive(Debug, Clone, Copy)]
struct Plan {
    wanted: Wanted,
    overlap: f64,
    max_windows: usize,
    false_alarm_every: u64,
    caller: Caller,
}

impl Plan {
    fn new(context: &RequestContext<'_>, options: &Options) -> Self {
        Self {
            wanted: Wanted {
                top_k: options.top_k.unwrap_or(usize::MAX),
                detail: options.detail.unwrap_or_default(),
            },
            overlap: options.overlap.unwrap_or_default(),
            max_windows: context.app.config.max_windows.get(),
            false_alarm_every: context.app.config.false_alarm_every.get() as u64,
            caller: context.caller,
        }
    }

    fn wants_details(&self) -> bool {
        self.wanted.detail == Detail::Full
    }
}

/// Classifies a request whose bytes are in memory. The context's reservation, made for the body,
/// shrinks to the memory that the outcome needs.
///
/// # Errors
/// [`ApiError`] with what was expected and what was received.
pub(crate) async fn classify(
    context: &mut RequestContext<'_>,
    body: Body,
    options: Options,
) -> Result<Outcome, ApiError> {
    let decoding = Instant::now();
    let (app, caller) = (context.app, context.caller);
    let is_long = body.is_long();
    let decoded = match body {
        // Boxed to keep the common request's future small.
        Body::Files(files) => Box::pin(files::decode(context, files, options)).await,
        Body::Json(bytes) => Box::pin(json(context, &bytes, options)).await,
        body @ (Body::Raw(_) | Body::Signal(_) | Body::Tensor(_)) => {
            let is_long = is_long || options.resample.is_some();
            app.compute(is_long, caller, || decode(context, body, &options)).await?
        }
    };
    let DecodedRequest { model, decoded, plan } = decoded?;
    let decode_time = decoding.elapsed();
    let (mut inputs, origins) = match decoded {
        Decoded::Inputs { inputs, origins } => (inputs, origins),
        Decoded::Recordings(recordings) => {
            // Boxed to keep the common request's future small.
            let classified = pipeline::classify(context, &model, recordings, plan, decode_time);
            return Box::pin(classified).await;
        }
    };
    context.memory.shrink_to(inputs.bytes());
    let maps = if plan.wants_details() { inputs.count() as u64 * model.map_bytes() } else { 0 };
    context.memory.grow(maps)?;
    model.metrics.decode.observe(decode_time.as_secs_f64());
    let levels = inputs.take_levels();
    let slices = model.infer(inputs, plan.wants_details(), caller.deadline).await?;
    context.memory.shrink_to(maps);
    let raw = RawOutputs::Inputs { slices, levels, origins };
    Ok(Outcome::new(model, plan.wanted, decode_time, raw))
}

/// Parses a JSON body, and then decodes its inputs, which may take much longer.
async fn json(
    context: &mut RequestContext<'_>,
    bytes: &Bytes,
    options: Options,
) -> Result<DecodedRequest, ApiError> {
    let (app, caller) = (context.app, context.caller);
    context.memory.grow(PARSING_FACTOR * bytes.len() as u64)?;
    let mut rest = Vec::new();
    let is_long = bytes.len() > INLINE_BYTES;
    let parsed = app.compute(is_long, caller, || JsonRequest::parse(bytes, &mut rest)).await?;
    let mut json = parsed?;
    let is_long = is_long || json.is_costly();
    let inputs = || {
        let options = json.take_options(options)?;
        decode_with(context, &options, |decoder| json.inputs(decoder))
    };
    app.compute(is_long, caller, inputs).await?
}

fn decode(
    context: &mut RequestContext<'_>,
    body: Body,
    options: &Options,
) -> Result<DecodedRequest, ApiError> {
    decode_with(context, options, |decoder| match body {
        Body::Raw(bytes) => decoder.raw(&bytes),
        Body::Signal(channels) => signal(decoder, channels),
        Body::Tensor(values) => tensor(decoder, values),
        Body::Files(_) | Body::Json(_) => Err(ApiError::internal()),
    })
}

fn decode_with(
    context: &mut RequestContext<'_>,
    options: &Options,
    read: impl FnOnce(&mut Decoder<'_>) -> Result<Decoded, ApiError>,
) -> Result<DecodedRequest, ApiError> {
    let model = find(context, options)?;
    check_variable(None, options)?;
    let plan = Plan::new(context, options);
    let decoded = read(&mut Decoder::new(context, model.manifest(), options))?;
    Ok(DecodedRequest { model, decoded, plan })
}

/// Finds the model that the options name and checks that the options apply to it.
fn find(context: &mut RequestContext<'_>, options: &Options) -> Result<Arc<Model>, ApiError> {
    let model = context.find_model(options.model.as_deref(), options.version.as_deref())?;
    match (&model.manifest().input, options.of_recordings()) {
        (InputSpec::Image(_), Some(option)) => {
            return Err(ApiError::invalid(format!(
                "the option {option} applies to signals, but this model expects images"
            )));
        }
        (InputSpec::Image(_), None) => {}
        (InputSpec::Signal(signal), _) => check_selection(signal, options)?,
    }
    Ok(model)
}

/// One signal: the samples of each channel.
fn signal(decoder: &mut Decoder<'_>, channels: Array2<f32>) -> Result<Decoded, ApiError> {
    decoder.memory.grow((channels.len() * size_of::<f32>()) as u64)?;
    let samples = decoder.channels(channels)?;
    decoder.decoded(vec![RawInput::of(samples)])
}

/// Inputs in the model's shape.
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

/// Time that a stage has worked in all, without the time of other stages between.
#[derive(Debug, Default, Clone, Copy)]
struct Stopwatch(Duration);

impl Stopwatch {
    fn time<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let result = work();
        self.0 += started.elapsed();
        result
    }
}
