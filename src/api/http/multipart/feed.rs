//! Hands the body of a form to its parser: small pieces of it, and only when the parser needs one.
//!
//! The parser takes all that it can get whenever it is asked for the next part or for more of a
//! part, even if it already has that. In a form of many small parts, the rest of the body would
//! come to lie in the parser's memory, which is reserved for the headers of a part only.

use std::{
    pin::Pin,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    task::{Context, Poll, ready},
};

use axum::body::Body;
use futures_util::Stream;
use hyper::body::{Body as _, Bytes};

use crate::{
    api::http::body::{incomplete, too_large},
    error::ApiError,
};

/// Longest piece that the parser receives, in bytes.
const PIECE: usize = 16 << 10;
/// Longest headers of a part, in bytes. The parser looks through all of them again whenever more
/// arrive.
const LONGEST_HEADERS: usize = 16 << 10;

/// What a [`Feed`] may give the parser.
#[derive(Debug, Default)]
pub(super) struct Valve {
    /// Whether the parser may take one more piece.
    is_open: AtomicBool,
    /// Bytes that may still be taken before the headers of the next part end.
    left_for_headers: AtomicUsize,
}

impl Valve {
    /// From here on the parser looks for the headers of a part.
    pub(super) fn begin_headers(&self) {
        self.left_for_headers.store(LONGEST_HEADERS, Relaxed);
    }

    /// From here on the parser reads the content of a part.
    pub(super) fn end_headers(&self) {
        self.left_for_headers.store(usize::MAX, Relaxed);
    }

    /// Polls the parser with what it has, and with one piece more for as long as that is too little.
    pub(super) fn poll<T>(
        &self,
        context: &mut Context<'_>,
        mut parser: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.is_open.store(false, Relaxed);
        loop {
            if let Poll::Ready(result) = parser(context) {
                return Poll::Ready(result);
            }
            // If it is still open, the parser found that the body has not arrived yet.
            if self.is_open.swap(true, Relaxed) {
                return Poll::Pending;
            }
        }
    }
}

/// A body with a limit on its length, of which the parser receives what the valve lets through.
pub(super) struct Feed<'a> {
    body: &'a mut Body,
    valve: &'a Valve,
    /// Largest body, in bytes.
    limit: usize,
    received: usize,
    /// What has been received and not yet been given to the parser.
    rest: Bytes,
}

impl<'a> Feed<'a> {
    pub(super) fn new(body: &'a mut Body, limit: usize, valve: &'a Valve) -> Self {
        Self { body, valve, limit, received: 0, rest: Bytes::new() }
    }

    /// Receives data, unless some are left; `None` at the end. Trailers are ignored.
    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<(), ApiError>>> {
        while self.rest.is_empty() {
            match ready!(Pin::new(&mut *self.body).poll_frame(context)) {
                None => return Poll::Ready(None),
                Some(Err(_)) => return Poll::Ready(Some(Err(incomplete()))),
                Some(Ok(frame)) => self.rest = frame.into_data().unwrap_or_default(),
            }
            self.received += self.rest.len();
            if self.received > self.limit {
                return Poll::Ready(Some(Err(too_large(self.limit))));
            }
        }
        Poll::Ready(Some(Ok(())))
    }

    fn piece(&mut self) -> Result<Bytes, ApiError> {
        let left = self.valve.left_for_headers.load(Relaxed);
        if left == 0 {
            return Err(endless_headers());
        }
        let piece = self.rest.split_to(self.rest.len().min(PIECE).min(left));
        self.valve.left_for_headers.store(left - piece.len(), Relaxed);
        Ok(piece)
    }
}

impl Stream for Feed<'_> {
    type Item = Result<Bytes, ApiError>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, ApiError>>> {
        // The valve polls again once it is open: nobody has to be woken.
        if !self.valve.is_open.load(Relaxed) {
            return Poll::Pending;
        }
        let received = ready!(self.poll_receive(context));
        self.valve.is_open.store(false, Relaxed);
        Poll::Ready(received.map(|received| received.and_then(|()| self.piece())))
    }
}

fn endless_headers() -> ApiError {
    ApiError::invalid(format!(
        "the headers of a part do not end within {LONGEST_HEADERS} bytes: they end with an empty line"
    ))
}
