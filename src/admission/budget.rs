//! Limits the bytes of bodies and decoded inputs that are in memory at once.
//!
//! A request reserves bytes before it reads them. Otherwise the real limit would be the number of
//! connections times the largest body. The more a request holds, the more must stay free for
//! others: however many large requests there are, small ones find room.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use crate::error::{ApiError, ErrorKind};

/// How many times the bytes that a request holds must stay free, up to [`SPARED`]: as many as there
/// are requests by default, so that what one request takes, the others can take, too.
const OTHERS: u64 = 2048;
/// The same of bytes that are needed only while a core computes: few requests do so at once.
const OTHERS_AT_ONCE: u64 = 16;
/// The share of the budget, as a divisor, that large requests leave to small ones.
const SPARED: u64 = 4;
/// The shares of the budget, as divisors, above which much is in use and below which little is.
const MUCH: u64 = 8;
const LITTLE: u64 = 16;

/// The byte budget that all requests share.
#[derive(Debug)]
pub(crate) struct ByteBudget {
    limit: u64,
    used: AtomicU64,
    is_much: AtomicBool,
    /// Called when much of the budget begins to be in use, and when little is again.
    when_much: fn(bool),
}

/// The bytes that one request has reserved; dropping this releases them.
#[derive(Debug)]
pub(crate) struct Reservation {
    budget: Arc<ByteBudget>,
    bytes: u64,
}

impl ByteBudget {
    /// A budget that nobody watches.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn new(limit: u64) -> Arc<Self> {
        Self::watched(limit, |_| ())
    }

    /// A budget that calls `when_much` when more than an eighth of it begins to be in use, and again
    /// when less than a sixteenth is.
    pub(crate) fn watched(limit: u64, when_much: fn(bool)) -> Arc<Self> {
        let (used, is_much) = (AtomicU64::new(0), AtomicBool::new(false));
        Arc::new(Self { limit, used, is_much, when_much })
    }

    /// Tells whether much is in use, if that has changed.
    fn watch(&self, used: u64) {
        let was_much = self.is_much.load(Ordering::Relaxed);
        let limit = self.limit / if was_much { LITTLE } else { MUCH };
        if (used > limit) != was_much && self.is_much.swap(!was_much, Ordering::Relaxed) == was_much
        {
            (self.when_much)(!was_much);
        }
    }

    fn give_back(&self, bytes: u64) {
        let before = self.used.fetch_sub(bytes, Ordering::Relaxed);
        self.watch(before.saturating_sub(bytes));
    }

    /// Bytes that all requests have reserved now.
    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// The most bytes that a request can have when there is no other.
    fn largest_request(&self) -> u64 {
        self.limit - self.limit / SPARED
    }

    /// What a request leaves to others if `wanted` bytes must stay free, however many it holds.
    fn spared(&self, wanted: u64) -> u64 {
        wanted.min(self.limit / SPARED)
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
    /// [`ErrorKind::TooLarge`] if the request alone exceeds three quarters of the budget,
    /// [`ErrorKind::BytesFull`] if other requests leave too little of it.
    pub(crate) fn grow(&mut self, bytes: u64) -> Result<(), ApiError> {
        self.grow_and_leave(bytes, OTHERS)
    }

    /// Adds bytes that are released before the computation that needs them ends, and before the
    /// reservation grows again.
    ///
    /// # Errors
    /// Those of [`Reservation::grow`].
    pub(crate) fn grow_for_a_turn(&mut self, bytes: u64) -> Result<(), ApiError> {
        self.grow_and_leave(bytes, OTHERS_AT_ONCE)
    }

    /// Adds `bytes`, if `others` times as many stay free.
    fn grow_and_leave(&mut self, bytes: u64, others: u64) -> Result<(), ApiError> {
        let limit = self.budget.limit;
        let total = self.bytes.saturating_add(bytes);
        if total > self.budget.largest_request() {
            return Err(ErrorKind::TooLarge.because(format!(
                "the request needs more memory than one request may have, three quarters of the server's request-memory budget of {limit} bytes; send fewer or smaller inputs"
            )));
        }
        let held = self.bytes.saturating_mul(OTHERS);
        let spared = self.budget.spared(held.saturating_add(bytes.saturating_mul(others)));
        let reserved =
            self.budget.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                let sum = used.checked_add(bytes).filter(|&sum| sum <= limit)?;
                (limit - sum >= spared).then_some(sum)
            });
        let Ok(before) = reserved else {
            return Err(ErrorKind::BytesFull.because(format!(
                "the server's request-memory budget ({limit} bytes) is exhausted; retry shortly"
            )));
        };
        self.budget.watch(before + bytes);
        self.bytes = total;
        Ok(())
    }

    /// Bytes that this request has reserved.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Releases all but `bytes`.
    pub(crate) fn shrink_to(&mut self, bytes: u64) {
        let surplus = self.bytes.saturating_sub(bytes);
        self.budget.give_back(surplus);
        self.bytes -= surplus;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[test]
    fn much_and_little_are_told_once_each() {
        static MUCH: AtomicUsize = AtomicUsize::new(0);
        static LITTLE: AtomicUsize = AtomicUsize::new(0);
        let budget = ByteBudget::watched(1 << 20, |is_much| {
            let told = if is_much { &MUCH } else { &LITTLE };
            told.fetch_add(1, Ordering::Relaxed);
        });
        let told = || (MUCH.load(Ordering::Relaxed), LITTLE.load(Ordering::Relaxed));
        let (mut one, mut other) = (budget.open(), budget.open());
        one.grow(100 << 10).unwrap();
        assert_eq!(told(), (0, 0));
        other.grow(100 << 10).unwrap();
        assert_eq!(told(), (1, 0));
        other.shrink_to(0);
        one.grow(50 << 10).unwrap();
        assert_eq!(told(), (1, 0), "neither much nor little has begun");
        drop(one);
        assert_eq!(told(), (1, 1));
    }

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
    fn a_request_above_its_largest_share_is_too_large_and_not_asked_to_try_again() {
        let budget = ByteBudget::new(100);
        let mut reservation = budget.open();
        for bytes in [budget.largest_request() + 1, 101, u64::MAX] {
            assert_eq!(reservation.grow(bytes).map_err(|e| e.kind), Err(ErrorKind::TooLarge));
        }
        assert_eq!(reservation.grow(budget.largest_request()), Ok(()));
    }

    #[test]
    fn a_small_request_finds_room_however_many_large_ones_take_what_they_can_get() {
        let budget = ByteBudget::new(256 << 20);
        let mut greedy: Vec<Reservation> = (0..OTHERS).map(|_| budget.open()).collect();
        for step in (10..28).rev().flat_map(|power| std::iter::repeat_n(1 << power, 3)) {
            for reservation in &mut greedy {
                let _ = reservation.grow(step);
            }
        }
        assert!(budget.used() > 200 << 20, "they hold nearly all of it");
        assert_eq!(budget.open().grow(8 << 10), Ok(()));
    }

    /// Regression: the tables of a decoder, half a megabyte, counted as if every request held them
    /// for long, and a digit of some hundred bytes was refused where a quarter of the budget was used.
    #[test]
    fn what_is_needed_for_a_moment_finds_room_where_as_much_for_long_does_not() {
        let budget = ByteBudget::new(256 << 20);
        let mut others = budget.open();
        assert_eq!(others.grow(180 << 20), Ok(()));
        let mut small = budget.open();
        assert_eq!(small.grow(1 << 10), Ok(()));
        assert!(budget.open().grow(12 << 20).is_err());
        assert_eq!(small.grow_for_a_turn(512 << 10), Ok(()));
        small.shrink_to(4 << 10);
        assert_eq!(budget.used(), (180 << 20) + (4 << 10));
    }

    proptest::proptest! {
        #[test]
        fn the_sum_is_what_requests_hold_and_never_above_the_limit(
            steps in proptest::collection::vec((0_usize..6, 0_u64..600, proptest::bool::ANY), 0..200)
        ) {
            let budget = ByteBudget::new(1000);
            let mut requests: Vec<Reservation> = (0..6).map(|_| budget.open()).collect();
            for (index, bytes, grows) in steps {
                if grows {
                    let _ = requests[index].grow(bytes);
                } else {
                    requests[index].shrink_to(bytes);
                }
                let held: u64 = requests.iter().map(Reservation::bytes).sum();
                proptest::prop_assert!(held == budget.used() && held <= 1000);
            }
        }
    }
}
