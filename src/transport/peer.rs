//! The other end of a connection: its address, and how soon it may be refused again.
//!
//! To refuse a request costs a quarter of the CPU time of an answer. Clients that ask again at once
//! whenever they are refused would take the cores from the requests that are answered: their
//! refusals are held back, so that each connection gets at most one in a pause.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::http::Extensions;

/// The other end of the connection that a request came by.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    address: IpAddr,
    /// Until when it was asked not to try again.
    asked_to_wait: Arc<Mutex<Option<Instant>>>,
}

impl Peer {
    pub(super) fn new(address: IpAddr) -> Self {
        Self { address, asked_to_wait: Arc::default() }
    }

    /// The peer of a request; of one that came by no connection, a peer without an address.
    pub(crate) fn of(request: &Extensions) -> Self {
        request.get().cloned().unwrap_or_else(|| Self::new(Ipv4Addr::UNSPECIFIED.into()))
    }

    pub(crate) fn address(&self) -> IpAddr {
        self.address
    }

    /// Records a refusal that asks the client to wait for `pause`, and returns how long to hold it
    /// back: a client that did not wait after the last one waits now.
    pub(crate) fn refuse(&self, pause: Duration) -> Duration {
        let now = Instant::now();
        let mut until = self.asked_to_wait.lock().unwrap_or_else(PoisonError::into_inner);
        let held = until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
        let held = held.min(pause);
        *until = Some(now + held + pause);
        held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_waits_as_asked_is_refused_at_once_and_another_is_held_back() {
        let pause = Duration::from_millis(50);
        let peer = Peer::new(Ipv4Addr::LOCALHOST.into());
        assert_eq!(peer.refuse(pause), Duration::ZERO);
        let held = peer.refuse(pause);
        assert!(held > Duration::from_millis(25) && held <= pause, "{held:?}");
        // However many requests share the connection, none is held back for longer.
        assert_eq!(peer.refuse(pause), pause);
        std::thread::sleep(3 * pause);
        assert_eq!(peer.refuse(pause), Duration::ZERO);
    }
}
