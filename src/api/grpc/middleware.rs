//! What every call passes through: its [`Call`], its trace, the API key, the deadline, and the metrics.

use std::{sync::Arc, time::Instant};

use axum::{
    body::Body,
    extract::{Request, State},
    http::HeaderValue,
    middleware::Next,
    response::Response,
};
use futures_util::StreamExt as _;
use http_body_util::{BodyStream, StreamBody};
use tokio::time::{sleep_until, timeout_at};
use tonic::Code;
use uuid::Uuid;

use super::{
    call::Call,
    messages::{Allowed, Messages, aside},
    status::corrected,
};
use crate::{
    admission::Client,
    app::App,
    error::{ErrorKind, busy},
    observability::telemetry::RequestTrace,
    transport::{ExemptFromStallCheck, Peer, Refusal},
};

/// Methods whose response lasts as long as the client wants.
const STREAMS: [&str; 1] = ["/drsn.v1.Classifier/ClassifyStream"];
/// Prefix of health checks, which the metrics do not count as requests.
const HEALTH_SERVICE: &str = "/grpc.health.";
/// Prefix of the services that describe the API.
const REFLECTION: &str = "/grpc.reflection.";
/// Largest question to these services, in bytes.
const QUESTION: usize = 4 << 10;
/// Health checks of the Open Inference Protocol, which need no key either.
const HEALTH: [&str; 2] =
    ["/inference.GRPCInferenceService/ServerLive", "/inference.GRPCInferenceService/ServerReady"];

/// Marks the response to a call that panicked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Panicked;

/// The middleware of every call: attaches the [`Call`], checks the key, ends the call at its
/// deadline, and counts it.
pub(super) async fn handle(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let refusal = request.extensions().get::<Refusal>().copied();
    // Health is told as long as there is any place.
    let is_probe = path.starts_with(HEALTH_SERVICE) || HEALTH.contains(&path);
    let refusal = refusal.filter(|&refusal| !is_probe || refusal == Refusal::TooManyRequests);
    if path.starts_with(HEALTH_SERVICE) && refusal.is_none() {
        return next.run(request).await;
    }
    let (is_stream, is_open) = (STREAMS.contains(&path), HEALTH.contains(&path));
    let (mut parts, body) = request.into_parts();
    let keys = app.keys.as_ref().filter(|_| !is_open);
    let peer = Peer::of(&parts.extensions);
    let by_address = Client::at(peer.address());
    let allowed = match (refusal, keys) {
        (Some(refusal), _) => Err(busy(refusal)),
        (None, Some(keys)) => keys.client(&parts.headers),
        (None, None) => Ok(by_address),
    };
    let client = *allowed.as_ref().unwrap_or(&by_address);
    let call = Arc::new(Call::new(&app, &parts.headers, client));
    parts.extensions.insert(Arc::clone(&call));
    if let Err(error) = allowed {
        let refused = call.refuse(&error);
        call.finish(refused.code());
        return refused.into_http();
    }
    let path = parts.uri.path();
    let is_reflection = path.starts_with(REFLECTION);
    let is_gzip = parts.headers.get("grpc-encoding").is_some_and(|encoding| encoding == "gzip");
    let allowed = Allowed {
        path: path.to_owned(),
        largest: if is_reflection { QUESTION } else { app.config.limits.max_body_bytes.get() },
        memory: app.config.limits.max_inflight_bytes.get(),
        is_gzip,
        are_many: is_stream || is_reflection,
    };
    let body = Body::new(Messages::new(body, Arc::clone(&app), Arc::clone(&call), allowed));
    let trace = RequestTrace::begin(&parts.headers, Uuid::new_v4());
    trace.describe_grpc(parts.uri.path());
    let answering = trace.around(next.run(Request::from_parts(parts, body)));
    let answering = aside(&call, answering);
    let answered = timeout_at(call.deadline.into(), answering).await;
    let mut response = answered.unwrap_or_else(|_| {
        let error =
            ErrorKind::DeadlineExceeded.because("the request's time was up before it was answered");
        call.refuse(&error).into_http()
    });
    let code = final_code(&call, &mut response);
    if is_reflection {
        response = response.map(|body| until(call.deadline, body));
    }
    if is_stream {
        response.extensions_mut().insert(ExemptFromStallCheck);
    }
    match code {
        Some(code) => call.finish(code),
        None if is_stream => {}
        None => call.finish(Code::Ok),
    }
    if let Some(kind) = call.failure() {
        call.release_all();
        app.hold_back(&peer, kind, call.deadline).await;
    }
    response
}

/// The code of a response, corrected in its headers if tonic set it; `None` if it follows the body.
fn final_code(call: &Call, response: &mut Response) -> Option<Code> {
    let code = Code::from_bytes(response.headers().get("grpc-status")?.as_bytes());
    let is_ours = call.is_refused() || response.extensions().get::<Panicked>().is_some();
    if is_ours || code == corrected(code) {
        return Some(code);
    }
    let code = corrected(code);
    response.headers_mut().insert("grpc-status", HeaderValue::from(i32::from(code)));
    Some(code)
}

/// A body that ends at the deadline, with its trailers if it ends before.
fn until(deadline: Instant, body: Body) -> Body {
    let frames = BodyStream::new(body).take_until(sleep_until(deadline.into()));
    Body::new(StreamBody::new(frames))
}
