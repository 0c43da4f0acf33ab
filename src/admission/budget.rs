//! How many bytes of bodies and decoded inputs may be in memory at once.
//!
//! A request reserves before it reads. Without that the real bound would be the number of connections times the
//! largest body.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use crate::error::{ApiError, ErrorKind};

/// The budget that all requests share.
#[derive(Debug)]
pub(crate) struct ByteBudget {
    limit: u64,
    used: AtomicU64,
}

/// Bytes that belong to one request until this is dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    budget: Arc<ByteBudget>,
    bytes: u64,
}

impl ByteBudget {
    /// A budget of `limit` bytes.
    pub(crate) fn new(limit: u64) -> Arc<Self> {
        Arc::new(Self { limit, used: AtomicU64::new(0) })
    }

    /// Bytes that are reserved now.
    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// A reservation of no bytes yet.
    pub(crate) fn open(self: &Arc<Self>) -> Reservation {
        Reservation { budget: Arc::clone(self), bytes: 0 }
    }
}

impl Reservation {
    /// Adds `bytes` to the reservation.
    ///
    /// # Errors
    /// [`ErrorKind::TooLarge`] where the request alone is above the whole budget, [`ErrorKind::BytesFull`] where
    /// others use it up.
    pub(crate) fn grow(&mut self, bytes: u64) -> Result<(), ApiError> {
        let limit = self.budget.limit;
        if self.bytes.saturating_add(bytes) > limit {
            return Err(ErrorKind::TooLarge.because(format!(
                "the request would take more memory than the {limit} bytes that all requests together may use; send fewer or smaller inputs"
            )));
        }
        let reserved =
            self.budget.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(bytes).filter(|&sum| sum <= limit)
            });
        if reserved.is_err() {
            return Err(ErrorKind::BytesFull.because(format!(
                "the {limit} bytes that requests may use together are taken; try again in a moment"
            )));
        }
        self.bytes += bytes;
        Ok(())
    }

    /// Bytes that are reserved.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Gives back all but `bytes`.
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
