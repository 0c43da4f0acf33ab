//! Clients that mean no harm: a probe, and one that has digits classified. How long they wait for
//! their answers.

use std::{
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use h2::client::SendRequest;
use hyper::body::Bytes;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::{sleep, timeout},
};

use super::{
    send::{begin, read},
    target::{Listener, OPEN, Target},
};

/// Between two requests of a client.
const PAUSE: Duration = Duration::from_millis(8);
/// After this time a request has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// What clients met.
#[derive(Debug, Default)]
pub(crate) struct Waits {
    pub(crate) probes: Vec<Duration>,
    pub(crate) answers: Vec<Duration>,
    /// Of either, why they were not answered.
    pub(crate) failures: Vec<String>,
}

impl Waits {
    pub(super) fn extend(&mut self, others: Self) {
        self.probes.extend(others.probes);
        self.answers.extend(others.answers);
        self.failures.extend(others.failures);
    }
}

/// The time within which 99 of 100 were answered.
pub(crate) fn p99(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    let rank = (times.len() * 99).div_ceil(100);
    times.get(rank.saturating_sub(1)).copied().unwrap_or(PATIENCE)
}

/// Lets both clients ask until told to stop.
pub(crate) async fn ask(target: Target, stop: Arc<AtomicBool>) -> Waits {
    let probing = async {
        let (mut times, mut failures) = (Vec::new(), Vec::new());
        while !stop.load(Ordering::Relaxed) {
            let begun = Instant::now();
            match timeout(PATIENCE, probe(&target)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => failures.push(format!("a probe: {error}")),
                Err(_) => failures.push("a probe: not answered".to_owned()),
            }
            times.push(begun.elapsed());
            sleep(PAUSE).await;
        }
        (times, failures)
    };
    let classifying = async {
        let (mut times, mut failures, mut connection) = (Vec::new(), Vec::new(), None);
        while !stop.load(Ordering::Relaxed) {
            let begun = Instant::now();
            match timeout(PATIENCE, classify(&target, &mut connection)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => failures.push(format!("a digit: {error}")),
                Err(_) => failures.push("a digit: not answered".to_owned()),
            }
            times.push(begun.elapsed());
            sleep(PAUSE).await;
        }
        (times, failures)
    };
    let ((probes, mut failures), (answers, others)) = tokio::join!(probing, classifying);
    failures.extend(others);
    Waits { probes, answers, failures }
}

/// Asks for health on a connection of its own, as orchestrators do.
async fn probe(target: &Target) -> io::Result<()> {
    let mut link = target.http1().await?;
    link.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await?;
    let mut answer = Vec::new();
    let ended = link.read_to_end(&mut answer).await;
    if answer.starts_with(b"HTTP/1.1 200") {
        return Ok(());
    }
    ended?;
    let status = answer.get(..12).unwrap_or(&answer);
    Err(io::Error::other(String::from_utf8_lossy(status).into_owned()))
}

/// Has a digit classified, on the connection of before if there is one.
async fn classify(target: &Target, connection: &mut Option<SendRequest<Bytes>>) -> io::Result<()> {
    let sender = match connection.take() {
        Some(sender) => sender,
        None => target.http2(Listener::Http, OPEN).await?,
    };
    let digit = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/seven.png");
    let digit = std::fs::read(digit)?;
    let path = "/models/mnist/classify";
    let request = target.request(Listener::Http, "POST", path, "image/png");
    let answering = async {
        let (answer, mut body) = begin(&sender, request).await?;
        body.send_data(digit.into(), true)?;
        let answer = answer.await?;
        let status = answer.status();
        Ok::<_, h2::Error>((status, read(answer.into_body()).await?))
    };
    let (status, answer) = answering.await.map_err(io::Error::other)?;
    *connection = Some(sender);
    if status == 200 {
        return Ok(());
    }
    Err(io::Error::other(String::from_utf8_lossy(&answer).into_owned()))
}
