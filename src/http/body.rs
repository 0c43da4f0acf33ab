//! Reading a body: within a size, within the memory that all requests share, within a time.

use std::time::{Duration, Instant};

use axum::{
    body::Body,
    http::{HeaderMap, header},
};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Bytes};
use tokio::time::timeout_at;

use crate::{
    admission::Reservation,
    error::{ApiError, ErrorKind},
};

/// A refused body is read on, unkept, up to this many times the limit, so that clients that send before they listen
/// see the answer and not a broken connection.
const DISCARD_FACTOR: usize = 4;
/// How long a refused body is read on.
const DISCARD_TIME: Duration = Duration::from_secs(5);

/// Reads a body of at most `limit` bytes before `deadline`, each byte reserved before it is kept.
pub(super) async fn read(
    mut body: Body,
    headers: &HeaderMap,
    limit: usize,
    memory: &mut Reservation,
    deadline: Instant,
) -> Result<Bytes, ApiError> {
    check_encoding(headers)?;
    let collected = collect(&mut body, limit, memory, deadline).await;
    if collected.as_ref().is_err_and(|e| e.kind != ErrorKind::RequestTimeout) {
        discard(body, limit).await;
    }
    collected
}

async fn collect(
    body: &mut Body,
    limit: usize,
    memory: &mut Reservation,
    deadline: Instant,
) -> Result<Bytes, ApiError> {
    let declared = body.size_hint().exact();
    if let Some(length) = declared {
        if length > limit as u64 {
            return Err(too_large(limit));
        }
        memory.grow(length)?;
    }
    let mut whole: Option<Bytes> = None;
    let mut joined: Vec<u8> = Vec::new();
    loop {
        let frame = timeout_at(deadline.into(), body.frame()).await.map_err(|_| {
            ErrorKind::RequestTimeout
                .because("the body did not come whole within the request's time")
        })?;
        let Some(frame) = frame else { break };
        let frame = frame
            .map_err(|_| ErrorKind::InvalidArgument.because("the body broke off before its end"))?;
        // Trailers say nothing that matters here.
        let Ok(data) = frame.into_data() else {
            continue;
        };
        let length = joined.len() + whole.as_ref().map_or(0, Bytes::len) + data.len();
        if length > limit {
            return Err(too_large(limit));
        }
        if declared.is_none() {
            memory.grow(data.len() as u64)?;
        }
        // Most bodies come in one piece, which is then used as it is.
        if whole.is_none() && joined.is_empty() {
            whole = Some(data);
            continue;
        }
        if let Some(first) = whole.take() {
            joined.reserve(declared.map_or(length, |length| length as usize));
            joined.extend_from_slice(&first);
        }
        joined.extend_from_slice(&data);
    }
    Ok(whole.unwrap_or_else(|| joined.into()))
}

async fn discard(mut body: Body, limit: usize) {
    let mut left = limit.saturating_mul(DISCARD_FACTOR);
    let until = tokio::time::Instant::now() + DISCARD_TIME;
    while let Ok(Some(Ok(frame))) = timeout_at(until, body.frame()).await {
        let length = frame.data_ref().map_or(0, Bytes::len);
        if length >= left {
            return;
        }
        left -= length;
    }
}

fn check_encoding(headers: &HeaderMap) -> Result<(), ApiError> {
    match headers.get(header::CONTENT_ENCODING) {
        None => Ok(()),
        Some(encoding) if encoding.as_bytes().eq_ignore_ascii_case(b"identity") => Ok(()),
        Some(_) => Err(ErrorKind::UnsupportedMediaType
            .because("the body has a Content-Encoding, and only plain bodies are taken")),
    }
}

fn too_large(limit: usize) -> ApiError {
    ErrorKind::TooLarge.because(format!(
        "the body is larger than the {limit} bytes that are taken; send fewer inputs at once"
    ))
}
