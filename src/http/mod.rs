//! The HTTP face: routes, and what every answer has.

mod body;
mod classify;
pub mod connection;
mod health;
mod models;
mod multipart;
mod oip;
mod openapi;
mod options;
mod patience;
mod problem;
mod repository;
mod routes;
mod trace;

use std::{
    fmt::Write as _,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version, header},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument as _;
use uuid::Uuid;

use routes::Routes;
use trace::{TRACEPARENT, TraceContext};

use crate::{
    error::{ApiError, ErrorKind},
    metrics::{Metrics, ResponseCode},
    model::Model,
    server::App,
};

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The time that a client gives its request, in milliseconds.
static REQUEST_TIMEOUT: HeaderName = HeaderName::from_static("x-request-timeout-ms");
static SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// Longest request id of a client that is echoed, in bytes.
const LONGEST_REQUEST_ID: usize = 128;

/// Routes of probes and scrapes, which are not requests in the metrics' sense.
const PROBES: [&str; 5] =
    ["/healthz", "/readyz", "/metrics", "/v2/health/live", "/v2/health/ready"];

/// Routes that need no key, besides those that describe the API: a probe has none.
const OPEN: [&str; 4] = ["/healthz", "/readyz", "/v2/health/live", "/v2/health/ready"];

/// What each stage of a request took; put into an answer for its `Server-Timing`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StageTimes(pub(crate) [(&'static str, Duration); 3]);

/// The model that answered, or was asked; put into an answer for the metrics.
#[derive(Debug, Clone)]
struct Answered(Arc<Model>);

/// When a request's headers had been read, and when its answer is worthless.
#[derive(Debug, Clone, Copy)]
struct Arrival {
    at: Instant,
    /// By the server's own limit or by its client's, whichever is earlier.
    deadline: Instant,
}

/// Every route.
fn routes() -> Routes {
    Routes::new()
        .route("/classify", post(classify::default_model))
        .route("/models/{model}/classify", post(classify::named_model))
        .route("/models/{model}/versions/{version}/classify", post(classify::named_version))
        .route("/models", get(models::list))
        .route("/models/{model}", get(models::one))
        .merge(oip::routes())
        .route("/v2/repository/index", post(repository::index))
        .route("/v2/repository/models/{model}/load", post(repository::load))
        .route("/v2/repository/models/{model}/unload", post(repository::unload))
        .route("/healthz", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .merge(openapi::routes())
}

/// The service: every route, and what all of them have in common.
pub fn router(app: Arc<App>) -> Router {
    routes()
        .into_router()
        .fallback(unknown_route)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn(limit_time))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), authenticate))
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
    let (arrival, trace) = (Instant::now(), TraceContext::of(request.headers()));
    let span = tracing::info_span!("request", request_id = %uuid, trace_id = trace.trace_id());
    let mut response = next.run(request).instrument(span.clone()).await;
    let duration = arrival.elapsed();
    span.in_scope(|| {
        let status = response.status().as_u16();
        tracing::debug!(status, us = duration.as_micros() as u64, "answered");
    });
    problem::write_body(&mut response, uuid);
    let timing = server_timing(response.extensions().get::<StageTimes>(), duration);
    let headers = response.headers_mut();
    if let Some(id) = id {
        headers.insert(REQUEST_ID.clone(), id);
    }
    if let Some(traceparent) = trace.header() {
        headers.insert(TRACEPARENT.clone(), traceparent);
    }
    if let Ok(timing) = HeaderValue::try_from(timing) {
        headers.insert(SERVER_TIMING.clone(), timing);
    }
    // HTTP/2 has GOAWAY for that, and forbids the header.
    if !is_http_1 {
        headers.remove(header::CONNECTION);
    } else if app.is_draining() {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// `decode;dur=0.041, total;dur=0.31`, in milliseconds.
fn server_timing(stages: Option<&StageTimes>, total: Duration) -> String {
    let stages = stages.map(|stages| stages.0.as_slice()).unwrap_or_default();
    let mut timing = String::new();
    for (name, duration) in stages.iter().chain([&("total", total)]) {
        let separator = if timing.is_empty() { "" } else { ", " };
        // Writing to a string does not fail.
        let _ = write!(timing, "{separator}{name};dur={:.3}", duration.as_secs_f64() * 1e3);
    }
    timing
}

/// Lets requests pass that have a key, where keys are set.
async fn authenticate(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let Some(keys) = &app.keys else {
        return next.run(request).await;
    };
    let path = request.uri().path();
    let is_open = OPEN.contains(&path)
        || openapi::is_description(path)
        || path == "/metrics" && app.config.metrics_open;
    match keys.check(request.headers()) {
        Err(error) if !is_open => {
            discard_body(request).await;
            error.into_response()
        }
        Ok(()) | Err(_) => next.run(request).await,
    }
}

/// Gives a request no more time than its client does.
async fn limit_time(mut request: Request, next: Next) -> Response {
    match given_time(request.headers()) {
        Ok(limit) => {
            if let Some(arrival) = request.extensions_mut().get_mut::<Arrival>()
                && let Some(end) = limit.and_then(|limit| arrival.at.checked_add(limit))
            {
                arrival.deadline = arrival.deadline.min(end);
            }
            next.run(request).await
        }
        Err(error) => {
            discard_body(request).await;
            error.into_response()
        }
    }
}

fn given_time(headers: &HeaderMap) -> Result<Option<Duration>, ApiError> {
    let Some(value) = headers.get(&REQUEST_TIMEOUT) else {
        return Ok(None);
    };
    let number = value.to_str().ok().and_then(|value| value.trim().parse::<u64>().ok());
    number
        .filter(|&number| number > 0)
        .map(|number| Some(Duration::from_millis(number)))
        .ok_or_else(|| {
            ErrorKind::InvalidArgument.because(
                "the header X-Request-Timeout-Ms must be a whole number of milliseconds above 0",
            )
        })
}

/// Counts requests, and how long they take.
async fn observe(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if PROBES.contains(&path) || openapi::is_description(path) {
        let response = next.run(request).await;
        if response.status() == StatusCode::UNAUTHORIZED {
            app.metrics.count_rejection(None, "unauthenticated");
        }
        return response;
    }
    let at = Instant::now();
    request.extensions_mut().insert(Arrival { at, deadline: at + app.config.request_timeout() });
    let mut inflight = Inflight::new(&app.metrics);
    let response = next.run(request).await;
    inflight.answered = true;
    let model = response.extensions().get::<Answered>().map(|answered| &answered.0);
    let labels = model.map(|model| &model.labels);
    match model {
        Some(model) if response.status() == StatusCode::OK => {
            model.metrics.answered.inc();
        }
        _ => {
            let code = ResponseCode::Http(response.status().as_u16());
            app.metrics.count_request(labels, code);
        }
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

/// The answer of a request to a model: what is left of a refused one's body is read, so that its client sees why.
async fn concluded(
    answered: Result<Response, ApiError>,
    asked: Option<Arc<Model>>,
    arrival: Arrival,
    body: Body,
    headers: &HeaderMap,
) -> Response {
    let mut response = match answered {
        Ok(response) => response,
        Err(error) => {
            if error.kind != ErrorKind::RequestTimeout {
                body::discard(body, headers).await;
            }
            error.into_response()
        }
    };
    if let Some(model) = asked {
        model.metrics.request_duration.observe(arrival.at.elapsed().as_secs_f64());
        response.extensions_mut().insert(Answered(model));
    }
    response
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
