//! `POST /v2/models/{model}/infer`.

use std::{sync::Arc, time::Instant};

use axum::{
    body::Body,
    extract::{Extension, Path, Request, State, rejection::PathRejection},
    http::{HeaderMap, HeaderValue, header, request::Parts},
    response::{IntoResponse as _, Response},
};

use super::{
    describe::ModelPath,
    request::{InferRequest, JSON_LENGTH_HEADER, json_length},
    response,
};
use crate::{
    api::http::{
        body::{Incoming, without_mark},
        encoding::Encoding,
        exchange::{Arrival, conclude, reserved_body},
    },
    app::App,
    engine::model::Model,
    error::ApiError,
    inference::{
        INLINE_BYTES, classify::INLINE_INPUTS, context::RequestContext, decode::PARSING_FACTOR,
        tensors,
    },
};

pub(super) async fn infer(
    State(app): State<Arc<App>>,
    Extension(arrival): Extension<Arrival>,
    path: Result<Path<ModelPath>, PathRejection>,
    request: Request,
) -> Response {
    let (mut parts, mut body) = request.into_parts();
    let mut context = RequestContext::new(&app, arrival.caller);
    let answered = match ModelPath::find(path, &app) {
        Ok(model) => {
            context.model = Some(Arc::clone(&model));
            answer(&mut context, &model, &mut parts, &mut body).await
        }
        Err(error) => Err(error),
    };
    conclude(answered, context.model, arrival, body, &parts.headers).await
}

async fn answer(
    context: &mut RequestContext<'_>,
    model: &Model,
    parts: &mut Parts,
    body: &mut Body,
) -> Result<Response, ApiError> {
    let preferred_encoding = Encoding::preferred(&parts.headers);
    let InferRequest { id, infer, binary, all_binary } =
        receive(context, model, parts, body).await?;
    let answer = tensors::infer(context, model, infer).await?;
    context.memory.shrink_to(0);
    let encoding_started = Instant::now();
    let is_binary = |position: usize| binary.get(position).copied().unwrap_or(all_binary);
    let write = || {
        let (plain, json_length) = response::write(model, &answer, id.as_deref(), is_binary)?;
        let body = match preferred_encoding {
            Some(encoding) => encoding.compress(&plain)?,
            None => plain,
        };
        Ok::<_, ApiError>((body, json_length))
    };
    let is_long = answer.batch > INLINE_INPUTS;
    let (body, json_length) = context.app.compute(is_long, context.caller, write).await??;
    let body = reserved_body(body, context.take_memory())?;
    model.metrics.encode.observe(encoding_started.elapsed().as_secs_f64());
    Ok((headers(json_length, preferred_encoding), body).into_response())
}

/// Reads, decompresses and parses a request body.
async fn receive(
    context: &mut RequestContext<'_>,
    model: &Model,
    parts: &mut Parts,
    body: &mut Body,
) -> Result<InferRequest, ApiError> {
    let RequestContext { app, caller, memory, .. } = context;
    let caller = *caller;
    let json_length = json_length(&parts.headers)?;
    let encoding = Encoding::take(&mut parts.headers)?;
    let limit = app.config.limits.max_body_bytes.get();
    let incoming = Incoming::new(body, &parts.headers, caller.deadline)?;
    let mut body = incoming.read(limit, memory).await?;
    let decoding = Instant::now();
    if let Some(encoding) = encoding {
        body = encoding.unpack(app, caller, body, limit, memory).await?;
    }
    if json_length.is_none() {
        body = without_mark(&body);
    }
    let shape = model.manifest().input.shape();
    let json = json_length.unwrap_or(body.len()).min(body.len());
    let parse = || {
        memory.grow(PARSING_FACTOR * json as u64)?;
        InferRequest::parse(&body, json_length, &shape)
    };
    let mut request = app.compute(json > INLINE_BYTES, caller, parse).await??;
    request.infer.parsing = decoding.elapsed();
    Ok(request)
}

fn headers(json_length: Option<usize>, encoding: Option<Encoding>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let media_type =
        if json_length.is_some() { "application/octet-stream" } else { "application/json" };
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Some(length) = json_length {
        headers.insert(JSON_LENGTH_HEADER, HeaderValue::from(length));
    }
    if let Some(encoding) = encoding {
        headers.insert(header::CONTENT_ENCODING, encoding.name());
    }
    headers
}
