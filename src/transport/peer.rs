//! The other end of a connection: its address, and how soon it may be refused again.
//!
//! Clients that ask again at once whenever they are refused would take the cores from the requests
//! that are answered. So a refusal is held back until the pause that the last one asked for is over,
//! and by up to a pause more, since connections that were refused together would all come again
//! together; over HTTP/2 that applies to some requests of a connection at a time, and the others are
//! refused at once, so that requests to another model find a stream.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::http::Extensions;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Refusals of a connection that are held back at a time.
const MOST_HELD: usize = 32;

/// The other end of the connection that a request came by.
#[derive(Debug, Clone)]
pub(crate) struct Peer(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    address: IpAddr,
    /// Until when it was asked not to try again.
    asked_to_wait: Mutex<Option<Instant>>,
    held_back: Arc<Semaphore>,
}

/// A refusal that is held back, until this is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) time: Duration,
    _place: OwnedSemaphorePermit,
}

impl Peer {
    pub(super) fn new(address: IpAddr) -> Self {
        let held_back = Arc::new(Semaphore::new(MOST_HELD));
        Self(Arc::new(Shared { address, asked_to_wait: Mutex::default(), held_back }))
    }

    /// The peer of a request; of one that came by no connection, a peer without an address.
    pub(crate) fn of(request: &Extensions) -> Self {
        request.get().cloned().unwrap_or_else(|| Self::new(Ipv4Addr::UNSPECIFIED.into()))
    }

    pub(crate) fn address(&self) -> IpAddr {
        self.0.address
    }

    /// Records a refusal that asks the client to wait for `pause`, and returns how long to hold it
    /// back, if the client did not wait after the last one.
    pub(crate) fn hold_refusal(&self, pause: Duration) -> Option<Held> {
        let now = Instant::now();
        let mut until = self.0.asked_to_wait.lock().unwrap_or_else(PoisonError::into_inner);
        let held = until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
        let spread = if held.is_zero() { Duration::ZERO } else { pause.mul_f64(fastrand::f64()) };
        let held = held.min(pause) + spread;
        *until = Some(now + held + pause);
        let place = Arc::clone(&self.0.held_back).try_acquire_owned().ok()?;
        (!held.is_zero()).then_some(Held { time: held, _place: place })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_client_that_waits_as_asked_is_refused_at_once_and_another_is_held_back() {
        let pause = Duration::from_millis(50);
        let peer = Peer::new(Ipv4Addr::LOCALHOST.into());
        assert!(peer.hold_refusal(pause).is_none());
        let mut held: Vec<Held> =
            (0..2 * MOST_HELD).filter_map(|_| peer.hold_refusal(pause)).collect();
        // However many requests share the connection, none is held back for longer.
        assert!(held.len() == MOST_HELD && held.iter().all(|held| held.time <= 2 * pause));
        assert!(held.iter().skip(1).all(|held| held.time >= pause));
        // Not all at the same moment.
        let times: HashSet<Duration> = held.iter().map(|held| held.time).collect();
        assert!(times.len() > MOST_HELD / 2);
        held.pop();
        assert!(peer.hold_refusal(pause).is_some());
        std::thread::sleep(4 * pause);
        assert!(peer.hold_refusal(pause).is_none());
    }
}
