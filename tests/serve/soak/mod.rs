//! Every kind of request at once, while versions come and go, clients hang up and others send
//! nonsense: each answer is right, none is lost, and memory stays what it is.
//!
//! `cargo xtask soak --minutes 30` runs it for long; 15 seconds otherwise.

mod asks;
mod changes;
mod client;
mod compare;
mod growth;
mod malformed;
mod rude;
mod tally;
mod traffic;

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::task::JoinSet;

use self::{growth::thirds, tally::Tally, traffic::Scene};
use crate::{
    harness::{self, Process, has_runtime, write_tiny},
    tiny,
};

/// From here on a run is long: with more inputs, and with the strict limit on memory.
const LONG: Duration = Duration::from_mins(5);
/// Inputs of each form, in a short and in a long run.
const INPUTS: [usize; 2] = [24, 240];
/// Growth of the server's memory from the middle third to the last, in per cent. A short run is
/// all warm-up: sessions of new versions, buffers and connections are there for the first time.
const MOST_GROWTH: [u64; 2] = [100, 5];
/// Answers of each form, in a short run among other tests and in a long one.
const LEAST_ANSWERS: [u64; 2] = [1, 10];
/// Connections of clients that hung up may still be closing, in a short run.
const MORE_FILES: u64 = 100;

/// 15 s, or what `DRSN_SOAK_SECONDS` says.
fn time() -> Duration {
    let seconds = std::env::var("DRSN_SOAK_SECONDS").ok().and_then(|s| s.parse().ok());
    Duration::from_secs(seconds.unwrap_or(15))
}

async fn prepare(repository: &Path, is_long: bool) -> (Process, Arc<Scene>) {
    let forms = asks::forms(INPUTS[usize::from(is_long)]);
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    let flags = ["--default-model", "bearing", "--max-batch", "1", "--workers", "1"];
    let quiet = Process::start(&models, &flags);
    let references = traffic::references(&quiet, &forms).await;
    drop(quiet);
    for model in ["bearing", "mnist"] {
        changes::copy(repository, model, 1);
    }
    write_tiny(repository, "tiny", "1", tiny::signal_input(1));
    let flags = ["--model-control", "poll", "--poll-seconds", "1", "--default-model", "bearing"];
    // Clients that hung up leave streams behind, which hold their memory and version until then.
    let queue = ["--queue", "32", "--stream-idle-ms", "5000"];
    let server = Process::start(repository, &[&flags[..], &queue].concat());
    let names = forms.iter().map(|form| form.name).chain(["by definition"]);
    let tally = Tally::new(names);
    let (address, grpc, process) = (server.address, server.grpc, server.child.id());
    let stop = AtomicBool::new(false);
    (server, Arc::new(Scene { address, grpc, process, forms, references, tally, stop }))
}

/// Lets everything happen for this long, and returns samples of memory and the last version.
async fn run(scene: &Arc<Scene>, repository: &Path, time: Duration) -> (Vec<growth::Sample>, u32) {
    let mut clients = JoinSet::new();
    traffic::start(scene, &mut clients);
    rude::start(scene, &mut clients);
    malformed::start(scene, &mut clients);
    let end = async {
        let begun = Instant::now();
        while begun.elapsed() < time {
            let rest = time.saturating_sub(begun.elapsed());
            tokio::time::sleep(rest.min(Duration::from_mins(1))).await;
            eprintln!("soak, after {:.0?}:\n{}", begun.elapsed(), scene.tally);
        }
        scene.stop.store(true, Ordering::Relaxed);
    };
    let changes = changes::keep_changing(Arc::clone(scene), repository);
    let ((), samples, last) = tokio::join!(end, growth::watch(scene), changes);
    clients.join_all().await;
    (samples, last)
}

async fn metrics(scene: &Scene) -> String {
    reqwest::get(scene.url("/metrics")).await.unwrap().text().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_is_right_and_none_is_lost_whatever_else_happens() {
    if !has_runtime() || !cfg!(target_os = "linux") {
        return;
    }
    let time = time();
    let is_long = time >= LONG;
    let models = tempfile::tempdir().unwrap();
    let (server, scene) = prepare(models.path(), is_long).await;
    let (samples, last) = run(&scene, models.path(), time).await;

    let memory = thirds(&samples, 0.1, |sample| sample.resident);
    let median = thirds(&samples, 0.5, |sample| sample.resident);
    let files = thirds(&samples, 0.5, |sample| sample.files);
    let allowed = MOST_GROWTH[usize::from(is_long)];
    eprintln!(
        "{}\nby thirds: memory between bursts {memory:?} KiB, median {median:?} KiB, open files {files:?}; {time:?}",
        scene.tally
    );
    assert_eq!(scene.tally.problems(), Vec::<String>::new());
    for counts in &scene.tally.forms {
        let answered = counts.answered.load(Ordering::Relaxed);
        let enough = LEAST_ANSWERS[usize::from(is_long)];
        assert!(answered >= enough, "{}\n{}", counts.name, scene.tally);
    }
    assert!(memory[2] * 100 <= memory[1] * (100 + allowed), "memory grows: {memory:?} KiB");
    assert!(files[2] <= files[1] + MORE_FILES, "open files: {files:?}");
    // Reloads are slow where everything is unoptimised and shares two cores.
    assert!(last > 1, "{last}");
    harness::eventually("nothing is left of the requests", async || {
        metrics(&scene).await.lines().any(|line| line == "drsn_inflight_bytes 0")
    })
    .await;
    let last = last.to_string();
    harness::eventually("only the last versions are left", async || {
        let shown = reqwest::get(scene.url("/models")).await.unwrap().bytes().await.unwrap();
        let shown: Value = serde_json::from_slice(&shown).unwrap();
        let versions = shown["models"].as_array().unwrap();
        versions.iter().all(|model| model["version"].as_str() == Some(&*last))
    })
    .await;
    drop(server);
}
