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

/// A refused body is read on, unkept, up to this many bytes, so that clients that send before they listen see the
/// answer and not a broken connection.
const MOST_DISCARDED: usize = 64 << 20;
/// How long a refused body is read on.
const DISCARD_TIME: Duration = Duration::from_secs(5);

/// Reads a body of at most `limit` bytes before `deadline`, each byte reserved before it is kept.
pub(super) async fn read(
    body: &mut Body,
    headers: &HeaderMap,
    limit: usize,
    memory: &mut Reservation,
    deadline: Instant,
) -> Result<Bytes, ApiError> {
    check_encoding(headers)?;
    let declared = body.size_hint().exact();
    if declared.is_some_and(|length| length > limit as u64) {
        return Err(too_large(limit));
    }
    let mut first = Bytes::new();
    let mut joined: Vec<u8> = Vec::new();
    while let Some(frame) =
        timeout_at(deadline.into(), body.frame()).await.map_err(|_| too_slow())?
    {
        let frame = frame
            .map_err(|_| ErrorKind::InvalidArgument.because("the body broke off before its end"))?;
        // Trailers say nothing that matters here.
        let Ok(data) = frame.into_data() else {
            continue;
        };
        let length = first.len() + joined.len() + data.len();
        if length > limit {
            return Err(too_large(limit));
        }
        // What is declared is not reserved: a client that declares much and sends nothing must not keep others out.
        memory.grow(data.len() as u64)?;
        // Most bodies come in one piece, which is then used as it is.
        if first.is_empty() && joined.is_empty() {
            first = data;
            continue;
        }
        joined.extend_from_slice(&std::mem::take(&mut first));
        joined.extend_from_slice(&data);
    }
    Ok(if joined.is_empty() { first } else { joined.into() })
}

/// Reads on what is left of a refused request's body.
///
/// Not so where the client waits to be invited (`Expect: 100-continue`): reading would invite it.
pub(super) async fn discard(mut body: Body, headers: &HeaderMap) {
    if headers.contains_key(header::EXPECT) {
        return;
    }
    let mut left = MOST_DISCARDED;
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

fn too_slow() -> ApiError {
    ErrorKind::RequestTimeout.because("the body did not come whole within the request's time")
}

fn too_large(limit: usize) -> ApiError {
    ErrorKind::TooLarge.because(format!(
        "the body is larger than the {limit} bytes that are taken; send fewer inputs at once"
    ))
}
