//! Probes and metrics.

use std::sync::Arc;

use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};

use super::exchange::Arrival;
use crate::{
    app::{App, Phase},
    error::ApiError,
    observability::metrics::Format,
};

/// `GET /healthz`: fails only if a worker is dead and could not be replaced, or a thread that serves
/// connections is stuck in a batch.
pub(super) async fn live(State(app): State<Arc<App>>) -> Response {
    if app.is_healthy() {
        status(StatusCode::OK, "ok")
    } else {
        status(StatusCode::SERVICE_UNAVAILABLE, "a worker is dead")
    }
}

/// `GET /readyz`: whether the server is ready for requests.
pub(super) async fn ready(State(app): State<Arc<App>>) -> Response {
    match app.phase() {
        Phase::Starting => status(StatusCode::SERVICE_UNAVAILABLE, "starting"),
        Phase::Ready => status(StatusCode::OK, "ready"),
        Phase::Draining | Phase::Closing => status(StatusCode::SERVICE_UNAVAILABLE, "draining"),
    }
}

/// `GET /metrics`. The text takes a thousand times as long as a probe to write, so it is written
/// aside.
pub(super) async fn metrics(
    State(app): State<Arc<App>>,
    Extension(Arrival { caller, .. }): Extension<Arrival>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    for model in app.repository().into_iter().flat_map(|repository| repository.models()) {
        model.metrics.queue_depth.set(model.queue_depth() as i64);
    }
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let format = Format::accepted(accept.unwrap_or_default());
    let render = || app.metrics.render(format, app.budget.used());
    let text = app.compute(true, caller, render).await?.map_err(|_| ApiError::internal())?;
    Ok(([(header::CONTENT_TYPE, format.content_type())], text).into_response())
}

fn status(code: StatusCode, word: &'static str) -> Response {
    let body = format!("{{\"status\":\"{word}\"}}");
    (code, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}
