//! `POST /v2/models/{m}/infer`.

use std::{sync::Arc, time::Instant};

use axum::{
    body::Body,
    extract::{Extension, Path, Request, State, rejection::PathRejection},
    http::{HeaderMap, HeaderValue, header, request::Parts},
    response::{IntoResponse as _, Response},
};
use hyper::body::Bytes;

use super::{
    describe::ModelPath,
    encoding::Encoding,
    request::{HEADER_LENGTH, InferRequest, json_length},
    response,
};
use crate::{
    admission::Reservation,
    decode::PARSING_FACTOR,
    error::ApiError,
    http::{Arrival, body, concluded},
    model::Model,
    oip,
    server::App,
};

/// Longest body that is parsed or written between other requests.
const INLINE_BYTES: usize = 64 << 10;
/// Most inputs whose answer is written between other requests.
const INLINE_INPUTS: usize = 256;

pub(super) async fn infer(
    State(app): State<Arc<App>>,
    Extension(arrival): Extension<Arrival>,
    path: Result<Path<ModelPath>, PathRejection>,
    request: Request,
) -> Response {
    let (mut parts, mut body) = request.into_parts();
    let found = ModelPath::find(path, &app);
    let asked = found.as_ref().ok().cloned();
    let answered = match found {
        Ok(model) => answer(&app, arrival, &model, &mut parts, &mut body).await,
        Err(error) => Err(error),
    };
    concluded(answered, asked, arrival, body, &parts.headers).await
}

async fn answer(
    app: &App,
    arrival: Arrival,
    model: &Model,
    parts: &mut Parts,
    body: &mut Body,
) -> Result<Response, ApiError> {
    let deadline = arrival.deadline;
    let wanted_encoding = Encoding::wanted(&parts.headers);
    let mut memory = app.budget.open();
    let InferRequest { id, infer, binary, all_binary } =
        receive(app, model, parts, body, deadline, &mut memory).await?;
    let answer = oip::infer(app, model, infer, deadline, &mut memory).await?;
    memory.shrink_to(0);
    let encoding = Instant::now();
    let is_binary = |position: usize| binary.get(position).copied().unwrap_or(all_binary);
    let write = || {
        let (plain, json_length) = response::write(model, &answer, id.as_deref(), is_binary)?;
        let body = match wanted_encoding {
            Some(encoding) => encoding.compress(&plain)?,
            None => plain,
        };
        Ok::<_, ApiError>((body, json_length))
    };
    let is_long = answer.batch > INLINE_INPUTS;
    let (body, json_length) = app.compute(is_long, deadline, write).await??;
    memory.grow(body.len() as u64)?;
    model.metrics.encode.observe(encoding.elapsed().as_secs_f64());
    let body = Bytes::from_owner(Held { body, _memory: memory });
    Ok((headers(json_length, wanted_encoding), Body::from(body)).into_response())
}

/// Reads a body, decompresses it and parses it.
async fn receive(
    app: &App,
    model: &Model,
    parts: &mut Parts,
    body: &mut Body,
    deadline: Instant,
    memory: &mut Reservation,
) -> Result<InferRequest, ApiError> {
    let json_length = json_length(&parts.headers)?;
    let encoding = Encoding::take(&mut parts.headers)?;
    let limit = app.config.max_body_bytes.get();
    let incoming = body::Incoming::new(body, &parts.headers, deadline)?;
    let mut body = incoming.read(limit, memory).await?;
    let decoding = Instant::now();
    if let Some(encoding) = encoding {
        let decompress = || encoding.decompress(&body, limit, memory);
        body = app.compute(true, deadline, decompress).await??.into();
    }
    let shape = model.manifest().input.shape();
    let json = json_length.unwrap_or(body.len()).min(body.len());
    let parse = || {
        memory.grow(PARSING_FACTOR * json as u64)?;
        InferRequest::parse(&body, json_length, &shape)
    };
    let mut request = app.compute(json > INLINE_BYTES, deadline, parse).await??;
    request.infer.parsing = decoding.elapsed();
    Ok(request)
}

/// An answer that is being sent: its memory is given back when the client has taken it.
struct Held {
    body: Vec<u8>,
    _memory: Reservation,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

fn headers(json_length: Option<usize>, encoding: Option<Encoding>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let media_type =
        if json_length.is_some() { "application/octet-stream" } else { "application/json" };
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Some(length) = json_length {
        headers.insert(HEADER_LENGTH, HeaderValue::from(length));
    }
    if let Some(encoding) = encoding {
        headers.insert(header::CONTENT_ENCODING, encoding.name());
    }
    headers
}
