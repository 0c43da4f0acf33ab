//! Reads a request body within limits of size, memory and time.

use std::time::{Duration, Instant};

use axum::{
    body::Body,
    http::{HeaderMap, header},
};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Bytes};
use tokio::time::timeout_at;

use crate::{
    admission::{Reservation, ReservedBuffer},
    error::{ApiError, ErrorKind},
};

/// How many bytes of a refused body are read and dropped, so that a client that is still sending
/// receives the error instead of seeing a broken connection.
const MAX_DISCARDED: usize = 64 << 20;
/// How long a refused body is read and dropped.
const DISCARD_TIMEOUT: Duration = Duration::from_secs(5);

/// A request body, read frame by frame until the request's deadline.
#[derive(Debug)]
pub(super) struct Incoming<'a> {
    body: &'a mut Body,
    deadline: Instant,
    /// The length that the client declared, in bytes.
    declared: Option<u64>,
    /// Bytes that [`Incoming::peek`] read and [`Incoming::next`] has not returned yet.
    peeked: Bytes,
    /// Whether the body is in memory already, as one frame, and reserved.
    is_whole: bool,
}

impl<'a> Incoming<'a> {
    /// A body of which nothing has been read.
    ///
    /// # Errors
    /// [`ErrorKind::UnsupportedMediaType`] if it is compressed.
    pub(super) fn new(
        body: &'a mut Body,
        headers: &HeaderMap,
        deadline: Instant,
    ) -> Result<Self, ApiError> {
        check_encoding(headers)?;
        let declared = body.size_hint().exact();
        Ok(Self { body, deadline, declared, peeked: Bytes::new(), is_whole: false })
    }

    /// A body that was read already, and is reserved; it is put in the place of the one that was
    /// received.
    pub(super) fn whole(body: &'a mut Body, bytes: Bytes, deadline: Instant) -> Self {
        let declared = Some(bytes.len() as u64);
        *body = Body::from(bytes);
        Self { body, deadline, declared, peeked: Bytes::new(), is_whole: true }
    }

    /// The length that the client declared, in bytes.
    pub(super) fn declared(&self) -> Option<u64> {
        self.declared
    }

    /// The request's deadline.
    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The body itself; nothing may have been peeked at.
    pub(super) fn into_body(self) -> &'a mut Body {
        self.body
    }

    /// The next bytes, or `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        if !self.peeked.is_empty() {
            return Ok(Some(std::mem::take(&mut self.peeked)));
        }
        self.frame().await
    }

    async fn frame(&mut self) -> Result<Option<Bytes>, ApiError> {
        loop {
            let frame = timeout_at(self.deadline.into(), self.body.frame()).await;
            let Some(frame) = frame.map_err(|_| too_slow())? else { return Ok(None) };
            // Trailers are ignored.
            if let Ok(data) = frame.map_err(|_| incomplete())?.into_data() {
                return Ok(Some(data));
            }
        }
    }

    /// The first bytes, at least `bytes` of them unless the body is shorter. They stay in the body.
    pub(super) async fn peek(&mut self, bytes: usize) -> Result<&[u8], ApiError> {
        while self.peeked.len() < bytes {
            let Some(frame) = self.frame().await? else { break };
            self.peeked = if self.peeked.is_empty() {
                frame
            } else {
                Bytes::from([&self.peeked[..], &frame].concat())
            };
        }
        Ok(&self.peeked)
    }

    /// Reads the whole body of at most `limit` bytes. Each byte is reserved before it is kept.
    pub(super) async fn read(
        mut self,
        limit: usize,
        memory: &mut Reservation,
    ) -> Result<Bytes, ApiError> {
        // The declared length is not reserved: a client that declares much and sends nothing must
        // not keep others out.
        let declared = self.declared;
        if declared.is_some_and(|length| length > limit as u64) {
            return Err(too_large(limit));
        }
        if self.is_whole {
            return Ok(self.next().await?.unwrap_or_default());
        }
        let mut buffer = ReservedBuffer::default();
        while let Some(data) = self.next().await? {
            if buffer.len() + data.len() > limit {
                return Err(too_large(limit));
            }
            buffer.push(&data, declared, memory)?;
        }
        Ok(buffer.finish_in_steps(memory).await?.into())
    }
}

/// JSON without the mark of UTF-8 before it, which editors on Windows write.
pub(super) fn without_mark(json: &Bytes) -> Bytes {
    let mark = json.len() - drsn_bundle::files::without_mark(json).len();
    json.slice(mark..)
}

/// Reads and drops the rest of a refused request's body.
///
/// If the client waits for `100 Continue`, nothing is read: reading would ask it to send.
pub(super) async fn discard(mut body: Body, headers: &HeaderMap) {
    if headers.contains_key(header::EXPECT) {
        return;
    }
    let mut left = MAX_DISCARDED;
    let until = tokio::time::Instant::now() + DISCARD_TIMEOUT;
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
            .because("this route does not support Content-Encoding; send the body uncompressed")),
    }
}

pub(super) fn incomplete() -> ApiError {
    ApiError::invalid("the body ended before it was complete")
}

pub(super) fn too_slow() -> ApiError {
    ErrorKind::RequestTimeout.because("the body did not arrive within the request's time limit")
}

pub(super) fn too_large(limit: usize) -> ApiError {
    ErrorKind::TooLarge.because(format!(
        "the body is larger than the limit of {limit} bytes; send fewer inputs at once"
    ))
}
