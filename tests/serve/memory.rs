//! Memory of a server process that classifies a recording of ten minutes.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use hyper::body::{Body, Bytes, Frame};
use serde_json::Value;

use crate::{
    harness::{Process, has_runtime},
    recordings::wav_header,
};

const RATE: u32 = 48_000;
/// 14,062 windows of 2,048 samples, and the last, aligned to the end.
const SAMPLES: u32 = 600 * RATE;
/// Growth that the process is allowed, in megabytes; the answer is about seven of them.
const MOST_GROWTH_MB: u64 = 64;

/// A 16-bit WAV file that is generated while it is sent.
struct Generated {
    header: Option<Vec<u8>>,
    sample: u32,
    state: u32,
}

impl Generated {
    fn new(rate: u32) -> Self {
        Self { header: Some(wav_header(rate, 1, 1, 16, 2 * SAMPLES)), sample: 0, state: 1 }
    }
}

impl Body for Generated {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Some(header) = self.header.take() {
            return std::task::Poll::Ready(Some(Ok(Frame::data(header.into()))));
        }
        let count = (SAMPLES - self.sample).min(16_384);
        self.sample += count;
        let mut next = || {
            self.state = self.state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((self.state >> 16) as i16 / 8).to_le_bytes()
        };
        let block: Vec<u8> = (0..count).flat_map(|_| next()).collect();
        std::task::Poll::Ready((count > 0).then(|| Ok(Frame::data(block.into()))))
    }
}

/// Memory of a process, in megabytes.
pub(crate) fn resident(pid: u32, field: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() / 1024
}

/// Streams the recording and returns the answer and the duration in seconds.
async fn send(process: &Process, query: &str, rate: u32) -> (Value, f64) {
    let url = format!("http://{}/models/bearing/classify?{query}", process.address);
    let request = reqwest::Client::new().post(url).header("content-type", "audio/wav");
    let started = Instant::now();
    let response = request.body(reqwest::Body::wrap(Generated::new(rate))).send().await.unwrap();
    let status = response.status();
    let answer: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
    assert_eq!(status, 200, "{answer}");
    (answer, started.elapsed().as_secs_f64())
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_minutes_of_a_wav_file_are_classified_without_being_in_memory() {
    if !has_runtime() {
        return;
    }
    let models = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("models");
    let flags = ["--request-timeout-ms", "300000", "--default-model", "bearing"];
    let process = Process::start(&models, &flags);
    let pid = process.child.id();
    // Allocated once, like the buffers of batches.
    let url = format!("http://{}/models/bearing/classify", process.address);
    let some: Vec<u8> = (0..2048 * 64).flat_map(|n: u32| ((n % 97) as f32).to_le_bytes()).collect();
    let request =
        reqwest::Client::new().post(url).header("content-type", "application/octet-stream");
    assert_eq!(request.body(some).send().await.unwrap().status(), 200);
    for (query, rate, windows) in
        [("top_k=1", RATE, 14_063), ("resample=true&top_k=1", 51_200, 13_184)]
    {
        let before = resident(pid, "VmRSS:");
        let (answer, seconds) = send(&process, query, rate).await;
        let found = answer["predictions"][0]["windows"].as_array().unwrap();
        assert_eq!(found.len(), windows);
        let grown = resident(pid, "VmHWM:").saturating_sub(before);
        eprintln!("{windows} windows in {seconds:.1} s, {grown} MB more than {before} MB");
        assert!(grown < MOST_GROWTH_MB, "{grown} MB more than {before} MB");
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_recording_does_not_hold_up_other_requests() {
    if !has_runtime() {
        return;
    }
    let models = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("models");
    let flags = ["--request-timeout-ms", "300000", "--default-model", "bearing", "--workers", "1"];
    let process = Process::start(&models, &flags);
    let small = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let client = reqwest::Client::new();
        let body: Vec<u8> = (0..2048).flat_map(|n: u32| ((n % 97) as f32).to_le_bytes()).collect();
        let mut longest = Duration::ZERO;
        for _ in 0..20 {
            let url = format!("http://{}/models/bearing/classify", process.address);
            let request = client.post(url).header("content-type", "application/octet-stream");
            let started = Instant::now();
            assert_eq!(request.body(body.clone()).send().await.unwrap().status(), 200);
            longest = longest.max(started.elapsed());
        }
        longest
    };
    let ((_, seconds), longest) = tokio::join!(send(&process, "top_k=1", RATE), small);
    eprintln!("{longest:?} at most beside a recording that took {seconds:.1} s");
    // If it had to wait for all windows, this would be most of their time.
    assert!(longest.as_secs_f64() < 0.2 * seconds.max(5.0), "{longest:?} of {seconds:.1} s");
}
