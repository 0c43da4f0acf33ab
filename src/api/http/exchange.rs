//! What handlers and middleware exchange: deadline, stage times, model, and reserved bodies.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    body::Body,
    extract::Request,
    http::HeaderMap,
    response::{IntoResponse as _, Response},
};
use hyper::body::Bytes;

use super::body;
use crate::{
    admission::Reservation,
    app::Caller,
    engine::model::Model,
    error::{ApiError, ErrorKind},
};

/// The duration of each stage, attached to a response for its `Server-Timing`.
#[derive(Debug, Clone, Copy)]
pub(super) struct StageTimes(pub(super) [(&'static str, Duration); 3]);

/// The model of a request, attached to its response for the metrics.
#[derive(Debug, Clone)]
pub(super) struct RequestModel(pub(super) Arc<Model>);

/// When a request's headers were received, who sent it, and its deadline.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    pub(super) at: Instant,
    /// The client, and the earlier of the server's and its own time limit.
    pub(super) caller: Caller,
}

/// Completes a request to a model. The rest of a refused request's body is read and dropped, so
/// that the client receives the error instead of seeing a broken connection.
pub(super) async fn conclude(
    answered: Result<Response, ApiError>,
    model: Option<Arc<Model>>,
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
    if let Some(model) = model {
        model.metrics.request_duration.observe(arrival.at.elapsed().as_secs_f64());
        response.extensions_mut().insert(RequestModel(model));
    }
    response
}

/// Reads a request's body and drops it.
pub(super) async fn discard_body(request: Request) {
    let (parts, body) = request.into_parts();
    body::discard(body, &parts.headers).await;
}

/// A response body whose memory stays reserved until it has been sent.
///
/// # Errors
/// Those of [`Reservation::grow`].
pub(super) fn reserved_body(bytes: Vec<u8>, mut memory: Reservation) -> Result<Body, ApiError> {
    let size = bytes.capacity() as u64;
    memory.shrink_to(size);
    memory.grow(size - memory.bytes())?;
    Ok(Body::from(Bytes::from_owner(ReservedBytes { bytes, _memory: memory })))
}

struct ReservedBytes {
    bytes: Vec<u8>,
    _memory: Reservation,
}

impl AsRef<[u8]> for ReservedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
