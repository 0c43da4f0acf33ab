//! A stream that takes turns: a connection that receives without end lets others be served between.
//!
//! A connection's task runs until there is nothing more to read. A client that always has more to
//! send, such as thousands of requests of a few bytes, would keep a thread for as long.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that are read before others get a turn: hundreds of the smallest requests.
const TURN: usize = 16 << 10;

/// A stream that is read in turns.
#[derive(Debug)]
pub(super) struct Turns<S> {
    stream: S,
    /// Bytes read since others had a turn.
    read: usize,
}

impl<S> Turns<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, read: 0 }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Turns<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.read >= TURN {
            self.read = 0;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        if polled.is_pending() {
            self.read = 0;
        }
        ready!(polled)?;
        self.read += buffer.filled().len() - before;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Turns<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, pieces)
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
    use tokio::io::AsyncReadExt as _;

    use super::*;

    /// Regression: one connection that always had something to read held a thread.
    #[tokio::test]
    async fn a_reader_lets_others_run_after_each_turn() {
        let mut turns = Turns::new(tokio::io::repeat(7).take(10 * TURN as u64));
        let mut rounds = 0;
        let others = async {
            loop {
                rounds += 1;
                tokio::task::yield_now().await;
            }
        };
        let reading = async {
            let (mut all, mut piece) = (0, [0; 1024]);
            loop {
                match turns.read(&mut piece).await {
                    Ok(0) | Err(_) => return all,
                    Ok(read) => all += read,
                }
            }
        };
        tokio::select! {
            read = reading => assert_eq!(read, 10 * TURN),
            () = others => {}
        }
        assert!(rounds >= 10, "{rounds}");
    }
}
