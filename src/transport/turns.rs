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
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How long a connection is served before others get a turn. Hundreds of connections may have a
/// turn before a health check that has just arrived.
const TURN: Duration = Duration::from_micros(200);

/// Tells a stream that its connection's task begins to run, and so its turn.
#[derive(Debug, Clone, Default)]
pub(super) struct TurnStart(Arc<AtomicBool>);

impl TurnStart {
    pub(super) fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A stream that is read and written in turns.
#[derive(Debug)]
pub(super) struct Turns<S> {
    stream: S,
    start: TurnStart,
    /// When this turn began.
    begun: Instant,
}

impl<S> Turns<S> {
    pub(super) fn new(stream: S, start: TurnStart) -> Self {
        Self { stream, start, begun: Instant::now() }
    }

    /// Not ready once if the turn is over: then the next one begins when others had theirs.
    fn poll_turn(&mut self, context: &Context<'_>) -> Poll<()> {
        // Only this task changes it, so it need not be swapped.
        if self.start.0.load(Ordering::Relaxed) {
            self.start.0.store(false, Ordering::Relaxed);
            self.begun = Instant::now();
        } else if self.begun.elapsed() >= TURN {
            self.start.begin();
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Turns<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_turn(context));
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Turns<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_turn(context));
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_turn(context));
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
mod tests {
    use std::thread;

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

    /// How often others run while a connection handles 200 bytes, which are twenty turns.
    async fn rounds_of_others(connection: impl Future) -> u32 {
        let mut rounds = 0;
        let others = async {
            loop {
                rounds += 1;
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            _ = connection => {}
            () = others => {}
        }
        rounds
    }

    /// Regression: one connection that always had something to read held a thread.
    #[tokio::test]
    async fn a_reader_lets_others_run_after_each_turn() {
        let mut turns = Turns::new(Costly, TurnStart::default());
        let mut bytes = [0; 200];
        let rounds = rounds_of_others(turns.read_exact(&mut bytes)).await;
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
        assert!(turns.read_exact(&mut byte).now_or_never().is_none(), "the turn is over");
    }

    /// Regression: pipelined requests of a client that read its answers, however short they were,
    /// held a thread.
    #[tokio::test]
    async fn a_writer_lets_others_run_after_each_turn() {
        let mut turns = Turns::new(Costly, TurnStart::default());
        let rounds = rounds_of_others(turns.write_all(&[7; 200])).await;
        assert!(rounds >= 10, "{rounds}");
    }
}
