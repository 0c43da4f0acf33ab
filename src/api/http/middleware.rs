//! What every request passes through: request id, trace, time limit, metrics, API key, errors.
//!
//! It is one function around the router instead of several layers: for every request, each layer
//! would clone everything inside it.

use std::{
    fmt::Write as _,
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version, header},
    response::{IntoResponse as _, Response},
};
use futures_util::FutureExt as _;
use tower::ServiceExt as _;
use uuid::Uuid;

use super::{
    cors,
    exchange::{Arrival, RequestModel, StageTimes, discard_body},
    openapi, problem,
};
use crate::{
    admission::Client,
    app::{App, Caller},
    error::{ApiError, busy},
    observability::{
        metrics::{Metrics, ResponseCode},
        telemetry::{RequestTrace, TRACEPARENT},
    },
    transport::{Peer, Refusal},
};

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The client's time limit, in milliseconds.
static REQUEST_TIMEOUT: HeaderName = HeaderName::from_static("x-request-timeout-ms");
static SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// Longest request id that is echoed, in bytes.
pub(super) const LONGEST_REQUEST_ID: usize = 128;

/// Routes of probes and metrics, which the metrics do not count as requests.
const PROBES: [&str; 5] =
    ["/healthz", "/readyz", "/metrics", "/v2/health/live", "/v2/health/ready"];

/// Routes that need no key, besides those that describe the API: probes have no key.
const OPEN: [&str; 4] = ["/healthz", "/readyz", "/v2/health/live", "/v2/health/ready"];

/// Answers a request, and adds the request id, `traceparent` and `Server-Timing`, and the body of
/// an error.
pub(super) async fn handle(app: &App, router: Router, request: Request) -> Response {
    let arrival = Instant::now();
    let (id, uuid) = request_id(request.headers());
    let is_http_1 = request.version() <= Version::HTTP_11;
    let trace = if is_probe(request.uri().path()) {
        RequestTrace::untold(request.headers())
    } else {
        RequestTrace::begin(request.headers(), uuid)
    };
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let origin = cors::allowed_origin(&app.config.network.cors_origin, request.headers());
    let preflight = origin.as_ref().and_then(|_| cors::preflight(&request));
    let mut response = match preflight {
        Some(response) => response,
        None => trace.around(observe(app, router, request)).await,
    };
    let duration = arrival.elapsed();
    let status = response.status().as_u16();
    trace.log(|| {
        let (method, path) = (method.as_str(), uri.path());
        tracing::debug!(method, path, status, us = duration.as_micros() as u64, "answered");
    });
    problem::write_body(&mut response, uuid);
    let stages = response.extensions().get::<StageTimes>();
    trace.describe_http(&method, uri.path(), status);
    for &(stage, duration) in stages.iter().flat_map(|stages| &stages.0) {
        trace.describe_stage(stage, duration);
    }
    let timing = server_timing(stages, duration);
    let headers = response.headers_mut();
    if !app.config.network.cors_origin.is_empty() {
        cors::mark(headers, origin);
    }
    if let Some(id) = id {
        headers.insert(REQUEST_ID.clone(), id);
    }
    if let Some(traceparent) = trace.header() {
        headers.insert(TRACEPARENT.clone(), traceparent);
    }
    if let Ok(timing) = HeaderValue::try_from(timing) {
        headers.insert(SERVER_TIMING.clone(), timing);
    }
    set_connection(headers, is_http_1, app.is_draining());
    response
}

/// Asks HTTP/1.1 clients to close their connection while the server drains. HTTP/2 forbids the
/// header and has GOAWAY instead.
fn set_connection(headers: &mut HeaderMap, is_http_1: bool, is_draining: bool) {
    if !is_http_1 {
        headers.remove(header::CONNECTION);
    } else if is_draining {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
}

/// The id that the client gave, or a new one; and its UUID, or a new one if it is not a UUID.
pub(super) fn request_id(headers: &HeaderMap) -> (Option<HeaderValue>, Uuid) {
    let given = headers.get(&REQUEST_ID).filter(|id| id.len() <= LONGEST_REQUEST_ID).cloned();
    let uuid = given
        .as_ref()
        .and_then(|id| Uuid::try_parse_ascii(id.as_bytes()).ok())
        .unwrap_or_else(Uuid::new_v4);
    let id = given.or_else(|| {
        HeaderValue::from_str(uuid.hyphenated().encode_lower(&mut Uuid::encode_buffer())).ok()
    });
    (id, uuid)
}

/// `decode;dur=0.041, total;dur=0.310`, in milliseconds.
fn server_timing(stages: Option<&StageTimes>, total: Duration) -> String {
    let stages = stages.map(|stages| stages.0.as_slice()).unwrap_or_default();
    let mut timing = String::with_capacity(96);
    for (name, duration) in stages.iter().chain([&("total", total)]) {
        let separator = if timing.is_empty() { "" } else { ", " };
        let (ms, us) = (duration.as_millis(), duration.subsec_micros() % 1000);
        // Writing to a string does not fail.
        let _ = write!(timing, "{separator}{name};dur={ms}.{us:03}");
    }
    timing
}

fn is_probe(path: &str) -> bool {
    PROBES.contains(&path) || openapi::is_description(path)
}

/// Counts requests and rejections, and sets the deadline.
async fn observe(app: &App, router: Router, mut request: Request) -> Response {
    let at = Instant::now();
    let client = Client::at(Peer::of(request.extensions()).address());
    let caller = Caller { client, deadline: at + app.config.request_timeout() };
    request.extensions_mut().insert(Arrival { at, caller });
    if is_probe(request.uri().path()) {
        let response = caught(app, router, request).await;
        if response.status() == StatusCode::UNAUTHORIZED {
            app.metrics.count_rejection(None, "unauthenticated");
        }
        return response;
    }
    let mut inflight = Inflight::new(&app.metrics);
    let response = caught(app, router, request).await;
    inflight.answered = true;
    let model = response.extensions().get::<RequestModel>().map(|model| &model.0);
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

/// A request that is being answered. If its client hangs up, hyper drops it unanswered.
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

/// Answers a request; a panic becomes an internal error.
async fn caught(app: &App, router: Router, request: Request) -> Response {
    let answered = AssertUnwindSafe(admitted(app, router, request)).catch_unwind().await;
    answered.unwrap_or_else(|panic| ApiError::panicked(&*panic).into_response())
}

/// Answers a request if its key and its time limit are valid.
async fn admitted(app: &App, router: Router, mut request: Request) -> Response {
    if let Some(&refusal) = request.extensions().get::<Refusal>()
        && (refusal == Refusal::TooManyRequests || !is_probe(request.uri().path()))
    {
        // The body is not read: that would need a place, too.
        return too_many(refusal);
    }
    if let Err(error) = authenticate(app, &mut request).and_then(|()| limit_time(&mut request)) {
        discard_body(request).await;
        return error.into_response();
    }
    let arrival = request.extensions().get::<Arrival>().copied();
    let peer = Peer::of(request.extensions());
    let response = router.oneshot(request).await.unwrap_or_else(|never| match never {});
    if let (Some(error), Some(arrival)) = (response.extensions().get::<ApiError>(), arrival) {
        Box::pin(app.hold_back(&peer, error.kind, arrival.caller.deadline)).await;
    }
    response
}

/// Refuses a request for which there is no place, and closes its connection if that is one too many.
fn too_many(refusal: Refusal) -> Response {
    let mut response = busy(refusal).into_response();
    if refusal == Refusal::TooManyConnections {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Checks the key of a request, which tells the client better than its address.
fn authenticate(app: &App, request: &mut Request) -> Result<(), ApiError> {
    let Some(keys) = &app.keys else {
        return Ok(());
    };
    let path = request.uri().path();
    let is_open = OPEN.contains(&path)
        || openapi::is_description(path)
        || path == "/metrics" && app.config.security.metrics_open;
    if is_open {
        return Ok(());
    }
    let client = keys.client(request.headers())?;
    if let Some(arrival) = request.extensions_mut().get_mut::<Arrival>() {
        arrival.caller.client = client;
    }
    Ok(())
}

fn limit_time(request: &mut Request) -> Result<(), ApiError> {
    let limit = client_limit(request.headers())?;
    if let Some(arrival) = request.extensions_mut().get_mut::<Arrival>()
        && let Some(end) = limit.and_then(|limit| arrival.at.checked_add(limit))
    {
        arrival.caller.deadline = arrival.caller.deadline.min(end);
    }
    Ok(())
}

pub(super) fn client_limit(headers: &HeaderMap) -> Result<Option<Duration>, ApiError> {
    let Some(value) = headers.get(&REQUEST_TIMEOUT) else {
        return Ok(None);
    };
    let number = value.to_str().ok().and_then(|value| value.trim().parse::<u64>().ok());
    number
        .filter(|&number| number > 0)
        .map(|number| Some(Duration::from_millis(number)))
        .ok_or_else(|| {
            ApiError::invalid(
                "the header X-Request-Timeout-Ms must be a whole number of milliseconds above 0",
            )
        })
}
