//! Reading with a time limit: on threads of their own, which are left behind if the system does not
//! answer, as with a network mount whose server is gone.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

/// Most threads that may be left behind at once; further reads are refused until one returns.
const MOST_LEFT_BEHIND: usize = 16;
/// How often a read that is waited for notices [`Readers::stop`].
const STEP: Duration = Duration::from_millis(10);

/// Runs reads on threads of their own, each with a time limit. Clones share everything.
#[derive(Debug, Clone)]
pub(crate) struct Readers(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limit: Duration,
    is_stopped: AtomicBool,
    /// What the threads that were left behind read.
    left_behind: Mutex<BTreeSet<PathBuf>>,
}

/// Why nothing was read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// The system did not answer in time.
    #[error("reading took longer than {} s (--load-timeout-ms); check the storage", limit.as_secs_f64())]
    Slow { limit: Duration },
    /// An earlier read of the same path was left behind and still waits.
    #[error("an earlier attempt to read it has not returned yet; check the storage")]
    StillWaiting,
    /// Too many earlier reads were left behind and still wait.
    #[error("{MOST_LEFT_BEHIND} earlier attempts to read have not returned yet; check the storage")]
    TooMany,
    /// [`Readers::stop`] was called.
    #[error("reading was given up because the server is shutting down")]
    Stopped,
    /// The system has no thread for it.
    #[error("no thread could be started to read it: {0}")]
    Thread(io::Error),
    /// The read panicked.
    #[error("reading it failed unexpectedly; the log has the reason")]
    Panicked,
}

impl Readers {
    pub(crate) fn new(limit: Duration) -> Self {
        let left_behind = Mutex::default();
        Self(Arc::new(Shared { limit, is_stopped: AtomicBool::new(false), left_behind }))
    }

    /// The time limit of a read.
    pub(crate) fn limit(&self) -> Duration {
        self.0.limit
    }

    /// Gives up every read from now on, also those that are being waited for.
    pub(crate) fn stop(&self) {
        self.0.is_stopped.store(true, Ordering::Relaxed);
    }

    /// Whether [`Self::stop`] was called.
    pub(crate) fn is_stopped(&self) -> bool {
        self.0.is_stopped.load(Ordering::Relaxed)
    }

    /// Runs `read`, which reads `path` or what is below it, and waits for its result, but no longer
    /// than the limit. It blocks.
    ///
    /// # Errors
    /// [`ReadError`] if there is no result in time. The thread is then left behind: until it
    /// returns, the same path is refused.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        path: &Path,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ReadError> {
        self.run_within(self.0.limit, path, read)
    }

    /// The same with another time limit, for work that limits its own time.
    ///
    /// # Errors
    /// As for [`Self::run`].
    pub(crate) fn run_within<T: Send + 'static>(
        &self,
        limit: Duration,
        path: &Path,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ReadError> {
        self.check(path)?;
        let (sender, receiver) = mpsc::sync_channel(1);
        let returned = Returned { shared: Arc::clone(&self.0), path: path.to_owned() };
        let body = move || {
            // Dropped last, also if the read panics.
            let _returned = returned;
            // Nobody receives it if the thread was left behind.
            let _ = sender.send(read());
        };
        let spawned = thread::Builder::new().name("reader".to_owned()).spawn(body);
        spawned.map_err(ReadError::Thread)?;
        self.wait(limit, path, &receiver)
    }

    fn check(&self, path: &Path) -> Result<(), ReadError> {
        if self.is_stopped() {
            return Err(ReadError::Stopped);
        }
        let left_behind = self.0.left_behind();
        if left_behind.contains(path) {
            return Err(ReadError::StillWaiting);
        }
        if left_behind.len() >= MOST_LEFT_BEHIND { Err(ReadError::TooMany) } else { Ok(()) }
    }

    fn wait<T>(&self, limit: Duration, path: &Path, result: &Receiver<T>) -> Result<T, ReadError> {
        let started = Instant::now();
        loop {
            match result.recv_timeout(STEP) {
                Ok(read) => return Ok(read),
                Err(RecvTimeoutError::Disconnected) => return Err(ReadError::Panicked),
                Err(RecvTimeoutError::Timeout) => {}
            }
            let error = if self.is_stopped() {
                ReadError::Stopped
            } else if started.elapsed() >= limit {
                ReadError::Slow { limit }
            } else {
                continue;
            };
            let mut left_behind = self.0.left_behind();
            // The thread removes the path after it has sent its result, so it cannot stay by
            // mistake: the result is either here now, or the path is removed later.
            if let Ok(read) = result.try_recv() {
                return Ok(read);
            }
            left_behind.insert(path.to_owned());
            return Err(error);
        }
    }
}

impl Shared {
    fn left_behind(&self) -> MutexGuard<'_, BTreeSet<PathBuf>> {
        self.left_behind.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Notes that the thread which reads `path` has returned.
#[derive(Debug)]
struct Returned {
    shared: Arc<Shared>,
    path: PathBuf,
}

impl Drop for Returned {
    fn drop(&mut self) {
        self.shared.left_behind().remove(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads that wait until the sender is dropped.
    fn hung() -> (mpsc::Sender<()>, impl FnOnce() + Send + 'static) {
        let (release, waits) = mpsc::channel::<()>();
        (release, move || {
            let _ = waits.recv();
        })
    }

    #[test]
    fn a_hung_read_ends_at_the_limit_and_the_path_is_refused_until_it_returns() {
        let readers = Readers::new(Duration::from_millis(50));
        let path = Path::new("/hung");
        let (release, read) = hung();
        assert!(matches!(readers.run(path, read), Err(ReadError::Slow { .. })));
        for _ in 0..3 {
            assert!(matches!(readers.run(path, || 1), Err(ReadError::StillWaiting)));
        }
        assert_eq!(readers.run(Path::new("/other"), || 2).ok(), Some(2));
        drop(release);
        let again = |_| {
            thread::sleep(STEP);
            readers.run(path, || 3).ok()
        };
        assert_eq!((0..200).find_map(again), Some(3));
    }

    #[test]
    fn hung_reads_are_bounded_in_number() {
        let readers = Readers::new(Duration::ZERO);
        let mut hold = Vec::new();
        for number in 0..MOST_LEFT_BEHIND {
            let (release, read) = hung();
            hold.push(release);
            let outcome = readers.run(&PathBuf::from(number.to_string()), read);
            assert!(matches!(outcome, Err(ReadError::Slow { .. })));
        }
        assert!(matches!(readers.run(Path::new("x"), || ()), Err(ReadError::TooMany)));
    }

    #[test]
    fn stopping_ends_a_wait_at_once_and_refuses_further_reads() {
        let readers = Readers::new(Duration::from_mins(1));
        let (stopping, started) = (readers.clone(), Instant::now());
        let (_release, read) = hung();
        let stopper = thread::spawn(move || {
            thread::sleep(Duration::from_millis(50));
            stopping.stop();
        });
        assert!(matches!(readers.run(Path::new("/hung"), read), Err(ReadError::Stopped)));
        assert!(started.elapsed() < Duration::from_secs(10));
        assert!(matches!(readers.run(Path::new("/b"), || ()), Err(ReadError::Stopped)));
        assert!(stopper.join().is_ok());
    }

    #[test]
    fn a_read_that_panics_is_an_error_and_leaves_nothing_behind() {
        let readers = Readers::new(Duration::from_mins(1));
        let path = Path::new("/panics");
        let outcome = readers.run(path, || assert_eq!(path.as_os_str(), "", "on purpose"));
        assert!(matches!(outcome, Err(ReadError::Panicked)));
        assert!(readers.run(path, || ()).is_ok());
    }
}
