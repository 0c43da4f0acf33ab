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

/// A body that is read frame by frame, within the request's time.
#[derive(Debug)]
pub(super) struct Incoming<'a> {
    body: &'a mut Body,
    deadline: Instant,
    /// Bytes that the client says will come.
    declared: Option<u64>,
    /// What was read to look at it, and is still to be handed on.
    first: Bytes,
}

impl<'a> Incoming<'a> {
    /// Nothing is read yet.
    pub(super) fn new(
        body: &'a mut Body,
        headers: &HeaderMap,
        deadline: Instant,
    ) -> Result<Self, ApiError> {
        check_encoding(headers)?;
        let declared = body.size_hint().exact();
        Ok(Self { body, deadline, declared, first: Bytes::new() })
    }

    /// Bytes that the client says will come.
    pub(super) fn declared(&self) -> Option<u64> {
        self.declared
    }

    /// When the request's time is up.
    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The body, of which nothing was read yet.
    pub(super) fn into_body(self) -> &'a mut Body {
        self.body
    }

    /// The next bytes; none at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        if !self.first.is_empty() {
            return Ok(Some(std::mem::take(&mut self.first)));
        }
        self.frame().await
    }

    async fn frame(&mut self) -> Result<Option<Bytes>, ApiError> {
        loop {
            let frame = timeout_at(self.deadline.into(), self.body.frame()).await;
            let Some(frame) = frame.map_err(|_| too_slow())? else { return Ok(None) };
            // Trailers say nothing that matters here.
            if let Ok(data) = frame.map_err(|_| broken_off())?.into_data() {
                return Ok(Some(data));
            }
        }
    }

    /// Its first bytes, at least so many of them where it has them; they are read again after that.
    pub(super) async fn peek(&mut self, bytes: usize) -> Result<&[u8], ApiError> {
        while self.first.len() < bytes {
            let Some(frame) = self.frame().await? else { break };
            self.first = if self.first.is_empty() {
                frame
            } else {
                Bytes::from([&self.first[..], &frame].concat())
            };
        }
        Ok(&self.first)
    }

    /// Reads all of it, at most `limit` bytes, each reserved before it is kept: twice while it comes, for its pieces and
    /// for the whole that they are joined to.
    pub(super) async fn read(
        mut self,
        limit: usize,
        memory: &mut Reservation,
    ) -> Result<Bytes, ApiError> {
        if self.declared.is_some_and(|length| length > limit as u64) {
            return Err(too_large(limit));
        }
        let mut pieces: Vec<Bytes> = Vec::new();
        let (before, mut length) = (memory.bytes(), 0);
        while let Some(data) = self.next().await? {
            length += data.len();
            if length > limit {
                return Err(too_large(limit));
            }
            // What is declared is not reserved: a client that declares much and sends nothing must not keep others out.
            memory.grow(2 * data.len() as u64)?;
            pieces.push(data);
        }
        // Most bodies come in one piece, which is then used as it is. The pieces of others are joined only when all have
        // come: a body that grew with each would be in memory twice while it moves, and with it its holes.
        let whole = match pieces.len() {
            0 | 1 => pieces.pop().unwrap_or_default(),
            _ => pieces.concat().into(),
        };
        drop(pieces);
        memory.shrink_to(before + length as u64);
        Ok(whole)
    }
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

pub(super) fn check_encoding(headers: &HeaderMap) -> Result<(), ApiError> {
    match headers.get(header::CONTENT_ENCODING) {
        None => Ok(()),
        Some(encoding) if encoding.as_bytes().eq_ignore_ascii_case(b"identity") => Ok(()),
        Some(_) => Err(ErrorKind::UnsupportedMediaType
            .because("this route does not support Content-Encoding; send the body uncompressed")),
    }
}

pub(super) fn broken_off() -> ApiError {
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
