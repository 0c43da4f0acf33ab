//! `POST /classify`, and the routes that name a model or a version.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    body::Body,
    extract::{Extension, Path, Request, State, rejection::PathRejection},
    http::{HeaderMap, HeaderValue, header, request::Parts},
    response::{IntoResponse as _, Response},
};
use drsn_recording::{RecordingFormat, gzip, id3};
use hyper::body::Bytes;

use super::{
    body::{self, Incoming, without_mark},
    encoding::Encoding,
    exchange::{Arrival, StageTimes, conclude, reserved_body},
    multipart, query,
};
use crate::{
    app::App,
    engine::model::Model,
    error::{ApiError, ErrorKind},
    inference::{
        classify::{self, Body as Content, File, Outcome, StreamKind, Streaming, Timing},
        context::RequestContext,
        decode::{FileKind, MARK_BYTES, MediaType, refuse_files},
        options::Options,
    },
};

/// Raw numbers up to this many bytes are read whole, which costs less than streaming them.
const STREAMING_THRESHOLD: u64 = 1 << 20;

pub(super) async fn default_model(
    State(app): State<Arc<App>>,
    Extension(arrival): Extension<Arrival>,
    request: Request,
) -> Response {
    classify(&app, arrival, None, None, request).await
}

pub(super) async fn named_model(
    State(app): State<Arc<App>>,
    Extension(arrival): Extension<Arrival>,
    model: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response {
    match model {
        Ok(Path(model)) => classify(&app, arrival, Some(model), None, request).await,
        Err(_) => bad_path().into_response(),
    }
}

pub(super) async fn named_version(
    State(app): State<Arc<App>>,
    Extension(arrival): Extension<Arrival>,
    path: Result<Path<(String, String)>, PathRejection>,
    request: Request,
) -> Response {
    match path {
        Ok(Path((model, version))) => {
            classify(&app, arrival, Some(model), Some(version), request).await
        }
        Err(_) => bad_path().into_response(),
    }
}

pub(super) fn bad_path() -> ApiError {
    ErrorKind::NotFound.because("there is no such model: a name in the path is not valid UTF-8")
}

async fn classify(
    app: &App,
    arrival: Arrival,
    model: Option<String>,
    version: Option<String>,
    request: Request,
) -> Response {
    let (mut parts, mut body) = request.into_parts();
    let mut context = RequestContext::new(app, arrival.caller);
    let answered = answer(&mut context, (model, version), &mut parts, &mut body).await;
    conclude(answered, context.model, arrival, body, &parts.headers).await
}

async fn answer(
    context: &mut RequestContext<'_>,
    (model, version): (Option<String>, Option<String>),
    parts: &mut Parts,
    body: &mut Body,
) -> Result<Response, ApiError> {
    let app = context.app;
    let repository = app.repository()?;
    let options =
        query::options(parts.uri.query().unwrap_or_default())?.with_model(model, version)?;
    let encoding = Encoding::take(&mut parts.headers)?;
    let content_type = parts.headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    let media = MediaType::of(content_type)?;
    // These may name the model in the body.
    let may_name_model = matches!(media, MediaType::Json | MediaType::Multipart);
    if options.model.is_some() || !may_name_model {
        // Refuses an unknown model, or one whose queue is full, before reading the body.
        let (model, version) = (options.model.as_deref(), options.version.as_deref());
        context.find_model(model, version)?.check_room()?;
    } else {
        repository.check_room()?;
    }
    let mut incoming = Incoming::new(&mut *body, &parts.headers, context.deadline())?;
    if let Some(encoding) = encoding {
        let plain = Box::pin(unpack(context, encoding, media, incoming)).await?;
        incoming = Incoming::whole(body, plain, context.deadline());
    }
    let outcome = match media {
        MediaType::Json => {
            let limit = app.config.limits.max_body_bytes.get();
            let body = without_mark(&incoming.read(limit, &mut context.memory).await?);
            let body = Content::Json(body);
            classify::classify(context, body, options).await?
        }
        MediaType::Raw => raw(context, incoming, options).await?,
        MediaType::File(kind) => Box::pin(file(context, kind, incoming, options)).await?,
        MediaType::Multipart => {
            let boundary = content_type.unwrap_or_default();
            let (config, memory) = (&app.config, &mut context.memory);
            let (files, options) =
                Box::pin(multipart::read(config, memory, incoming, boundary, options)).await?;
            classify::classify(context, Content::Files(files), options).await?
        }
    };
    respond(context, outcome).await
}

/// Reads and decompresses a whole body, of at most what its media type may have.
async fn unpack(
    context: &mut RequestContext<'_>,
    encoding: Encoding,
    media: MediaType,
    incoming: Incoming<'_>,
) -> Result<Bytes, ApiError> {
    let config = &context.app.config;
    let limit = match media {
        MediaType::Json => config.limits.max_body_bytes.get(),
        // Some of these have the smaller limit, which is checked when more is known of them.
        MediaType::Raw | MediaType::File(_) | MediaType::Multipart => {
            config.limits.max_recording_bytes.get()
        }
    };
    let (app, caller, memory) = (context.app, context.caller, &mut context.memory);
    let packed = incoming.read(limit, memory).await?;
    encoding.unpack(app, caller, packed, limit, memory).await
}

/// Serializes the answer as JSON.
async fn respond(context: &mut RequestContext<'_>, outcome: Outcome) -> Result<Response, ApiError> {
    let encoding = Instant::now();
    context.memory.grow(outcome.bytes_of_answer())?;
    let encode = || encode(&outcome);
    let (json, timing) = context.app.compute(outcome.is_long(), context.caller, encode).await??;
    outcome.model.metrics.encode.observe(encoding.elapsed().as_secs_f64());
    drop(outcome);
    let body = reserved_body(json, context.take_memory())?;
    let headers = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    Ok((headers, Extension(stages(timing)), body).into_response())
}

/// Classifies raw numbers. A signal of one channel is classified as it arrives if it is long or of
/// unknown length.
async fn raw(
    context: &mut RequestContext<'_>,
    mut incoming: Incoming<'_>,
    options: Options,
) -> Result<Outcome, ApiError> {
    let mut limit = context.app.config.limits.max_body_bytes.get();
    if incoming.declared().is_none_or(|length| length > STREAMING_THRESHOLD) {
        let model = Streaming::model(context, &options)?;
        if model.manifest().input.kind() == "signal" {
            limit = context.app.config.limits.max_recording_bytes.get();
        }
        if Streaming::takes_floats(&model) && options.batch.is_none() && options.channel.is_none() {
            refuse_files(incoming.peek(MARK_BYTES).await?)?;
            // Boxed to keep the future of a common request small.
            let streamed = stream(context, &model, StreamKind::Floats, incoming, &options);
            return Box::pin(streamed).await;
        }
    }
    let body = Content::Raw(incoming.read(limit, &mut context.memory).await?);
    classify::classify(context, body, options).await
}

/// Classifies the file in `body`, which has no headers of its own, as `POST /classify` does.
///
/// # Errors
/// [`ApiError`] with what was expected and what was received.
pub(crate) async fn file_in(
    context: &mut RequestContext<'_>,
    declared: FileKind,
    body: &mut Body,
    options: Options,
) -> Result<Outcome, ApiError> {
    let incoming = Incoming::new(body, &HeaderMap::new(), context.deadline())?;
    file(context, declared, incoming, options).await
}

/// Classifies one file; a WAV file is classified as it arrives.
async fn file(
    context: &mut RequestContext<'_>,
    declared: FileKind,
    mut incoming: Incoming<'_>,
    options: Options,
) -> Result<Outcome, ApiError> {
    let beginning = incoming.peek(MARK_BYTES).await?;
    if beginning.is_empty() {
        return Err(ApiError::invalid("the body is empty; expected a file"));
    }
    let config = &context.app.config;
    // What is in a packed file is known when it is unpacked, as a whole, and what is behind a tag
    // may begin anywhere.
    let is_hidden = gzip::is_packed(beginning) || id3::is_tagged(beginning);
    let kind = if is_hidden { declared } else { FileKind::of(beginning, None, Some(declared))? };
    let limit = match kind {
        _ if is_hidden => config.limits.max_recording_bytes,
        FileKind::Recording(RecordingFormat::Wav) => {
            if options.batch.is_some_and(|batch| batch != 1) {
                return Err(ApiError::invalid(
                    "the option batch applies to raw numbers; this body is one file",
                ));
            }
            let model = Streaming::model(context, &options)?;
            return stream(context, &model, StreamKind::Wav, incoming, &options).await;
        }
        FileKind::Recording(_) => config.limits.max_recording_bytes,
        FileKind::Image(_) => config.limits.max_body_bytes,
    };
    let bytes = incoming.read(limit.get(), &mut context.memory).await?;
    let body = Content::Files(vec![File { name: None, bytes, declared: Some(declared) }]);
    classify::classify(context, body, options).await
}

async fn stream(
    context: &mut RequestContext<'_>,
    model: &Arc<Model>,
    kind: StreamKind,
    mut incoming: Incoming<'_>,
    options: &Options,
) -> Result<Outcome, ApiError> {
    let limit = context.app.config.limits.max_recording_bytes.get();
    if incoming.declared().is_some_and(|length| length > limit as u64) {
        return Err(body::too_large(limit));
    }
    let mut streaming = Streaming::open(context, model, options, kind).await?;
    while let Some(bytes) = incoming.next().await? {
        streaming.push(&bytes).await?;
    }
    streaming.finish().await
}

fn encode(outcome: &Outcome) -> Result<(Vec<u8>, Timing), ApiError> {
    let answer = outcome.answer()?;
    let mut json = Vec::with_capacity(outcome.expected_text());
    serde_json::to_writer(&mut json, &answer).map_err(|error| {
        tracing::error!(%error, "cannot serialize an answer");
        ApiError::internal()
    })?;
    Ok((json, answer.timing))
}

/// The stages for the header `Server-Timing`.
fn stages(timing: Timing) -> StageTimes {
    let Timing { decode_us, queue_us, inference_us, .. } = timing;
    let stages = [("decode", decode_us), ("queue", queue_us), ("inference", inference_us)];
    StageTimes(stages.map(|(stage, us)| (stage, Duration::from_micros(us))))
}
