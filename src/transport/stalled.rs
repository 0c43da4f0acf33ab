//! Detects HTTP/2 responses whose client stopped reading.
//!
//! HTTP/2 has a flow-control window for each response: a connection can accept bytes while the
//! window of one of its responses stays closed. Each response is therefore tracked from when it is
//! ready until its last byte is sent, and one that makes no progress ends the connection. Pieces
//! are small, so that a slow client makes progress.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use axum::body::Body;
use hyper::body::{Body as HttpBody, Bytes, Frame, SizeHint};

use super::crowd::Place;

/// Size of the pieces that a response is sent in, in bytes.
const PIECE: usize = 64 << 10;

/// Marks a response that has its own timeout for a client that stops reading.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ExemptFromStallCheck;

/// The responses of a connection that are being sent.
#[derive(Debug, Default)]
pub(super) struct ResponseTracker(Mutex<Vec<Weak<Delivery>>>);

/// The progress of one response.
#[derive(Debug)]
struct Delivery {
    state: Mutex<State>,
    /// The request's place, which is free once its last piece is sent.
    _place: Option<Place>,
}

#[derive(Debug)]
struct State {
    /// When it last made progress.
    progress: Instant,
    /// Pieces handed to hyper and not yet sent.
    unsent: usize,
    /// Whether the body has no data ready: then the server is late, not the client.
    is_pending: bool,
}

impl ResponseTracker {
    /// Tracks a response's body, which keeps its request's `place`.
    pub(super) fn tracked(&self, body: Body, place: Option<Place>) -> Body {
        let state = State { progress: Instant::now(), unsent: 0, is_pending: false };
        let delivery = Arc::new(Delivery { state: Mutex::new(state), _place: place });
        let mut all = locked(&self.0);
        all.retain(|delivery| delivery.strong_count() > 0);
        all.push(Arc::downgrade(&delivery));
        drop(all);
        Body::new(TrackedBody { body, rest: Bytes::new(), delivery })
    }

    /// Whether the client has read nothing of some response for longer than `limit`.
    pub(super) fn is_stalled(&self, limit: Duration) -> bool {
        let all = locked(&self.0);
        all.iter().filter_map(Weak::upgrade).any(|delivery| delivery.is_stalled(limit))
    }
}

impl Delivery {
    fn is_stalled(&self, limit: Duration) -> bool {
        let state = locked(&self.state);
        let waits_for_client = state.unsent > 0 || !state.is_pending;
        waits_for_client && state.progress.elapsed() > limit
    }

    fn advance(&self, change: impl FnOnce(&mut State)) {
        let mut state = locked(&self.state);
        change(&mut state);
        state.progress = Instant::now();
    }
}

/// Ignores poisoning: no code that holds the lock can panic.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A body whose pieces are tracked.
struct TrackedBody {
    body: Body,
    /// Bytes read from the body and not yet handed to hyper.
    rest: Bytes,
    delivery: Arc<Delivery>,
}

impl HttpBody for TrackedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.rest.is_empty() {
            let polled = Pin::new(&mut self.body).poll_frame(context);
            self.delivery.advance(|state| state.is_pending = polled.is_pending());
            match ready!(polled) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                end => return Poll::Ready(end),
            }
        }
        let size = PIECE.min(self.rest.len());
        let piece = Piece::new(self.rest.split_to(size), &self.delivery);
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_owner(piece)))))
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.len() as u64;
        let inner = self.body.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(inner.lower() + rest);
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper + rest);
        }
        hint
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }
}

/// A piece of a response, dropped when it has been sent.
struct Piece {
    bytes: Bytes,
    delivery: Arc<Delivery>,
}

impl Piece {
    fn new(bytes: Bytes, delivery: &Arc<Delivery>) -> Self {
        delivery.advance(|state| state.unsent += 1);
        Self { bytes, delivery: Arc::clone(delivery) }
    }
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.delivery.advance(|state| state.unsent = state.unsent.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use http_body_util::BodyExt as _;

    use super::*;

    const NOW: Duration = Duration::ZERO;

    #[test]
    fn a_response_can_stall_until_its_last_piece_is_sent() {
        let responses = ResponseTracker::default();
        let mut body = responses.tracked(Body::from(vec![7; PIECE + 1]), None);
        assert_eq!(body.size_hint().exact(), Some(PIECE as u64 + 1));
        assert!(responses.is_stalled(NOW), "no piece was polled");
        let mut next = || body.frame().now_or_never().unwrap().unwrap().unwrap().into_data();
        let (first, second) = (next().unwrap(), next().unwrap());
        assert_eq!((first.len(), second.len()), (PIECE, 1));
        drop(first);
        drop(body);
        assert!(responses.is_stalled(NOW), "a byte is unsent");
        drop(second);
        assert!(!responses.is_stalled(NOW));
    }

    #[test]
    fn a_response_does_not_stall_while_the_server_has_no_data() {
        let responses = ResponseTracker::default();
        let endless = futures_util::stream::pending::<Result<Bytes, axum::Error>>();
        let mut body = responses.tracked(Body::from_stream(endless), None);
        assert!(body.frame().now_or_never().is_none());
        assert!(!responses.is_stalled(NOW));
    }
}
