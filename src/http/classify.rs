//! `POST /classify`.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    body::Body,
    extract::{Extension, Path, Request, State, rejection::PathRejection},
    http::{HeaderValue, header, request::Parts},
    response::{IntoResponse as _, Response},
};
use drsn_recording::RecordingFormat;
use hyper::body::Bytes;

use super::{
    Arrival, StageTimes,
    body::{self, Incoming},
    concluded, multipart, options,
};
use crate::{
    admission::Reservation,
    classify::{self, Body as Content, File, Options, Outcome, StreamKind, Streaming, Timing},
    decode::{FileKind, MARK_BYTES, MediaType, refuse_files},
    error::{ApiError, ErrorKind},
    model::Model,
    server::App,
};

/// Raw numbers up to this many bytes are kept whole: that costs less than a stream.
const LEAST_STREAMED: u64 = 1 << 20;

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

fn bad_path() -> ApiError {
    ErrorKind::NotFound.because("there is no model of that name: a name in the path is not UTF-8")
}

async fn classify(
    app: &App,
    arrival: Arrival,
    model: Option<String>,
    version: Option<String>,
    request: Request,
) -> Response {
    let (parts, mut body) = request.into_parts();
    let mut asked = None;
    let answered = answer(app, arrival, (model, version), &parts, &mut body, &mut asked).await;
    concluded(answered, asked, arrival, body, &parts.headers).await
}

async fn answer(
    app: &App,
    arrival: Arrival,
    (model, version): (Option<String>, Option<String>),
    parts: &Parts,
    body: &mut Body,
    asked: &mut Option<Arc<Model>>,
) -> Result<Response, ApiError> {
    let repository = app.repository()?;
    let options =
        options::from_query(parts.uri.query().unwrap_or_default())?.with_model(model, version)?;
    if options.model.is_some() {
        // A model that is not there is told before a body is read for it.
        let named = repository.find(options.model.as_deref(), options.version.as_deref())?;
        *asked = Some(named);
    }
    let content_type = parts.headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    let media = MediaType::of(content_type)?;
    let deadline = arrival.deadline;
    let mut memory = app.budget.open();
    let incoming = Incoming::new(body, &parts.headers, deadline)?;
    let limit = app.config.max_body_bytes.get();
    let outcome = match media {
        MediaType::Json => {
            let body = Content::Json(incoming.read(limit, &mut memory).await?);
            classify::classify(app, body, options, &mut memory, asked, deadline).await?
        }
        MediaType::Raw => raw(app, incoming, options, &mut memory, asked, deadline).await?,
        MediaType::File(kind) => {
            Box::pin(file(app, kind, incoming, options, &mut memory, asked, deadline)).await?
        }
        MediaType::Multipart => {
            let boundary = content_type.unwrap_or_default();
            let (files, options) =
                Box::pin(multipart::read(app, incoming, boundary, options, &mut memory)).await?;
            let body = Content::Files(files);
            classify::classify(app, body, options, &mut memory, asked, deadline).await?
        }
    };
    let encoding = Instant::now();
    memory.grow(outcome.bytes_of_windows())?;
    let encode = || encode(&outcome);
    let (json, timing) = app.compute(outcome.is_long(), deadline, encode).await??;
    outcome.model.metrics.encode.observe(encoding.elapsed().as_secs_f64());
    drop(outcome);
    let held = json.capacity() as u64;
    memory.shrink_to(held);
    let missing = held.saturating_sub(memory.bytes());
    memory.grow(missing)?;
    let content_type = HeaderValue::from_static("application/json");
    let body = Bytes::from_owner(Held { json, _memory: memory });
    let headers = [(header::CONTENT_TYPE, content_type)];
    Ok((headers, Extension(stages(timing)), Body::from(body)).into_response())
}

/// Raw numbers: of one channel and long, or of unknown length, they are not kept.
async fn raw(
    app: &App,
    mut incoming: Incoming<'_>,
    options: Options,
    memory: &mut Reservation,
    asked: &mut Option<Arc<Model>>,
    deadline: Instant,
) -> Result<Outcome, ApiError> {
    let mut limit = app.config.max_body_bytes.get();
    if incoming.declared().is_none_or(|length| length > LEAST_STREAMED) {
        let model = Streaming::model(app, &options, asked)?;
        if model.manifest().input.kind() == "signal" {
            limit = app.config.max_recording_bytes.get();
        }
        if Streaming::takes_floats(&model) && options.batch.is_none() && options.channel.is_none() {
            refuse_files(incoming.peek(MARK_BYTES).await?)?;
            // Aside: the state of what is rare would make that of every request larger.
            let floats = StreamKind::Floats;
            return Box::pin(stream(app, &model, floats, incoming, &options, memory, deadline))
                .await;
        }
    }
    let body = Content::Raw(incoming.read(limit, memory).await?);
    classify::classify(app, body, options, memory, asked, deadline).await
}

/// One file; a WAV file is not kept.
async fn file(
    app: &App,
    declared: FileKind,
    mut incoming: Incoming<'_>,
    options: Options,
    memory: &mut Reservation,
    asked: &mut Option<Arc<Model>>,
    deadline: Instant,
) -> Result<Outcome, ApiError> {
    let beginning = incoming.peek(MARK_BYTES).await?;
    if beginning.is_empty() {
        return Err(
            ErrorKind::InvalidArgument.because("the body is empty, and a file was expected")
        );
    }
    let kind = FileKind::sniff(beginning).unwrap_or(declared);
    let limit = match kind {
        FileKind::Recording(RecordingFormat::Wav) => {
            if options.batch.is_some_and(|batch| batch != 1) {
                return Err(ErrorKind::InvalidArgument.because(
                    "the option batch belongs to bodies of raw numbers; this body is one file",
                ));
            }
            let model = Streaming::model(app, &options, asked)?;
            return stream(app, &model, StreamKind::Wav, incoming, &options, memory, deadline)
                .await;
        }
        FileKind::Recording(_) => app.config.max_recording_bytes,
        FileKind::Image(_) => app.config.max_body_bytes,
    };
    let bytes = incoming.read(limit.get(), memory).await?;
    let body = Content::Files(vec![File { name: None, bytes, declared: Some(declared) }]);
    classify::classify(app, body, options, memory, asked, deadline).await
}

async fn stream(
    app: &App,
    model: &Arc<Model>,
    kind: StreamKind,
    mut incoming: Incoming<'_>,
    options: &Options,
    memory: &mut Reservation,
    deadline: Instant,
) -> Result<Outcome, ApiError> {
    let limit = app.config.max_recording_bytes.get();
    if incoming.declared().is_some_and(|length| length > limit as u64) {
        return Err(body::too_large(limit));
    }
    let mut streaming = Streaming::open(app, model, options, kind, memory, deadline)?;
    while let Some(bytes) = incoming.next().await? {
        streaming.push(&bytes).await?;
    }
    streaming.finish().await
}

/// An answer that is being sent: its memory is given back when the client has taken it.
struct Held {
    json: Vec<u8>,
    _memory: Reservation,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.json
    }
}

fn encode(outcome: &Outcome) -> Result<(Vec<u8>, Timing), ApiError> {
    let answer = outcome.answer()?;
    let mut json = Vec::with_capacity(outcome.expected_text());
    serde_json::to_writer(&mut json, &answer).map_err(|error| {
        tracing::error!(%error, "an answer could not be written as JSON");
        ApiError::internal()
    })?;
    Ok((json, answer.timing))
}

/// For the header `Server-Timing`.
fn stages(timing: Timing) -> StageTimes {
    let Timing { decode_us, queue_us, inference_us, .. } = timing;
    let stages = [("decode", decode_us), ("queue", queue_us), ("inference", inference_us)];
    StageTimes(stages.map(|(stage, us)| (stage, Duration::from_micros(us))))
}
