//! The HTTP face: routes, and what every answer has.

mod body;
mod classify;
pub mod connection;
mod health;
mod models;
mod options;
mod problem;
mod repository;

use std::{sync::Arc, time::Instant};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderName, HeaderValue, StatusCode, Version, header},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use tower_http::catch_panic::CatchPanicLayer;
use uuid::Uuid;

use crate::{
    error::{ApiError, ErrorKind},
    metrics::Metrics,
    model::Model,
    server::App,
};

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest request id of a client that is echoed, in bytes.
const LONGEST_REQUEST_ID: usize = 128;

/// Routes of probes and scrapes, which are not requests in the metrics' sense.
const PROBES: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// The model that answered, or was asked; put into an answer for the metrics.
#[derive(Debug, Clone)]
struct Answered(Arc<Model>);

/// When a request's headers had been read.
#[derive(Debug, Clone, Copy)]
struct Arrival(Instant);

/// Every route.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/classify", post(classify::default_model))
        .route("/models/{model}/classify", post(classify::named_model))
        .route("/models/{model}/versions/{version}/classify", post(classify::named_version))
        .route("/models", get(models::list))
        .route("/models/{model}", get(models::one))
        .route("/v2/repository/index", post(repository::index))
        .route("/v2/repository/models/{model}/load", post(repository::load))
        .route("/v2/repository/models/{model}/unload", post(repository::unload))
        .route("/healthz", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .fallback(unknown_route)
        .method_not_allowed_fallback(wrong_method)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), observe))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), finish))
        .with_state(app)
}

/// What every answer has: a request id, and where it is an error, a body that says so.
async fn finish(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let given =
        request.headers().get(&REQUEST_ID).filter(|id| id.len() <= LONGEST_REQUEST_ID).cloned();
    let uuid = given
        .as_ref()
        .and_then(|id| Uuid::try_parse_ascii(id.as_bytes()).ok())
        .unwrap_or_else(Uuid::new_v4);
    let id = given.or_else(|| HeaderValue::from_str(&uuid.to_string()).ok());
    let is_http_1 = request.version() <= Version::HTTP_11;
    let mut response = next.run(request).await;
    problem::write_body(&mut response, uuid);
    let headers = response.headers_mut();
    if let Some(id) = id {
        headers.insert(REQUEST_ID.clone(), id);
    }
    // HTTP/2 has GOAWAY for that, and forbids the header.
    if !is_http_1 {
        headers.remove(header::CONNECTION);
    } else if app.is_draining() {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Counts requests, and how long they take.
async fn observe(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    if PROBES.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    request.extensions_mut().insert(Arrival(Instant::now()));
    let mut inflight = Inflight::new(&app.metrics);
    let response = next.run(request).await;
    inflight.answered = true;
    let model = response.extensions().get::<Answered>().map(|answered| &answered.0);
    let labels = model.map(|model| &model.labels);
    match model {
        Some(model) if response.status() == StatusCode::OK => {
            model.metrics.answered.inc();
        }
        _ => app.metrics.count_request(labels, response.status().as_u16()),
    }
    let error = response.extensions().get::<ApiError>();
    if let Some(reason) = error.and_then(|error| error.kind.rejection()) {
        app.metrics.count_rejection(labels, reason);
    }
    response
}

/// A request that is being answered. hyper drops it unanswered when its client has hung up.
struct Inflight<'a> {
    metrics: &'a Metrics,
    answered: bool,
}

impl<'a> Inflight<'a> {
    fn new(metrics: &'a Metrics) -> Self {
        metrics.inflight_requests.inc();
        Self { metrics, answered: false }
    }
}

impl Drop for Inflight<'_> {
    fn drop(&mut self) {
        self.metrics.inflight_requests.dec();
        if !self.answered {
            self.metrics.count_rejection(None, "cancelled");
        }
    }
}

async fn unknown_route(request: Request) -> ApiError {
    discard_body(request).await;
    ErrorKind::NotFound
        .because("there is no such route; send inputs to POST /classify, and see GET /models")
}

async fn wrong_method(request: Request) -> ApiError {
    discard_body(request).await;
    ErrorKind::MethodNotAllowed.because("this route has other methods; the Allow header names them")
}

async fn discard_body(request: Request) {
    let (parts, body) = request.into_parts();
    body::discard(body, &parts.headers).await;
}

#[expect(clippy::needless_pass_by_value, reason = "the signature is the layer's")]
fn panicked(panic: Box<dyn std::any::Any + Send>) -> Response {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    tracing::error!(message, "a request handler panicked");
    ApiError::internal().into_response()
}
