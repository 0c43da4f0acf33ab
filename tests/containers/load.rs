//! Clients in a closed loop: each sends its next request when the last one is answered.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::SystemTime,
};

use tokio::task::JoinSet;

use crate::serving::digit;

const CLIENTS: usize = 16;

/// A request without an answer of status 200.
struct Lost {
    begun: SystemTime,
    reason: String,
}

/// The outcome of the clients' requests.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) answered: usize,
    lost: Vec<Lost>,
}

impl Outcome {
    /// Why requests were lost that were begun before this time.
    pub(crate) fn lost_before(&self, time: SystemTime) -> Vec<&str> {
        let early = self.lost.iter().filter(|lost| lost.begun < time);
        early.map(|lost| lost.reason.as_str()).collect()
    }
}

/// Clients that run until they are stopped.
pub(crate) struct Load {
    ends: Arc<AtomicBool>,
    clients: JoinSet<Outcome>,
}

impl Load {
    /// Starts clients that try each request `1 + retries` times; a quarter of them speaks HTTP/2 if
    /// requested. A client ends with its first lost request.
    ///
    /// Over HTTP/2 a request that crosses the server's GOAWAY was not processed, and clients send
    /// it again by themselves (RFC 9113, section 6.8): it is not lost. HTTP/1.1 has nothing of the
    /// kind.
    pub(crate) fn start(url: &str, retries: usize, with_http2: bool) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            let is_http2 = with_http2 && number % 4 == 0;
            let client = reqwest::Client::builder();
            let client = if is_http2 {
                client.http2_prior_knowledge()
            } else {
                client.retry(reqwest::retry::never())
            };
            let ask = Ask { client: client.build().unwrap(), url: url.to_owned(), retries };
            clients.spawn(ask.until(Arc::clone(&ends)));
        }
        Self { ends, clients }
    }

    /// Stops the clients after their current requests.
    pub(crate) async fn finish(self) -> Outcome {
        self.ends.store(true, Ordering::Relaxed);
        let mut all = Outcome::default();
        for outcome in self.clients.join_all().await {
            all.answered += outcome.answered;
            all.lost.extend(outcome.lost);
        }
        all
    }
}

struct Ask {
    client: reqwest::Client,
    url: String,
    retries: usize,
}

impl Ask {
    async fn until(self, ends: Arc<AtomicBool>) -> Outcome {
        let (mut outcome, body) = (Outcome::default(), digit());
        while !ends.load(Ordering::Relaxed) {
            let begun = SystemTime::now();
            let mut result = self.once(&body).await;
            for _ in 0..self.retries {
                if result.is_err() {
                    result = self.once(&body).await;
                }
            }
            match result {
                Ok(()) => outcome.answered += 1,
                Err(reason) => {
                    outcome.lost.push(Lost { begun, reason });
                    break;
                }
            }
        }
        outcome
    }

    async fn once(&self, body: &[u8]) -> Result<(), String> {
        let request = self.client.post(&self.url).header("content-type", "image/png");
        let response = request.body(body.to_vec()).send().await.map_err(|e| format!("{e:?}"))?;
        let status = response.status();
        response.bytes().await.map_err(|error| format!("{error:?}"))?;
        if status == 200 { Ok(()) } else { Err(format!("status {status}")) }
    }
}
