//! Clients in a closed loop: each sends its next request when the last one is answered.

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

/// A request without a correct answer.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) started: Instant,
    pub(crate) ended: Instant,
    /// Status of the wrong answer; `None` if the connection ended without one.
    pub(crate) status: Option<StatusCode>,
    pub(crate) attempt: Attempt,
}

/// Which try of its client a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// Of a client without retries.
    Only,
    /// The first try of a client that retries once.
    First,
    /// The retry.
    Second,
}

/// The outcome of a load.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Requests sent, retries included.
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

/// Running clients.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    clients: JoinSet<()>,
    tally: Arc<Mutex<Tally>>,
}

/// A client's pause before a retry: the server's own Retry-After. An immediate retry can reach the
/// dying process: its listener is open a little longer than its connections.
const PAUSE: Duration = Duration::from_secs(1);
/// A client gives up after this time, even if nobody stops it.
const LONGEST: Duration = Duration::from_secs(90);

impl Load {
    /// Starts `clients` clients that classify a picture of a seven; every second one retries once.
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

    /// Stops it after the current requests.
    pub(crate) async fn stop(self) -> Tally {
        self.stop.store(true, Ordering::Relaxed);
        self.clients.join_all().await;
        Arc::into_inner(self.tally).unwrap().into_inner().unwrap()
    }

    /// Requests answered so far.
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

    /// Otherwise the status of a wrong answer, or `None` without an answer.
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
