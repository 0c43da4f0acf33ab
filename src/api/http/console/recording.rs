//! What the server reads of a recording, for pictures of it.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Extension, Path, Request, State, rejection::PathRejection},
    http::{HeaderValue, header, request::Parts},
    response::{IntoResponse as _, Response},
};

use super::bad_path;
use crate::{
    api::http::{
        body::Incoming,
        exchange::{Arrival, conclude, reserved_body},
        query,
    },
    app::App,
    error::ApiError,
    inference::{
        classify::{
            File,
            samples::{Recorded, recorded},
        },
        context::RequestContext,
        decode::MediaType,
    },
};

/// `POST /console/recordings/{index}`: the samples of the recording at this position of a file, as
/// classification with the same options takes them, before they are resampled. The answer is
/// little-endian 32-bit floats, one channel after the other; headers say how many and at what rate.
pub(super) async fn read(
    State(app): State<Arc<App>>,
    Extension(arrival): Extension<Arrival>,
    index: Result<Path<usize>, PathRejection>,
    request: Request,
) -> Response {
    let (parts, mut body) = request.into_parts();
    let mut context = RequestContext::new(&app, arrival.caller);
    let answered = match index {
        Ok(Path(index)) => answer(&mut context, index, &parts, &mut body).await,
        Err(_) => Err(bad_path()),
    };
    // Without the model: its metrics count what it classifies.
    conclude(answered, None, arrival, body, &parts.headers).await
}

async fn answer(
    context: &mut RequestContext<'_>,
    index: usize,
    parts: &Parts,
    body: &mut Body,
) -> Result<Response, ApiError> {
    let options = query::options(parts.uri.query().unwrap_or_default())?;
    let (model, version) = (options.model.as_deref(), options.version.as_deref());
    context.find_model(model, version)?.check_room()?;
    let content_type = parts.headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    let MediaType::File(kind) = MediaType::of(content_type)? else {
        return Err(ApiError::invalid(
            "a file of a recording was expected; send it with its own media type, such as application/x-matlab-data",
        ));
    };
    let limit = context.app.config.limits.max_recording_bytes.get();
    let incoming = Incoming::new(body, &parts.headers, context.deadline())?;
    let bytes = incoming.read(limit, &mut context.memory).await?;
    let file = File { name: None, bytes, declared: Some(kind) };
    let recorded = Box::pin(recorded(context, file, index, &options)).await?;
    respond(context, recorded).await
}

async fn respond(
    context: &mut RequestContext<'_>,
    recorded: Recorded,
) -> Result<Response, ApiError> {
    let Recorded { channels, sample_rate_hz } = recorded;
    let mut headers = vec![
        (header::CONTENT_TYPE.as_str(), HeaderValue::from_static("application/octet-stream")),
        ("x-channels", HeaderValue::from(channels.nrows())),
    ];
    let rate = sample_rate_hz.and_then(|rate| HeaderValue::try_from(rate.to_string()).ok());
    headers.extend(rate.map(|rate| ("x-sample-rate-hz", rate)));
    context.memory.grow(4 * channels.len() as u64)?;
    let write = || channels.iter().flat_map(|sample| sample.to_le_bytes()).collect::<Vec<u8>>();
    let bytes = context.app.compute(true, context.caller, write).await?;
    drop(channels);
    let body = reserved_body(bytes, context.take_memory())?;
    let mut response = body.into_response();
    for (name, value) in headers {
        response.headers_mut().insert(name, value);
    }
    Ok(response)
}
