//! A stream that takes turns: a connection that is busy without end lets others be served between.
//!
//! A connection's task runs until there is nothing more to read or to write. A client that always
//! has more to send, such as thousands of requests or frames of a few bytes, would keep a thread for
//! as long; and what a byte costs is the client's choice, so turns are measured in time.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How long a connection is served before others get a turn. Hundreds of connections may have a
/// turn before a health check that has just arrived.
pub(crate) const TURN: Duration = Duration::from_micros(200);
/// Requests of HTTP/2 that begin in a turn, about. Each is a task of its own, and all of them run
/// before the tasks of connections that come later.
const REQUESTS: usize = 16;
/// Fewest and most bytes of HTTP/2 that a turn receives, and those of a connection's first turn.
const FEWEST_BYTES: usize = 256;
const MOST_BYTES: usize = 256 << 10;
const FIRST_BYTES: usize = 1 << 10;
/// How a connection of HTTP/2 begins, and none of HTTP/1.1 does.
const PREFACE: &[u8] = b"PRI ";

/// Tells a stream that its connection's task begins to run, and so its turn, and what begins in it.
#[derive(Debug, Clone, Default)]
pub(super) struct TurnStart(Arc<State>);

#[derive(Debug, Default)]
struct State {
    is_new: AtomicBool,
    /// Requests that have begun since the turn did.
    requests: AtomicUsize,
}

impl TurnStart {
    pub(super) fn begin(&self) {
        self.0.is_new.store(true, Ordering::Relaxed);
    }

    pub(super) fn count_request(&self) {
        self.0.requests.fetch_add(1, Ordering::Relaxed);
    }
}

/// A stream that is read and written in turns.
#[derive(Debug)]
pub(super) struct Turns<S> {
    stream: S,
    start: TurnStart,
    /// When this turn began.
    begun: Instant,
    /// Bytes received in this turn.
    received: usize,
    /// How many may be, over HTTP/2: all that can be had is received before the first request of it
    /// begins, so it depends on the turns before. Over HTTP/1.1 a request begins when the one before
    /// is answered, and nothing else is received meanwhile.
    most: Option<usize>,
    /// What is still to come of the preface, if what came so far may be its beginning.
    preface: Option<&'static [u8]>,
}

impl<S> Turns<S> {
    pub(super) fn new(stream: S, start: TurnStart) -> Self {
        let begun = Instant::now();
        Self { stream, start, begun, received: 0, most: None, preface: Some(PREFACE) }
    }

    /// Not ready if the turn is over, because of its time or if it `is_full`: the connection's task runs
    /// again when others had theirs, and begins the next one.
    fn poll_turn(&mut self, context: &Context<'_>, is_full: bool) -> Poll<()> {
        // Only this task changes it, so it need not be swapped.
        if self.start.0.is_new.load(Ordering::Relaxed) {
            self.start.0.is_new.store(false, Ordering::Relaxed);
            self.begun = Instant::now();
            self.adapt();
        } else if is_full || self.begun.elapsed() >= TURN {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    }

    /// Sets what the turn may receive by the requests that the last bytes began.
    fn adapt(&mut self) {
        let Some(most) = self.most.filter(|_| self.received > 0) else { return };
        let requests = self.start.0.requests.swap(0, Ordering::Relaxed);
        let next = if requests > REQUESTS {
            self.received / requests * REQUESTS
        } else if requests <= REQUESTS / 2 && self.received >= most {
            2 * most
        } else {
            most
        };
        self.most = Some(next.clamp(FEWEST_BYTES, MOST_BYTES));
        self.received = 0;
    }

    fn is_full(&self) -> bool {
        self.most.is_some_and(|most| self.received >= most)
    }

    /// Counts what has come, and limits turns once that is known to be HTTP/2.
    fn receive(&mut self, bytes: &[u8]) {
        self.received += bytes.len();
        let Some(expected) = self.preface else { return };
        let (now, later) = expected.split_at(expected.len().min(bytes.len()));
        self.preface = (bytes.starts_with(now) && !later.is_empty()).then_some(later);
        if bytes.starts_with(now) && later.is_empty() {
            self.most = Some(FIRST_BYTES);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Turns<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let is_full = self.is_full();
        ready!(self.poll_turn(context, is_full));
        let left = self.most.map_or(usize::MAX, |most| most.saturating_sub(self.received));
        let before = buffer.filled().len();
        if left >= buffer.remaining() {
            ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        } else {
            let mut part = ReadBuf::new(buffer.initialize_unfilled_to(left));
            ready!(Pin::new(&mut self.stream).poll_read(context, &mut part))?;
            let count = part.filled().len();
            buffer.advance(count);
        }
        self.receive(&buffer.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Turns<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_turn(context, false));
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_turn(context, false));
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::{future::poll_fn, pin::pin, thread};

    use futures_util::FutureExt as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// A stream that is always ready, and each of whose bytes takes a tenth of a turn.
    #[derive(Debug)]
    struct Costly;

    impl AsyncRead for Costly {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            thread::sleep(TURN / 10);
            buffer.put_slice(&[7]);
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncWrite for Costly {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &[u8],
        ) -> Poll<io::Result<usize>> {
            thread::sleep(TURN / 10);
            Poll::Ready(Ok(1))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// How often others run until a task is done.
    pub(crate) async fn rounds_of_others(task: impl Future) -> u32 {
        let mut rounds = 0;
        let others = async {
            loop {
                rounds += 1;
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            _ = task => {}
            () = others => {}
        }
        rounds
    }

    /// A connection's task, which has a turn each time it runs.
    async fn in_turns<T>(start: &TurnStart, task: impl Future<Output = T>) -> T {
        let mut task = pin!(task);
        poll_fn(|context| {
            start.begin();
            task.as_mut().poll(context)
        })
        .await
    }

    /// Regression: one connection that always had something to read held a thread.
    #[tokio::test]
    async fn a_reader_lets_others_run_after_each_turn() {
        let start = TurnStart::default();
        let mut turns = Turns::new(Costly, start.clone());
        let mut bytes = [0; 200];
        let rounds = rounds_of_others(in_turns(&start, turns.read_exact(&mut bytes))).await;
        assert!(rounds >= 10, "{rounds}");
        assert_eq!(bytes, [7; 200]);
    }

    /// A connection that has waited has a new turn, and is not sent to the end of the line once more.
    #[tokio::test]
    async fn a_task_that_begins_to_run_has_a_new_turn() {
        let start = TurnStart::default();
        let mut turns = Turns::new(tokio::io::repeat(7), start.clone());
        thread::sleep(2 * TURN);
        start.begin();
        let mut byte = [0];
        assert!(turns.read_exact(&mut byte).now_or_never().is_some());
        thread::sleep(2 * TURN);
        // HTTP/2 asks again after each request that it begins: a turn that began anew then had no end.
        for _ in 0..3 {
            assert!(turns.read_exact(&mut byte).now_or_never().is_none(), "the turn is over");
        }
        start.begin();
        assert!(turns.read_exact(&mut byte).now_or_never().is_some());
    }

    /// How many bytes of an endless stream after this beginning, whose first byte comes alone, come in
    /// each of some turns, if so many of them are a request.
    fn received_in_turns(beginning: &[u8], of_a_request: usize) -> Vec<usize> {
        let (first, rest) = beginning.split_at(1);
        let start = TurnStart::default();
        let mut turns = Turns::new(first.chain(rest).chain(tokio::io::repeat(7)), start.clone());
        let in_a_turn = |_| {
            start.begin();
            let mut received = 0;
            // As HTTP/2 does: receives what it can get, and then the requests begin.
            while let Some(Ok(count)) = turns.read(&mut [0; 4096]).now_or_never() {
                received += count;
            }
            (0..received / of_a_request).for_each(|_| start.count_request());
            received
        };
        (0..40).map(in_a_turn).collect()
    }

    /// Regression: twelve connections that began and reset requests of forty bytes, a hundred in a
    /// turn each, kept a digit waiting for 40 ms.
    #[test]
    fn few_requests_of_http_2_begin_in_a_turn() {
        for of_a_request in [10, 40, 1000] {
            let received = received_in_turns(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", of_a_request);
            assert!(received[0] <= FIRST_BYTES, "{received:?}");
            let most = (REQUESTS + 1) * of_a_request;
            assert!(
                received[1..].iter().all(|&bytes| bytes <= most.max(FEWEST_BYTES)),
                "{received:?}"
            );
        }
    }

    #[test]
    fn a_large_body_is_received_in_large_pieces() {
        let received = received_in_turns(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", usize::MAX);
        assert!(received.iter().all(|&bytes| bytes <= MOST_BYTES), "{received:?}");
        assert!(received[8..].contains(&MOST_BYTES), "{received:?}");
    }

    /// Over HTTP/1.1 requests begin one after another, and nothing is received meanwhile.
    #[test]
    fn http_1_receives_for_a_whole_turn() {
        let received = received_in_turns(b"POST /classify HTTP/1.1\r\n", 40);
        assert!(received.iter().any(|&bytes| bytes > MOST_BYTES), "{received:?}");
    }

    /// Regression: pipelined requests of a client that read its answers, however short they were,
    /// held a thread.
    #[tokio::test]
    async fn a_writer_lets_others_run_after_each_turn() {
        let start = TurnStart::default();
        let mut turns = Turns::new(Costly, start.clone());
        let rounds = rounds_of_others(in_turns(&start, turns.write_all(&[7; 200]))).await;
        assert!(rounds >= 10, "{rounds}");
    }
}
