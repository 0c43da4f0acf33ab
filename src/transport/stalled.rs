//! Answers over HTTP/2 that a client does not take.
//!
//! There the client opens a window for each answer, and its connection takes bytes while the window of one answer stays
//! closed. So each answer is watched from when it is there until its last byte was sent: one that makes no progress is
//! the client's debt, and ends the connection. Pieces are small, so that a slow client makes progress.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use axum::body::Body;
use hyper::body::{Body as HttpBody, Bytes, Frame, SizeHint};

/// Bytes of an answer that are sent as one piece.
const PIECE: usize = 64 << 10;

/// Marks an answer that ends itself where its client takes nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ExemptFromStallCheck;

/// The answers of a connection.
#[derive(Debug, Default)]
pub(super) struct ResponseTracker(Mutex<Vec<Weak<Delivery>>>);

/// How far one answer has come.
#[derive(Debug)]
struct Delivery(Mutex<State>);

#[derive(Debug)]
struct State {
    /// When it last went on.
    progress: Instant,
    /// Pieces that wait to be sent.
    unsent: usize,
    /// Whether more will come when the server has it.
    is_awaited: bool,
}

impl ResponseTracker {
    /// Watches an answer's body.
    pub(super) fn watched(&self, body: Body) -> Body {
        let state = State { progress: Instant::now(), unsent: 0, is_awaited: false };
        let delivery = Arc::new(Delivery(Mutex::new(state)));
        let mut all = locked(&self.0);
        all.retain(|delivery| delivery.strong_count() > 0);
        all.push(Arc::downgrade(&delivery));
        drop(all);
        Body::new(Watched { body, rest: Bytes::new(), delivery })
    }

    /// Whether a client has let an answer wait for so long.
    pub(super) fn is_stalled(&self, limit: Duration) -> bool {
        let all = locked(&self.0);
        all.iter().filter_map(Weak::upgrade).any(|delivery| delivery.is_stalled(limit))
    }
}

impl Delivery {
    fn is_stalled(&self, limit: Duration) -> bool {
        let state = locked(&self.0);
        let is_owed = state.unsent > 0 || !state.is_awaited;
        is_owed && state.progress.elapsed() > limit
    }

    fn goes_on(&self, change: impl FnOnce(&mut State)) {
        let mut state = locked(&self.0);
        change(&mut state);
        state.progress = Instant::now();
    }
}

/// No code that holds the lock can panic.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A body whose pieces are followed.
struct Watched {
    body: Body,
    /// What was taken from the body and not yet handed over.
    rest: Bytes,
    delivery: Arc<Delivery>,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.rest.is_empty() {
            let polled = Pin::new(&mut self.body).poll_frame(context);
            self.delivery.goes_on(|state| state.is_awaited = polled.is_pending());
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

/// Bytes that are dropped when they were sent.
struct Piece {
    bytes: Bytes,
    delivery: Arc<Delivery>,
}

impl Piece {
    fn new(bytes: Bytes, delivery: &Arc<Delivery>) -> Self {
        delivery.goes_on(|state| state.unsent += 1);
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
        self.delivery.goes_on(|state| state.unsent = state.unsent.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use http_body_util::BodyExt as _;

    use super::*;

    const NOW: Duration = Duration::ZERO;

    #[test]
    fn an_answer_is_owed_until_its_last_piece_was_sent() {
        let responses = ResponseTracker::default();
        let mut body = responses.watched(Body::from(vec![7; PIECE + 1]));
        assert_eq!(body.size_hint().exact(), Some(PIECE as u64 + 1));
        assert!(responses.is_stalled(NOW), "nothing of it was asked for");
        let mut next = || body.frame().now_or_never().unwrap().unwrap().unwrap().into_data();
        let (first, second) = (next().unwrap(), next().unwrap());
        assert_eq!((first.len(), second.len()), (PIECE, 1));
        drop(first);
        drop(body);
        assert!(responses.is_stalled(NOW), "a byte waits");
        drop(second);
        assert!(!responses.is_stalled(NOW));
    }

    #[test]
    fn nothing_is_owed_where_the_server_has_no_more() {
        let responses = ResponseTracker::default();
        let endless = futures_util::stream::pending::<Result<Bytes, axum::Error>>();
        let mut body = responses.watched(Body::from_stream(endless));
        assert!(body.frame().now_or_never().is_none());
        assert!(!responses.is_stalled(NOW));
    }
}
