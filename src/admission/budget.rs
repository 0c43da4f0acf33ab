//! Limits the bytes of bodies and decoded inputs that are in memory at once.
//!
//! A request reserves bytes before it reads them. Otherwise the real limit would be the number of
//! connections times the largest body.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use crate::error::{ApiError, ErrorKind};

/// The byte budget that all requests share.
#[derive(Debug)]
pub(crate) struct ByteBudget {
    limit: u64,
    used: AtomicU64,
}

/// The bytes that one request has reserved; dropping this releases them.
#[derive(Debug)]
pub(crate) struct Reservation {
    budget: Arc<ByteBudget>,
    bytes: u64,
}

impl ByteBudget {
    pub(crate) fn new(limit: u64) -> Arc<Self> {
        Arc::new(Self { limit, used: AtomicU64::new(0) })
    }

    /// Bytes that all requests have reserved now.
    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// An empty reservation.
    pub(crate) fn open(self: &Arc<Self>) -> Reservation {
        Reservation { budget: Arc::clone(self), bytes: 0 }
    }
}

impl Reservation {
    /// Adds `bytes` to the reservation.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] if the request alone exceeds the whole budget,
    /// [`ErrorKind::BytesFull`] if other requests leave too little of it.
    pub(crate) fn grow(&mut self, bytes: u64) -> Result<(), ApiError> {
        let limit = self.budget.limit;
        if self.bytes.saturating_add(bytes) > limit {
            return Err(ErrorKind::TooLarge.because(format!(
                "the request needs more memory than the server's request-memory budget ({limit} bytes); send fewer or smaller inputs"
            )));
        }
        let reserved =
            self.budget.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(bytes).filter(|&sum| sum <= limit)
            });
        if reserved.is_err() {
            return Err(ErrorKind::BytesFull.because(format!(
                "the server's request-memory budget ({limit} bytes) is exhausted; retry shortly"
            )));
        }
        self.bytes += bytes;
        Ok(())
    }

    /// Bytes that this request has reserved.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Releases all but `bytes`.
    pub(crate) fn shrink_to(&mut self, bytes: u64) {
        let surplus = self.bytes.saturating_sub(bytes);
        self.budget.used.fetch_sub(surplus, Ordering::Relaxed);
        self.bytes -= surplus;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_reserved_is_given_back_when_the_request_ends() {
        let budget = ByteBudget::new(100);
        let mut first = budget.open();
        assert_eq!(first.grow(60), Ok(()));
        let mut second = budget.open();
        assert_eq!(second.grow(60).map_err(|e| e.kind), Err(ErrorKind::BytesFull));
        drop(first);
        assert_eq!(second.grow(60), Ok(()));
        drop(second);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn a_request_above_the_whole_budget_is_too_large_and_not_asked_to_try_again() {
        let mut reservation = ByteBudget::new(100).open();
        assert_eq!(reservation.grow(101).map_err(|e| e.kind), Err(ErrorKind::TooLarge));
        assert_eq!(reservation.grow(u64::MAX).map_err(|e| e.kind), Err(ErrorKind::TooLarge));
    }
}
