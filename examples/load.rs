//! A client for many files: bounded concurrency, kept connections, and retries if the server is
//! full or shutting down.
//!
//! `cargo run --release --example load -- --clients 32 --requests 10000 tests/data/seven.png`

#![expect(clippy::print_stdout, reason = "a program for a terminal")]

use std::{
    path::PathBuf,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use clap::Parser;
use reqwest::{Client, Response, StatusCode, header::RETRY_AFTER};
use tokio::task::JoinSet;

const TRIES: usize = 5;

/// Sends files to drsn-serve repeatedly, and reports how long the answers took.
#[derive(Parser)]
struct Arguments {
    /// The files; each is the body of a request.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Where to send them.
    #[arg(long, default_value = "http://localhost:8080/classify?top_k=1")]
    url: String,
    /// Most requests in flight.
    #[arg(long, default_value_t = 8)]
    clients: usize,
    /// Total number of requests.
    #[arg(long, default_value_t = 1000)]
    requests: usize,
    /// The key, if the server asks for one.
    #[arg(long, env = "DRSN_API_KEY", hide_env_values = true)]
    key: Option<String>,
}

/// State that all clients share.
struct Load {
    client: Client,
    arguments: Arguments,
    files: Vec<(&'static str, Vec<u8>)>,
    /// Requests begun so far.
    begun: AtomicUsize,
    /// Retries.
    again: AtomicUsize,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<()> {
    ensure!(
        arguments.clients > 0 && arguments.requests > 0,
        "clients and requests must be above 0"
    );
    let mut files = Vec::new();
    for path in &arguments.files {
        let bytes =
            std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        files.push((content_type(path), bytes));
    }
    let client = Client::builder().timeout(Duration::from_mins(1)).build()?;
    let clients = arguments.clients;
    let (begun, again) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let load = Arc::new(Load { client, arguments, files, begun, again });
    let started = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..clients {
        tasks.spawn(Arc::clone(&load).client());
    }
    let mut times = Vec::new();
    while let Some(done) = tasks.join_next().await {
        times.extend(done??);
    }
    report(times, started.elapsed(), load.again.load(Ordering::Relaxed));
    Ok(())
}

impl Load {
    /// Sends one request after the other; returns the time of each, retries included.
    async fn client(self: Arc<Self>) -> Result<Vec<Duration>> {
        let mut times = Vec::new();
        loop {
            let number = self.begun.fetch_add(1, Ordering::Relaxed);
            if number >= self.arguments.requests {
                return Ok(times);
            }
            let started = Instant::now();
            self.ask(number).await?;
            times.push(started.elapsed());
        }
    }

    async fn ask(&self, number: usize) -> Result<()> {
        let (content_type, bytes) = &self.files[number % self.files.len()];
        let mut last = anyhow!("nothing was sent");
        for attempt in 0..TRIES {
            if attempt > 0 {
                self.again.fetch_add(1, Ordering::Relaxed);
            }
            let request =
                self.client.post(&self.arguments.url).header("content-type", *content_type);
            let request = match &self.arguments.key {
                Some(key) => request.bearer_auth(key),
                None => request,
            };
            let pause = match request.body(bytes.clone()).send().await {
                Ok(response) if response.status().is_success() => {
                    response.bytes().await?;
                    return Ok(());
                }
                Ok(response) => {
                    let (status, pause) = (response.status(), retry_after(&response));
                    last = anyhow!("{status}: {}", response.text().await?);
                    if !matches!(
                        status,
                        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
                    ) {
                        return Err(last);
                    }
                    pause
                }
                // A request changes nothing, so it may be sent again.
                Err(error) => {
                    last = error.into();
                    Duration::from_secs(1)
                }
            };
            tokio::time::sleep(pause).await;
        }
        bail!("given up after {TRIES} tries: {last:#}")
    }
}

fn retry_after(response: &Response) -> Duration {
    let seconds =
        response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    Duration::from_secs(seconds.unwrap_or(1))
}

/// The media type of a file; for files with a mark of their own the server goes by their first
/// bytes.
fn content_type(path: &std::path::Path) -> &'static str {
    match path.extension().and_then(|ending| ending.to_str()).unwrap_or_default() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "wav" => "audio/wav",
        "csv" => "text/csv",
        "npy" => "application/x-npy",
        "npz" => "application/x-npz",
        "mat" => "application/x-matlab-data",
        "json" => "application/json",
        _ => "application/octet-stream",
    }
}

fn report(mut times: Vec<Duration>, elapsed: Duration, again: usize) {
    times.sort_unstable();
    let at = |share: f64| {
        let place = ((times.len() as f64 * share) as usize).min(times.len().saturating_sub(1));
        times.get(place).copied().unwrap_or_default().as_secs_f64() * 1e3
    };
    println!(
        "{} answers in {:.1} s, {:.0} a second; {again} retries",
        times.len(),
        elapsed.as_secs_f64(),
        times.len() as f64 / elapsed.as_secs_f64()
    );
    println!(
        "ms: median {:.2}, 95 % {:.2}, 99 % {:.2}, slowest {:.2}",
        at(0.5),
        at(0.95),
        at(0.99),
        at(1.0)
    );
}
