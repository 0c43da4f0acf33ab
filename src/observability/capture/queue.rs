//! What waits to be written, and the thread that writes it.

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use super::{
    Item,
    ring::{Ring, Written},
};

/// Most bytes of inputs that wait, unless one alone is larger.
const ROOM: usize = 32 << 20;
/// After a failure the disk is left alone for this long.
const PAUSE: Duration = Duration::from_secs(1);

/// What waits to be written.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// Notified when an input is added, and when one is written.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Item>,
    /// The bytes of those that wait or are being written.
    bytes: usize,
    is_writing: bool,
    /// Whether the log has told that inputs are dropped.
    is_told: bool,
}

impl Queue {
    /// Starts the thread that writes to the ring.
    ///
    /// # Errors
    /// As the system gives no thread.
    pub(super) fn start(ring: Ring) -> io::Result<Arc<Self>> {
        let queue = Arc::new(Self::default());
        let own = Arc::clone(&queue);
        thread::Builder::new().name("capture".to_owned()).spawn(move || own.write_to(ring))?;
        Ok(queue)
    }

    /// Adds an input, or drops it if the disk is too slow.
    pub(super) fn add(&self, item: Item) {
        let mut state = self.lock();
        let bytes = item.bytes();
        if state.bytes > 0 && state.bytes + bytes > ROOM {
            item.metrics.dropped.inc();
            if !std::mem::replace(&mut state.is_told, true) {
                drop(state);
                tracing::warn!(
                    "captures are dropped because the disk is too slow; answers are not affected"
                );
            }
            return;
        }
        state.bytes += bytes;
        state.waiting.push_back(item);
        drop(state);
        self.changed.notify_all();
    }

    /// Waits until everything is written, but no longer than `limit`; returns how many inputs are
    /// not.
    pub(super) fn finish(&self, limit: Duration) -> usize {
        let is_busy = |state: &mut State| state.is_writing || !state.waiting.is_empty();
        let waited = self.changed.wait_timeout_while(self.lock(), limit, is_busy);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.waiting.len() + usize::from(state.is_writing)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes inputs in the order in which they were added, for as long as the process runs.
    fn write_to(&self, mut ring: Ring) {
        let mut failed: Option<Instant> = None;
        loop {
            let item = self.take();
            if failed.is_some_and(|failed| failed.elapsed() < PAUSE) {
                item.metrics.failed.inc();
                self.done(&item);
                continue;
            }
            let written = ring.keep(&item);
            match &written {
                Ok(Written::Yes) => item.metrics.written.inc(),
                Ok(Written::Repeated) => item.metrics.repeated.inc(),
                Err(_) => item.metrics.failed.inc(),
            };
            if let Err(error) = &written {
                if failed.is_none() {
                    tracing::error!(
                        "cannot keep an input in {}: {error}; answers are not affected",
                        ring.path().display()
                    );
                }
                failed = Some(Instant::now());
            } else if failed.take().is_some() {
                tracing::info!("inputs are kept again");
            }
            self.done(&item);
        }
    }

    fn take(&self) -> Item {
        let mut state = self.lock();
        loop {
            if let Some(item) = state.waiting.pop_front() {
                state.is_writing = true;
                return item;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn done(&self, item: &Item) {
        let mut state = self.lock();
        state.is_writing = false;
        state.bytes -= item.bytes();
        if state.waiting.is_empty() {
            state.is_told = false;
        }
        drop(state);
        self.changed.notify_all();
    }
}
