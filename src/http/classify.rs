//! `POST /classify`.

use std::{sync::Arc, time::Instant};

use axum::{
    body::Body,
    extract::{Extension, Path, Request, State, rejection::PathRejection},
    http::{HeaderValue, header, request::Parts},
    response::{IntoResponse as _, Response},
};
use drsn_bundle::baseline::Level;
use hyper::body::Bytes;
use serde::Serialize;

use super::{Answered, Arrival, body, options::Options};
use crate::{
    admission::Reservation,
    batcher::Share,
    decode::{Decoder, Inputs, JsonRequest, MediaType, PARSING_FACTOR},
    diagnostics::{Detail, InputName, Prediction, Wanted, observe},
    error::{ApiError, ErrorKind},
    judgement::Judgement,
    model::{Model, micros},
    server::App,
    session::Outputs,
};

/// Largest body that is decoded between other requests; a longer one, or an image, whose length does not tell its
/// size, takes a thread of its own for that time.
const INLINE_BYTES: usize = 64 << 10;
/// Most inputs whose answer is written between other requests.
const INLINE_INPUTS: usize = 256;

#[derive(Serialize)]
struct Answer<'a> {
    model: ModelName<'a>,
    predictions: Vec<Prediction<'a>>,
    timing: Timing,
}

#[derive(Serialize)]
struct ModelName<'a> {
    name: &'a str,
    version: &'a str,
}

#[derive(Serialize, Default)]
struct Timing {
    decode_us: u64,
    /// The longest wait of the request's inputs.
    queue_us: u64,
    /// The longest of the batches that its inputs were in.
    inference_us: u64,
    /// The largest of those batches.
    batch_size: usize,
}

/// Decoded inputs, and what the client wants to know of them.
struct Decoded {
    model: Arc<Model>,
    inputs: Inputs,
    wanted: Wanted,
}

pub(super) async fn default_model(
    State(app): State<Arc<App>>,
    Extension(arrival): Extension<Arrival>,
    request: Request,
) -> Response {
    classify(&app, arrival.0, None, None, request).await
}

pub(super) async fn named_model(
    State(app): State<Arc<App>>,
    Extension(arrival): Extension<Arrival>,
    model: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response {
    match model {
        Ok(Path(model)) => classify(&app, arrival.0, Some(model), None, request).await,
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
            classify(&app, arrival.0, Some(model), Some(version), request).await
        }
        Err(_) => bad_path().into_response(),
    }
}

fn bad_path() -> ApiError {
    ErrorKind::NotFound.because("there is no model of that name: a name in the path is not UTF-8")
}

async fn classify(
    app: &App,
    arrival: Instant,
    model: Option<String>,
    version: Option<String>,
    request: Request,
) -> Response {
    let (parts, mut body) = request.into_parts();
    let mut asked = None;
    let answered = answer(app, arrival, (model, version), &parts, &mut body, &mut asked).await;
    let mut response = match answered {
        Ok(response) => response,
        Err(error) => {
            if error.kind != ErrorKind::RequestTimeout {
                body::discard(body, &parts.headers).await;
            }
            error.into_response()
        }
    };
    if let Some(model) = asked {
        model.metrics.request_duration.observe(arrival.elapsed().as_secs_f64());
        response.extensions_mut().insert(Answered(model));
    }
    response
}

async fn answer(
    app: &App,
    arrival: Instant,
    (model, version): (Option<String>, Option<String>),
    parts: &Parts,
    body: &mut Body,
    asked: &mut Option<Arc<Model>>,
) -> Result<Response, ApiError> {
    let repository = app.repository()?;
    let options =
        Options::from_query(parts.uri.query().unwrap_or_default())?.with_path(model, version)?;
    if options.model.is_some() {
        // A model that is not there is told before a body is read for it.
        let named = repository.find(options.model.as_deref(), options.version.as_deref())?;
        *asked = Some(named);
    }
    let content_type = parts.headers.get(header::CONTENT_TYPE);
    let media = MediaType::of(content_type.map(HeaderValue::as_bytes))?;
    let deadline = arrival + app.config.request_timeout();
    let mut memory = app.budget.open();
    let limit = app.config.max_body_bytes.get();
    let body = body::read(body, &parts.headers, limit, &mut memory, deadline).await?;

    let decoding = Instant::now();
    let is_long = media == MediaType::Image || body.len() > INLINE_BYTES;
    let decode = || decode(app, media, &body, options, &mut memory, asked);
    let Decoded { model, mut inputs, wanted } = app.compute(is_long, deadline, decode).await??;
    drop(body);
    memory.shrink_to(inputs.bytes());
    let decode_time = decoding.elapsed();
    model.metrics.decode.observe(decode_time.as_secs_f64());

    let is_long = inputs.count() > INLINE_INPUTS;
    let levels = inputs.take_levels();
    let shares = model.infer(inputs, wanted.detail == Detail::Full, deadline).await?;
    memory.shrink_to(0);
    let encoding = Instant::now();
    let encode = || encode(&model, &shares, &levels, wanted, micros(decode_time));
    let json = app.compute(is_long, deadline, encode).await??;
    memory.grow(json.len() as u64)?;
    model.metrics.encode.observe(encoding.elapsed().as_secs_f64());
    let content_type = HeaderValue::from_static("application/json");
    let body = Bytes::from_owner(Held { json, _memory: memory });
    Ok(([(header::CONTENT_TYPE, content_type)], Body::from(body)).into_response())
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

fn decode(
    app: &App,
    media: MediaType,
    body: &[u8],
    options: Options,
    memory: &mut Reservation,
    asked: &mut Option<Arc<Model>>,
) -> Result<Decoded, ApiError> {
    let mut json = match media {
        MediaType::Json => {
            memory.grow(PARSING_FACTOR * body.len() as u64)?;
            Some(JsonRequest::parse(body)?)
        }
        MediaType::Image | MediaType::Raw => None,
    };
    let options = match &mut json {
        Some(json) => options.with_json(json.take_options())?,
        None => options,
    };
    let model = app.repository()?.find(options.model.as_deref(), options.version.as_deref())?;
    *asked = Some(Arc::clone(&model));
    let mut decoder = Decoder {
        spec: &model.manifest().input,
        baseline: model.manifest().baseline.as_ref(),
        most_pixels: app.config.max_image_pixels.get(),
        most_inputs: app.config.max_windows.get(),
        memory,
    };
    let inputs = match (json, media) {
        (Some(json), _) => json.inputs(&mut decoder)?,
        (None, MediaType::Raw) => decoder.raw(body, options.batch)?,
        (None, MediaType::Image | MediaType::Json) => {
            if options.batch.is_some_and(|batch| batch != 1) {
                return Err(ErrorKind::InvalidArgument.because(
                    "the option batch belongs to bodies of raw numbers; this body is one image",
                ));
            }
            decoder.image(body)?
        }
    };
    Ok(Decoded {
        model,
        inputs,
        wanted: Wanted {
            top_k: options.top_k.unwrap_or(usize::MAX),
            detail: options.detail.unwrap_or_default(),
        },
    })
}

fn encode(
    model: &Model,
    shares: &[Share<Outputs>],
    levels: &[Level],
    wanted: Wanted,
    decode_us: u64,
) -> Result<Vec<u8>, ApiError> {
    let mut predictions = Vec::new();
    let mut timing = Timing { decode_us, ..Timing::default() };
    let channels = model.manifest().input.channels();
    for share in shares {
        timing.queue_us = timing.queue_us.max(micros(share.queue_time));
        timing.inference_us = timing.inference_us.max(micros(share.inference_time));
        timing.batch_size = timing.batch_size.max(share.batch_size);
        for row in 0..share.count {
            let input = InputName { index: predictions.len(), name: None };
            let channels = input.index * channels..(input.index + 1) * channels;
            let levels = levels.get(channels).unwrap_or_default();
            let judgement = Judgement::of(share, row, model.manifest(), levels)?;
            let prediction =
                Prediction::of(input, share, row, judgement, model.manifest(), wanted)?;
            observe(&prediction, share, row, &model.metrics);
            judgement.observe(&model.metrics.baseline);
            predictions.push(prediction);
        }
    }
    let answer = Answer {
        model: ModelName { name: &model.labels.model, version: &model.labels.version },
        predictions,
        timing,
    };
    serde_json::to_vec(&answer).map_err(|error| {
        tracing::error!(%error, "an answer could not be written as JSON");
        ApiError::internal()
    })
}
