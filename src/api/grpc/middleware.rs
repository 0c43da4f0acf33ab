//! What every call passes through: its [`Call`], its trace, the API key, the deadline, and the metrics.

use std::{
    error::Error,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use axum::{
    body::Body,
    extract::{Request, State},
    http::HeaderValue,
    middleware::Next,
    response::Response,
};
use hyper::body::{Body as HttpBody, Bytes, Frame};
use tokio::time::timeout_at;
use tonic::Code;
use uuid::Uuid;

use super::{call::Call, status::corrected};
use crate::{
    app::App, error::ErrorKind, observability::telemetry::RequestTrace,
    transport::ExemptFromStallCheck,
};

/// Methods whose response lasts as long as the client wants.
const STREAMS: [&str; 1] = ["/drsn.v1.Classifier/ClassifyStream"];
/// Prefix of health checks and reflection, which the metrics do not count as requests.
const PROBES: &str = "/grpc.";
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
    if path.starts_with(PROBES) {
        return next.run(request).await;
    }
    let (is_stream, is_open) = (STREAMS.contains(&path), HEALTH.contains(&path));
    let (mut parts, body) = request.into_parts();
    let call = Arc::new(Call::new(&app, &parts.headers));
    parts.extensions.insert(Arc::clone(&call));
    let keys = app.keys.as_ref().filter(|_| !is_open);
    if let Some(Err(error)) = keys.map(|keys| keys.check(&parts.headers)) {
        let refused = call.refuse(&error);
        call.finish(refused.code());
        return refused.into_http();
    }
    let body = Body::new(ReservedBody { body, call: Arc::clone(&call) });
    let trace = RequestTrace::begin(&parts.headers, Uuid::new_v4());
    trace.describe_grpc(parts.uri.path());
    let answering = trace.around(next.run(Request::from_parts(parts, body)));
    let answered = timeout_at(call.deadline.into(), answering).await;
    let mut response = answered.unwrap_or_else(|_| {
        let error =
            ErrorKind::DeadlineExceeded.because("the request's time was up before it was answered");
        call.refuse(&error).into_http()
    });
    let code = final_code(&call, &mut response);
    if is_stream {
        response.extensions_mut().insert(ExemptFromStallCheck);
    }
    match code {
        Some(code) => call.finish(code),
        None if is_stream => {}
        None => call.finish(Code::Ok),
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

/// A request body whose bytes are reserved before they are kept.
struct ReservedBody {
    body: Body,
    call: Arc<Call>,
}

impl HttpBody for ReservedBody {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(context)) else {
            return Poll::Ready(None);
        };
        let frame = frame.map_err(Box::new)?;
        if let Some(data) = frame.data_ref() {
            self.call.receive(data)?;
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}
