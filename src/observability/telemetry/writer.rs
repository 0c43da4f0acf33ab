//! Standard error for the log, written by a thread of its own: logging a line never waits until the
//! log is read. A pipe that nobody reads would otherwise stop every thread of the server.
//!
//! Lines that do not fit are dropped and counted.

use std::{
    io::{self, ErrorKind, Write},
    mem,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

/// Bytes of lines that may wait to be written, as many again may be being written. It holds some
/// thousand lines, far more than the log of a start.
const ROOM: usize = 1 << 20;
/// Pause before another attempt if standard error is set not to block and takes no more.
const PAUSE: Duration = Duration::from_millis(10);

/// Lines dropped since the process began.
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// The number of log lines dropped since the process began.
pub(crate) fn dropped_lines() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

/// Where log lines wait for the thread that writes them. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct LogWriter(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Notified when a line is added, and when everything is written.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lines: Lines,
    /// Whether the thread is writing lines that it has taken.
    is_writing: bool,
    /// Lines dropped of which the log does not tell yet.
    untold: u64,
}

/// Some whole lines.
#[derive(Debug, Default)]
struct Lines {
    bytes: Vec<u8>,
    count: u64,
}

impl LogWriter {
    /// Starts the thread that writes the lines to `output`.
    ///
    /// # Errors
    /// As the system gives no thread.
    pub(super) fn start(output: impl Write + Send + 'static) -> io::Result<Self> {
        let writer = Self::default();
        let own = writer.clone();
        thread::Builder::new().name("log".to_owned()).spawn(move || own.write_to(output))?;
        Ok(writer)
    }

    /// Waits until all lines are written, but no longer than `limit`.
    pub(super) fn finish(&self, limit: Duration) {
        let is_busy = |state: &mut State| state.is_writing || state.lines.count > 0;
        let waited = self.0.changed.wait_timeout_while(self.lock(), limit, is_busy);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, line: &[u8]) {
        let mut state = self.lock();
        if state.lines.bytes.len() + line.len() > ROOM {
            return state.drop_lines(1);
        }
        state.lines.bytes.extend_from_slice(line);
        state.lines.count += 1;
        drop(state);
        self.0.changed.notify_all();
    }

    fn write_to(&self, mut output: impl Write) {
        loop {
            let Lines { bytes, count } = self.take();
            let outcome = write_all(&mut output, &bytes);
            let mut state = self.lock();
            state.is_writing = false;
            let mut untold = 0;
            match outcome {
                Ok(()) => untold = mem::take(&mut state.untold),
                Err(_) => state.drop_lines(count),
            }
            drop(state);
            if untold > 0 {
                // This adds a line like any other.
                tracing::warn!(lines = untold, "log lines were dropped: nobody read the log");
            }
            self.0.changed.notify_all();
        }
    }

    /// Waits for lines and takes them all.
    fn take(&self) -> Lines {
        let is_idle = |state: &mut State| state.lines.count == 0;
        let state = self.0.changed.wait_while(self.lock(), is_idle);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        state.is_writing = true;
        mem::take(&mut state.lines)
    }
}

impl State {
    fn drop_lines(&mut self, count: u64) {
        self.untold += count;
        DROPPED.fetch_add(count, Ordering::Relaxed);
    }
}

impl Write for LogWriter {
    /// Adds one line; it is whole, because the log formats a line before it writes it.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.add(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes everything, also if another process has set the pipe or terminal not to block.
fn write_all(output: &mut impl Write, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match output.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(PAUSE),
            Err(error) => return Err(error),
        }
    }
    output.flush()
}

#[cfg(test)]
mod tests {
    use std::{
        sync::mpsc::{Receiver, Sender, channel},
        time::Instant,
    };

    use super::*;

    const LONG: Duration = Duration::from_secs(10);

    /// A pipe whose reader must allow each write.
    struct Pipe {
        allowed: Receiver<io::Result<()>>,
        written: Sender<Vec<u8>>,
    }

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let nobody = |_| io::Error::from(ErrorKind::BrokenPipe);
            self.allowed.recv().map_err(nobody)??;
            self.written.send(bytes.to_vec()).map_err(|_| io::Error::other("nobody reads"))?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn piped() -> (LogWriter, Sender<io::Result<()>>, Receiver<Vec<u8>>) {
        let ((allow, allowed), (written, read)) = (channel(), channel());
        (LogWriter::start(Pipe { allowed, written }).unwrap(), allow, read)
    }

    /// A pipe that nobody read blocked every thread that logged, and so the server.
    #[test]
    fn nobody_waits_for_the_reader_of_the_log_and_what_does_not_fit_is_counted() {
        let (mut writer, allow, read) = piped();
        let (before, started) = (dropped_lines(), Instant::now());
        let line = [b'x'; 1 << 10];
        for _ in 0..3 * (ROOM >> 10) {
            writer.write_all(&line).unwrap();
        }
        assert!(started.elapsed() < LONG);
        let (waiting, untold) = {
            let state = writer.lock();
            (state.lines.count, state.untold)
        };
        assert!(waiting <= (ROOM >> 10) as u64 && untold > 0, "{waiting} wait, {untold} dropped");
        assert!(dropped_lines() >= before + untold);
        // The pipe is read again: everything that was kept comes, and nothing else is dropped.
        allow.send(Ok(())).unwrap();
        allow.send(Ok(())).unwrap();
        writer.finish(LONG);
        let kept: usize = read.try_iter().map(|bytes| bytes.len()).sum();
        assert_eq!(kept as u64 / 1024 + untold, 3 * (ROOM >> 10) as u64);
        assert_eq!(writer.lock().untold, 0, "the log has told");
    }

    #[test]
    fn the_end_waits_for_the_last_line_but_not_for_a_pipe_that_nobody_reads() {
        let (mut writer, allow, read) = piped();
        writer.write_all(b"unread\n").unwrap();
        let started = Instant::now();
        writer.finish(Duration::from_millis(50));
        assert!(started.elapsed() >= Duration::from_millis(50) && started.elapsed() < LONG);
        allow.send(Ok(())).unwrap();
        writer.finish(LONG);
        assert_eq!(read.try_iter().next().as_deref(), Some(b"unread\n".as_slice()));
    }

    #[test]
    fn an_interrupted_write_is_made_again_and_a_failed_one_drops_its_lines() {
        let (mut writer, allow, read) = piped();
        for kind in [ErrorKind::WouldBlock, ErrorKind::Interrupted] {
            allow.send(Err(kind.into())).unwrap();
        }
        allow.send(Ok(())).unwrap();
        writer.write_all(b"one\n").unwrap();
        writer.finish(LONG);
        assert_eq!(read.try_iter().next().as_deref(), Some(b"one\n".as_slice()));
        let before = dropped_lines();
        allow.send(Err(ErrorKind::BrokenPipe.into())).unwrap();
        writer.write_all(b"two\n").unwrap();
        writer.finish(LONG);
        assert!(dropped_lines() > before);
    }
}
