//! A bounded load of clients that each ask again as soon as they are answered.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use reqwest::StatusCode;
use tokio::task::JoinSet;

/// A request of which no right answer came.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) started: Instant,
    pub(crate) ended: Instant,
    /// Of the wrong answer; none where the connection ended without one.
    pub(crate) status: Option<StatusCode>,
    pub(crate) attempt: Attempt,
}

/// Which of its client's tries a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// Of a client that asks once.
    Only,
    /// Of a client that asks once more where this fails.
    First,
    /// That one more.
    Second,
}

/// What a load has seen.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Requests that were sent, second tries too.
    pub(crate) sent: usize,
    pub(crate) answered: usize,
    pub(crate) failures: Vec<Failure>,
}

impl Tally {
    /// How many tries of this kind failed.
    pub(crate) fn failed(&self, attempt: Attempt) -> usize {
        self.failures.iter().filter(|failure| failure.attempt == attempt).count()
    }
}

/// Clients at work.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    clients: JoinSet<()>,
    tally: Arc<Mutex<Tally>>,
}

/// What a client waits before it asks again: what the server's own Retry-After says. One that asks at once can meet the
/// process while it dies: its listener is open a little longer than its connections are.
const PAUSE: Duration = Duration::from_secs(1);
/// A client gives up after so long, whoever forgets to stop it.
const LONGEST: Duration = Duration::from_secs(90);

impl Load {
    /// Starts `clients` clients that classify a picture of a seven; every second one asks once more where it got no answer.
    pub(crate) fn start(clients: usize, address: SocketAddr, picture: &[u8]) -> Self {
        let (stop, tally) = (Arc::default(), Arc::default());
        let mut load = Self { stop, clients: JoinSet::new(), tally };
        for number in 0..clients {
            let client = Client {
                // Each has one connection to the balancer, and keeps it.
                http: reqwest::Client::builder().pool_max_idle_per_host(1).build().unwrap(),
                url: format!("http://{address}/classify?top_k=1&diagnostics=none"),
                picture: picture.to_vec(),
                asks_twice: number % 2 == 1,
                tally: Arc::clone(&load.tally),
            };
            let (stop, end) = (Arc::clone(&load.stop), Instant::now() + LONGEST);
            load.clients.spawn(async move {
                while !stop.load(Ordering::Relaxed) && Instant::now() < end {
                    client.ask().await;
                }
            });
        }
        load
    }

    /// Ends it after the requests that are under way.
    pub(crate) async fn stop(self) -> Tally {
        self.stop.store(true, Ordering::Relaxed);
        self.clients.join_all().await;
        Arc::into_inner(self.tally).unwrap().into_inner().unwrap()
    }

    /// Requests that were answered so far.
    pub(crate) fn answered(&self) -> usize {
        self.tally.lock().unwrap().answered
    }
}

struct Client {
    http: reqwest::Client,
    url: String,
    picture: Vec<u8>,
    asks_twice: bool,
    tally: Arc<Mutex<Tally>>,
}

impl Client {
    async fn ask(&self) {
        if !self.asks_twice {
            self.attempt(Attempt::Only).await;
        } else if !self.attempt(Attempt::First).await {
            tokio::time::sleep(PAUSE).await;
            self.attempt(Attempt::Second).await;
        }
    }

    /// One request, and whether it got its answer.
    async fn attempt(&self, attempt: Attempt) -> bool {
        let started = Instant::now();
        let outcome = self.classify().await;
        let mut tally = self.tally.lock().unwrap();
        tally.sent += 1;
        match outcome {
            Ok(()) => tally.answered += 1,
            Err(status) => {
                let ended = Instant::now();
                tally.failures.push(Failure { started, ended, status, attempt });
                return false;
            }
        }
        true
    }

    /// Otherwise the status of a wrong answer, or none where none came.
    async fn classify(&self) -> Result<(), Option<StatusCode>> {
        let request = self
            .http
            .post(&self.url)
            .header("content-type", "image/png")
            .body(self.picture.clone());
        let response = request.send().await.map_err(|_| None)?;
        let status = response.status();
        let body = response.text().await.map_err(|_| Some(status))?;
        if status != 200 || !body.contains("\"label\":\"7\"") {
            return Err(Some(status));
        }
        Ok(())
    }
}
