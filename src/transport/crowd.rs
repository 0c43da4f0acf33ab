//! The open connections and the requests that have begun on each: how many of both there may be,
//! and which are refused or closed when there are too many.
//!
//! A request counts from its headers until the last byte of its answer is sent, before anything is
//! known of its sender. Each connection has a place for one request, whatever others do. Further
//! requests share as many places again, of which a connection may have no more than stay free
//! (Choudhury and Hahne, "Dynamic queue length thresholds for shared-memory packet switches", 1998).

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Instant,
};

use futures_util::task::AtomicWaker;

/// Why a request is to be refused without reading its body. Attached to the request for the service,
/// which knows how its protocol says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Too many requests have begun; this connection has more than its share of them.
    TooManyRequests,
    /// There are too many connections. Only health probes are to be answered on this one.
    TooManyConnections,
}

/// All connections of a listener.
#[derive(Debug)]
pub(super) struct Crowd {
    /// Requests that there may be at once beside one on each connection.
    further_limit: usize,
    further: AtomicUsize,
    members: Mutex<HashMap<u64, Arc<Member>>>,
    next_id: AtomicU64,
    since: Instant,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Member {
    crowd: Arc<Crowd>,
    id: u64,
    /// Whether it has a request in its own place.
    is_busy: AtomicBool,
    /// Further requests of this connection.
    further: AtomicUsize,
    /// When it last had a request, in milliseconds since the crowd exists.
    idle_since: AtomicU64,
    /// Whether it must close because others need its place.
    must_close: AtomicBool,
    /// Wakes the connection's task when that changes.
    task: AtomicWaker,
}

/// The place of one request; dropping it frees the place.
#[derive(Debug)]
pub(super) struct Place {
    member: Arc<Member>,
    is_further: bool,
}

/// A connection's membership, which ends when this is dropped.
#[derive(Debug)]
pub(super) struct Membership(pub(super) Arc<Member>);

impl Crowd {
    /// A crowd of at most `connections`.
    pub(super) fn new(connections: usize) -> Arc<Self> {
        Arc::new(Self {
            further_limit: connections,
            further: AtomicUsize::new(0),
            members: Mutex::default(),
            next_id: AtomicU64::new(0),
            since: Instant::now(),
        })
    }

    /// Adds a connection.
    pub(super) fn join(self: &Arc<Self>) -> Membership {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let member = Arc::new(Member {
            crowd: Arc::clone(self),
            id,
            is_busy: AtomicBool::new(false),
            further: AtomicUsize::new(0),
            idle_since: AtomicU64::new(self.now()),
            must_close: AtomicBool::new(false),
            task: AtomicWaker::new(),
        });
        self.members().insert(id, Arc::clone(&member));
        Membership(member)
    }

    /// Tells the connection that has been without a request for the longest time to close. Returns
    /// false if none is without.
    pub(super) fn close_longest_idle(&self) -> bool {
        let mut members = self.members();
        let idle = members.values().filter(|member| member.is_idle());
        let longest = idle.min_by_key(|member| member.idle_since.load(Ordering::Relaxed));
        let Some(id) = longest.map(|member| member.id) else { return false };
        // Out of the list at once, so that the next caller chooses another one.
        let member = members.remove(&id);
        member.is_some_and(|member| {
            member.must_close.store(true, Ordering::Release);
            member.task.wake();
            true
        })
    }

    fn now(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Ignores poisoning: no code that holds the lock can panic.
    fn members(&self) -> MutexGuard<'_, HashMap<u64, Arc<Member>>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Member {
    /// Ready when others need the connection's place. Asked whenever the connection's task runs.
    pub(super) fn poll_must_close(&self, context: &Context<'_>) -> Poll<()> {
        self.task.register(context.waker());
        if self.must_close.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
    }

    /// A place for a request that begins; `None` if this connection already has as many further
    /// ones as there are free places for them.
    pub(super) fn begin(self: &Arc<Self>) -> Option<Place> {
        let member = Arc::clone(self);
        if !self.is_busy.swap(true, Ordering::Relaxed) {
            return Some(Place { member, is_further: false });
        }
        let own = self.further.fetch_add(1, Ordering::Relaxed);
        let all = self.crowd.further.fetch_add(1, Ordering::Relaxed);
        // Dropped, and so given back, if it is refused.
        let place = Place { member, is_further: true };
        (own < self.crowd.further_limit.saturating_sub(all)).then_some(place)
    }

    fn is_idle(&self) -> bool {
        !self.is_busy.load(Ordering::Relaxed) && self.further.load(Ordering::Relaxed) == 0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Self { member, is_further } = self;
        member.idle_since.store(member.crowd.now(), Ordering::Relaxed);
        if *is_further {
            member.crowd.further.fetch_sub(1, Ordering::Relaxed);
            member.further.fetch_sub(1, Ordering::Relaxed);
        } else {
            member.is_busy.store(false, Ordering::Relaxed);
        }
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        let Self(member) = self;
        member.crowd.members().remove(&member.id);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_newcomer_gets_a_place_however_many_others_hold_theirs() {
        let crowd = Crowd::new(100);
        let greedy: Vec<Membership> = (0..99).map(|_| crowd.join()).collect();
        let mut held = Vec::new();
        for _ in 0..1000 {
            held.extend(greedy.iter().filter_map(|connection| connection.0.begin()));
        }
        assert!(held.len() <= 2 * crowd.further_limit);
        let newcomer = crowd.join();
        assert!(newcomer.0.begin().is_some());
    }

    #[test]
    fn a_place_is_given_back_and_the_longest_idle_connection_closes_first() {
        let crowd = Crowd::new(2);
        let (busy, idle) = (crowd.join(), crowd.join());
        idle.0.idle_since.store(1, Ordering::Relaxed);
        let place = busy.0.begin();
        assert!(place.is_some());
        assert!(crowd.close_longest_idle());
        assert!(!crowd.close_longest_idle(), "the other has a request");
        drop(place);
        assert!(crowd.close_longest_idle());
        assert!(!crowd.close_longest_idle());
    }

    proptest! {
        /// Whatever is begun and ended in whatever order, the sums agree and the limit holds.
        #[test]
        fn places_are_never_lost_and_never_exceed_the_limit(
            steps in prop::collection::vec((0_usize..8, any::<bool>()), 0..400)
        ) {
            let crowd = Crowd::new(4);
            let members: Vec<Membership> = (0..8).map(|_| crowd.join()).collect();
            let mut held: Vec<Vec<Place>> = (0..8).map(|_| Vec::new()).collect();
            for (index, begins) in steps {
                if begins {
                    held[index].extend(members[index].0.begin());
                } else {
                    held[index].pop();
                }
                let sum: usize = held.iter().map(Vec::len).sum();
                prop_assert!(sum <= members.len() + crowd.further_limit);
                let further = held.iter().flatten().filter(|place| place.is_further).count();
                prop_assert_eq!(crowd.further.load(Ordering::Relaxed), further);
                prop_assert_eq!(members[index].0.is_idle(), held[index].is_empty());
            }
        }
    }
}
