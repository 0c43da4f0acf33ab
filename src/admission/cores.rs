//! Turns for long computations: about one per CPU core at a time, shared fairly between clients.
//!
//! As many computations run as there are cores. A client that has none running need not wait for
//! those of others: it gets one of as many further turns. So a single client can use every core,
//! and the next client's computation begins at once, unless as many others have done the same.
//! Clients behind one proxy without keys are one client.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

/// Who sent a request: the holder of an API key, or else an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Client(u128);

impl Client {
    /// The client at an address. In IPv6 all addresses of a network of 64 bits are one client's,
    /// who can choose among them freely.
    pub(crate) fn at(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
            IpAddr::V6(address) => address.to_bits() >> 64 << 64,
        })
    }

    /// The client with the key of this digest, wherever it connects from.
    pub(super) fn with_key(digest: &[u8; 32]) -> Self {
        let (start, _) = digest.as_chunks::<16>();
        Self(start.iter().fold(0, |mixed, half| mixed ^ u128::from_be_bytes(*half)))
    }
}

/// The turns that are taken and those that are waited for.
#[derive(Debug)]
pub(crate) struct Cores {
    count: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The running computations of each client that has any.
    running: HashMap<Client, usize>,
    /// The sum of `running`.
    total: usize,
    waiting: VecDeque<(Client, oneshot::Sender<Turn>)>,
}

/// A turn, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    cores: Arc<Cores>,
    client: Client,
}

impl Cores {
    /// Turns for this number of cores.
    pub(crate) fn new(count: usize) -> Arc<Self> {
        Arc::new(Self { count, state: Mutex::default() })
    }

    /// Waits for a turn. Of the clients that wait, the one with the fewest computations comes
    /// first, and of its requests the oldest.
    pub(crate) async fn turn(self: &Arc<Self>, client: Client) -> Turn {
        let next = {
            let mut state = self.state();
            if state.may_begin(client, self.count) {
                state.begin(client);
                return Turn { cores: Arc::clone(self), client };
            }
            let (sender, next) = oneshot::channel();
            state.waiting.push_back((client, sender));
            next
        };
        // The sender is dropped only after it has sent a turn.
        match next.await {
            Ok(turn) => turn,
            Err(_) => std::future::pending().await,
        }
    }

    /// Ends a turn and begins those for which there is room now.
    fn end(self: &Arc<Self>, client: Client) {
        let mut begun = Vec::new();
        let mut state = self.state();
        state.end(client);
        while let Some((client, sender)) = state.next(self.count) {
            state.begin(client);
            begun.push((sender, Turn { cores: Arc::clone(self), client }));
        }
        drop(state);
        for (sender, turn) in begun {
            // The turn of a request that no longer waits is dropped, and so goes to the next one.
            drop(sender.send(turn));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn running(&self, client: Client) -> usize {
        self.running.get(&client).copied().unwrap_or_default()
    }

    fn may_begin(&self, client: Client, cores: usize) -> bool {
        self.total < cores || self.total < 2 * cores && self.running(client) == 0
    }

    fn begin(&mut self, client: Client) {
        *self.running.entry(client).or_default() += 1;
        self.total += 1;
    }

    fn end(&mut self, client: Client) {
        self.total = self.total.saturating_sub(1);
        if let Some(running) = self.running.get_mut(&client) {
            *running -= 1;
            if *running == 0 {
                self.running.remove(&client);
            }
        }
    }

    /// Takes the next request whose turn it is, if there is room for one.
    fn next(&mut self, cores: usize) -> Option<(Client, oneshot::Sender<Turn>)> {
        self.waiting.retain(|(_, sender)| !sender.is_closed());
        let waiting = self.waiting.iter().enumerate();
        let (index, &(client, _)) = waiting.min_by_key(|(_, (client, _))| self.running(*client))?;
        if !self.may_begin(client, cores) {
            return None;
        }
        self.waiting.remove(index)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.cores.end(self.client);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::FutureExt as _;

    use super::*;

    fn client(number: u8) -> Client {
        Client::at(IpAddr::from([10, 0, 0, number]))
    }

    #[test]
    fn one_client_uses_every_core_and_another_need_not_wait_for_it() {
        let cores = Cores::new(2);
        let _first = cores.turn(client(1)).now_or_never().expect("a core is free");
        let _second = cores.turn(client(1)).now_or_never().expect("a core is free");
        assert!(cores.turn(client(1)).now_or_never().is_none(), "a third computation");
        let _other = cores.turn(client(2)).now_or_never().expect("another client has its own turn");
        assert!(cores.turn(client(2)).now_or_never().is_none(), "its second one waits");
    }

    #[test]
    fn a_turn_goes_to_the_client_with_the_fewest_and_never_to_one_that_no_longer_waits() {
        let cores = Cores::new(1);
        let first = cores.turn(client(1)).now_or_never().expect("a core is free");
        let second = cores.turn(client(2)).now_or_never().expect("a turn of its own");
        let mut third = pin!(cores.turn(client(2)));
        let gone = {
            let mut gone = pin!(cores.turn(client(3)));
            gone.as_mut().now_or_never().is_none()
        };
        assert!(gone, "both turns are taken");
        let mut fourth = pin!(cores.turn(client(4)));
        assert!(third.as_mut().now_or_never().is_none());
        assert!(fourth.as_mut().now_or_never().is_none());
        drop(first);
        assert!(third.as_mut().now_or_never().is_none(), "its client has one already");
        let fourth = fourth.now_or_never().expect("its client has none");
        drop((second, fourth));
        assert!(third.now_or_never().is_some());
    }

    #[test]
    fn whatever_is_begun_given_up_and_ended_turns_are_neither_lost_nor_too_many() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        for seed in 0..200_u64 {
            let mut random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
            let mut draw = |below: u64| {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                random % below
            };
            let cores = Cores::new(1 + (seed % 4) as usize);
            runtime.block_on(async {
                let (mut waiting, mut taken) = (Vec::new(), Vec::new());
                for _ in 0..200 {
                    match draw(4) {
                        0 | 1 => {
                            let (cores, client) = (Arc::clone(&cores), client(draw(5) as u8));
                            waiting.push(Box::pin(async move { cores.turn(client).await }));
                        }
                        2 if !waiting.is_empty() => {
                            let index = draw(waiting.len() as u64) as usize;
                            drop(waiting.swap_remove(index));
                        }
                        _ if !taken.is_empty() => {
                            let index = draw(taken.len() as u64) as usize;
                            drop(taken.swap_remove(index));
                        }
                        _ => {}
                    }
                    waiting.retain_mut(|turn| match turn.as_mut().now_or_never() {
                        Some(turn) => {
                            taken.push(turn);
                            false
                        }
                        None => true,
                    });
                    assert!(taken.len() <= 2 * cores.count);
                    assert!(waiting.is_empty() || taken.len() >= cores.count, "an idle core");
                }
                drop((waiting, taken));
                let state = cores.state();
                assert!(state.total == 0 && state.running.is_empty());
            });
        }
    }
}
