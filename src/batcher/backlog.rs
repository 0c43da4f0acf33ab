//! Whether the workers have more to do than they can, for the threads that serve connections.
//!
//! Where a full batch waits already, a request that is read now only waits behind it, and reading it takes the processor
//! from a worker. A thread that has nothing to do then lets others go first, instead of sleeping until the next packet
//! wakes it: later it finds more requests at once. Saturated, a request costs 6 % less so, and the slowest are no slower
//! (`docs/results.md`); a server that has no full batch waiting never does it.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

/// Queues of this process in which a full batch waits. The threads that ask belong to no queue, and to no server.
static BACKLOGS: AtomicUsize = AtomicUsize::new(0);

/// Whether a queue is one of them.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    is_there: bool,
}

impl Backlog {
    #[cfg(test)]
    pub(super) fn is_there(&self) -> bool {
        self.is_there
    }

    pub(super) fn set(&mut self, is_there: bool) {
        if self.is_there != is_there {
            self.is_there = is_there;
            if is_there {
                BACKLOGS.fetch_add(1, Ordering::Relaxed);
            } else {
                BACKLOGS.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }
}

impl Drop for Backlog {
    fn drop(&mut self) {
        self.set(false);
    }
}

/// Lets other threads go first where a full batch waits. For a thread that serves connections, before it sleeps.
pub fn give_way() {
    if BACKLOGS.load(Ordering::Relaxed) > 0 {
        thread::yield_now();
    }
}
