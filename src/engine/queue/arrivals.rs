//! Whether it is worth to let further requests arrive before a batch is taken.
//!
//! Letting them arrive means to run all other tasks first. That makes batches where many clients ask at
//! once. Where one asks at a time it brings nothing, and beside connections that are busy without end it
//! costs milliseconds: then it is done only now and then, to see whether that has changed.

use std::sync::atomic::{AtomicU32, Ordering};

/// After as many batches in a row for which nothing more arrived, workers no longer wait.
const IN_VAIN: u32 = 8;
/// Then they wait before one of as many batches.
const PROBE: u32 = 256;

/// What waiting has brought lately.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    /// Batches in a row for which nothing more arrived.
    in_vain: AtomicU32,
}

impl Arrivals {
    /// Whether more may arrive before a batch is taken, when so many `requests` wait.
    pub(super) fn are_likely(&self, requests: usize) -> bool {
        if requests > 1 {
            return true;
        }
        let before = self.in_vain.load(Ordering::Relaxed);
        if before < IN_VAIN {
            return true;
        }
        // Counts of two workers at once may be lost, which only delays the next probe.
        self.in_vain.store(before.checked_add(1).unwrap_or(IN_VAIN), Ordering::Relaxed);
        before.is_multiple_of(PROBE)
    }

    /// Notes whether a batch has more than the request for which it was begun.
    pub(super) fn note(&self, are_more: bool) {
        if are_more {
            self.in_vain.store(0, Ordering::Relaxed);
        } else {
            let before = self.in_vain.load(Ordering::Relaxed);
            self.in_vain.store(before.checked_add(1).unwrap_or(IN_VAIN), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of a thousand batches of one request each wait for more, if nothing arrives.
    fn waits(arrivals: &Arrivals) -> usize {
        let batches = (0..1000).filter(|_| {
            let waits = arrivals.are_likely(1);
            if waits {
                arrivals.note(false);
            }
            waits
        });
        batches.count()
    }

    /// Regression: beside connections that sent without end, a lone client's requests waited in the
    /// queue until each of those had two turns, for others that never came.
    #[test]
    fn workers_seldom_wait_for_requests_that_never_come() {
        let arrivals = Arrivals::default();
        assert!((8..20).contains(&waits(&arrivals)));
        assert!(waits(&arrivals) < 10);
    }

    #[test]
    fn they_wait_again_when_requests_come_together() {
        let arrivals = Arrivals::default();
        waits(&arrivals);
        assert!(arrivals.are_likely(2), "two wait already");
        arrivals.note(true);
        assert!((0..8).all(|_| arrivals.are_likely(1)));
    }

    /// One client becomes many: they are found by a probe.
    #[test]
    fn a_probe_finds_that_requests_come_together() {
        let arrivals = Arrivals::default();
        waits(&arrivals);
        let until_probe = (0..1000).take_while(|_| !arrivals.are_likely(1)).count();
        assert!(until_probe < 300, "{until_probe}");
        arrivals.note(true);
        assert!(arrivals.are_likely(1));
    }

    #[test]
    fn counting_has_no_end() {
        let arrivals = Arrivals { in_vain: u32::MAX.into() };
        arrivals.note(false);
        assert!((0..2).any(|_| !arrivals.are_likely(1)));
        let arrivals = Arrivals { in_vain: u32::MAX.into() };
        assert!(!arrivals.are_likely(1));
        assert!((0..2).any(|_| !arrivals.are_likely(1)));
    }
}
