//! Storage that hangs, and models that would end or stop the server that loads them.

use std::{
    collections::BTreeSet,
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    process::ExitStatus,
    time::{Duration, Instant},
};

use drsn_bundle::onnx::GraphBuilder;
use serde_json::Value;

use crate::{
    harness::{self, Process, Server, eventually, has_runtime, write_tiny},
    hung_mount::HungMount,
    skip, tiny,
};

const POLL: [&str; 6] =
    ["--model-control", "poll", "--poll-seconds", "1", "--load-timeout-ms", "2000"];

/// A folder in which nothing answers, or a skip.
fn hung(folder: &Path) -> Option<HungMount> {
    let mount = HungMount::new(folder);
    if let Err(error) = &mount {
        skip::skip(&format!("this machine cannot mount a file system that hangs: {error}"));
    }
    mount.ok()
}

/// Waits for the process to end, no longer than this.
async fn end_within(process: &mut Process, limit: Duration) -> Option<ExitStatus> {
    let started = Instant::now();
    while started.elapsed() < limit {
        if let Some(status) = process.child.try_wait().unwrap() {
            return Some(status);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    None
}

async fn models(server: &Process) -> Value {
    harness::json(reqwest::get(server.url("/models")).await.unwrap()).await
}

/// The reason that the list of models has for a version; empty if it has none.
async fn reason(server: &Process, version: &str) -> String {
    let list = models(server).await;
    let entry = list["models"].as_array().unwrap().iter().find(|m| m["version"] == version);
    entry.and_then(|entry| entry["reason"].as_str()).unwrap_or_default().to_owned()
}

async fn answers(server: &Process) -> Value {
    let body = vec![0_u8; 32];
    let request = reqwest::Client::new()
        .post(server.url("/classify"))
        .header("content-type", "application/octet-stream")
        .body(body);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    harness::json(response).await
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_revoked_and_sigterm_ends_the_server_while_the_folder_of_models_hangs() {
    if !has_runtime() {
        return;
    }
    let folder = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let files = tempfile::tempdir().unwrap();
    let keys = files.path().join("keys");
    fs::write(&keys, "alpha\nbeta\n").unwrap();
    let version = folder.path().join("tiny/2");
    fs::create_dir(&version).unwrap();
    let flags = ["--api-keys", keys.to_str().unwrap(), "--load-timeout-ms", "60000"];
    let mut server = Process::start(folder.path(), &[&POLL[..4], &flags].concat());
    let status = async |key: &str| {
        let request = reqwest::Client::new().get(server.url("/models")).header("x-api-key", key);
        request.send().await.unwrap().status().as_u16()
    };
    let Some(_hung) = hung(&version) else { return };
    // The next scan hangs.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    fs::write(&keys, "beta\n").unwrap();
    let revoked = Instant::now();
    server.signal("-HUP");
    server.wait_for("reloaded the API keys");
    assert!(revoked.elapsed() < Duration::from_secs(2), "{:?}", revoked.elapsed());
    assert_eq!((status("alpha").await, status("beta").await), (401, 200));
    server.signal("-TERM");
    let ended = end_within(&mut server, Duration::from_secs(5)).await;
    assert_eq!(ended.and_then(|status| status.code()), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hung_folder_is_given_up_and_what_is_served_stays_until_it_answers_again() {
    if !has_runtime() {
        return;
    }
    let folder = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let version = folder.path().join("tiny/2");
    fs::create_dir(&version).unwrap();
    let server = Process::start(folder.path(), &POLL);
    let Some(mount) = hung(&version) else { return };
    // Several scans, of which only the first leaves a thread behind.
    let log = server.lines_for(Duration::from_secs(6));
    let said = log.iter().filter_map(|line| line["message"].as_str()).collect::<Vec<_>>();
    assert!(said.iter().any(|m| m.contains("took longer than 2 s")), "{said:?}");
    assert!(said.iter().any(|m| m.contains("an earlier attempt to read")), "{said:?}");
    let threads = fs::read_dir(format!("/proc/{}/task", server.child.id())).unwrap();
    let readers = threads.filter(|thread| {
        let name = thread.as_ref().unwrap().path().join("comm");
        fs::read_to_string(name).is_ok_and(|name| name.trim() == "reader")
    });
    assert_eq!(readers.count(), 1);
    assert_eq!(answers(&server).await["model"]["version"], "1");
    drop(mount);
    fs::remove_dir(&version).unwrap();
    write_tiny(folder.path(), "tiny", "2", tiny::signal_input(1));
    assert_eq!(server.wait_for("model is ready")["version"], "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_ends_a_server_whose_models_or_keys_hang_at_the_start() {
    if !has_runtime() {
        return;
    }
    let folder = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let version = folder.path().join("tiny/1");
    let Some(_hung) = hung(&version) else { return };
    let mut server = Process::listening(folder.path(), &["--linger-ms", "0"]);
    tokio::time::sleep(Duration::from_millis(500)).await;
    server.signal("-TERM");
    let ended = end_within(&mut server, Duration::from_secs(5)).await;
    assert_eq!(ended.and_then(|status| status.code()), Some(0));

    let keys = version.join("keys");
    let flags = ["--api-keys", keys.to_str().unwrap()];
    let mut child = harness::command(folder.path(), &flags).spawn().unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").arg(&pid).status().unwrap().success());
    let started = Instant::now();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(started.elapsed() < Duration::from_secs(5));
    let flags = ["--api-keys", keys.to_str().unwrap(), "--load-timeout-ms", "300"];
    let output = harness::command(folder.path(), &flags).output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && log.contains("took longer than 0.3 s"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_on_a_mount_that_hung_at_sighup_come_into_force_when_it_answers_again() {
    if !has_runtime() {
        return;
    }
    let folder = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let files = tempfile::tempdir().unwrap();
    let keys = files.path().join("keys");
    fs::write(&keys, "alpha\n").unwrap();
    let flags = ["--load-timeout-ms", "500", "--api-keys", keys.to_str().unwrap()];
    let server = Process::start(folder.path(), &flags);
    let Some(mount) = hung(files.path()) else { return };
    server.signal("-HUP");
    let log = server.lines_for(Duration::from_millis(1500));
    let told = log.iter().filter(|line| line["level"] == "ERROR").collect::<Vec<_>>();
    assert_eq!(told.len(), 1, "{log:?}");
    assert!(told[0]["message"].as_str().unwrap().contains("cannot reload the API keys"));
    drop(mount);
    fs::write(&keys, "beta\n").unwrap();
    // Without a second signal.
    server.wait_for("reloaded the API keys");
}

/// The bundle of a tiny model whose features pass through `rest`, with their values unchanged as
/// far as the golden outputs tell.
fn write_with(folder: &Path, version: &str, rest: impl FnOnce(&mut GraphBuilder, &str) -> String) {
    let manifest = tiny::manifest("tiny", version, tiny::signal_input(1));
    let model = tiny::model_with(&manifest, rest);
    let golden = tiny::golden(&manifest);
    drsn_bundle::write(folder, manifest, &model, &golden, false).unwrap();
}

/// Repeats each of an input's 16 features so that one input takes about `bytes`.
fn widened(graph: &mut GraphBuilder, shrunk: &str, bytes: u64) -> String {
    graph.integers("last", &[3]);
    graph.integers("wide", &[1, 1, 1, (bytes / 64).cast_signed()]);
    graph.node("Unsqueeze", &[shrunk, "last"], "one", &[]);
    graph.node("Expand", &["one", "wide"], "many", &[])
}

fn free_memory() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() << 10
}

/// Version 2 takes `bytes` for an input.
fn write_huge(folder: &Path, bytes: u64) {
    write_with(folder, "2", |graph, shrunk| {
        let many = widened(graph, shrunk, bytes);
        let axis = drsn_bundle::onnx::Attribute::Ints(vec![3]);
        let keep = drsn_bundle::onnx::Attribute::Int(0);
        graph.node("ReduceMax", &[&many], "widest", &[("axes", axis), ("keepdims", keep)])
    });
}

/// Version 2 takes minutes for an input, and little memory.
fn write_endless(folder: &Path) {
    write_with(folder, "2", |graph, shrunk| {
        let mut many = widened(graph, shrunk, 64 << 20);
        for step in 0..1000 {
            many = graph.node("Sin", &[&many], &format!("sin{step}"), &[]);
        }
        let axis = drsn_bundle::onnx::Attribute::Ints(vec![3]);
        let keep = drsn_bundle::onnx::Attribute::Int(0);
        graph.node("ReduceMax", &[&many], "widest", &[("axes", axis), ("keepdims", keep)])
    });
}

#[test]
fn a_trial_ends_well_or_not_by_the_memory_that_it_may_take() {
    if !has_runtime() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    write_huge(folder.path(), 100 << 20);
    let library = drsn_bundle::runtime::Runtime::start(None).unwrap().library().to_owned();
    for (mebibytes, expected) in [(64_u64, "Refused"), (1024, "Good")] {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_drsn-serve"))
            .args(["try-bundle", "--model", "tiny/2", "--largest-batch", "1", "--seconds", "60"])
            .args(["--memory-bytes", &(mebibytes << 20).to_string(), "--onnxruntime"])
            .args([&library, &folder.path().join("tiny/2")])
            .env("MIMALLOC_ARENA_EAGER_COMMIT", "0")
            .output()
            .unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(report.get(expected).is_some(), "{mebibytes} MiB: {report}");
        let reason = report["Refused"]["reason"].as_str().unwrap_or("more than 64 MiB of memory");
        assert!(reason.contains("more than 64 MiB of memory"), "{reason}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_cannot_be_started_or_crashes_refuses_the_version_and_says_so() {
    if !has_runtime() {
        return;
    }
    for (program, expected) in
        [("/nowhere/drsn-serve", "cannot be tried in a process"), ("/bin/false", "exit status: 1")]
    {
        let folder = harness::repository(&[("tiny", tiny::signal_input(1))]);
        let server = Server::start_with(folder.path(), &POLL[..4], |config| {
            config.models.model_control = drsn_serve::config::ModelControl::Explicit;
            config.models.trial_program = Some(program.into());
        })
        .await;
        let load = server.post("/v2/repository/models/tiny/load", "application/json", "{}").await;
        let answer = harness::json(load).await;
        assert!(answer["error"].to_string().contains(expected), "{answer}");
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_takes_all_memory_is_refused_and_the_old_one_serves() {
    if !has_runtime() {
        return;
    }
    let folder = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let server = Process::start(folder.path(), &[&POLL[..4], &["--workers", "4"]].concat());
    // A fourth of the free memory for each of four workers.
    write_huge(folder.path(), free_memory() / 4);
    eventually("the reason is shown", async || {
        let reason = reason(&server, "2").await;
        reason.contains("MiB of memory for one worker")
    })
    .await;
    assert_eq!(answers(&server).await["model"]["version"], "1");
    // Another start has nothing else to serve than the lower version.
    let again = Process::start(folder.path(), &[&POLL[..4], &["--workers", "4"]].concat());
    assert_eq!(answers(&again).await["model"]["version"], "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_runs_without_end_is_refused_and_the_old_one_serves() {
    if !has_runtime() {
        return;
    }
    let folder = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let mut server = Process::start(folder.path(), &POLL);
    write_endless(folder.path());
    let children = || children(server.child.id());
    eventually("it is tried", async || !children().is_empty()).await;
    // The process that tries it has none of the server's sockets.
    let tried = PathBuf::from(format!("/proc/{}/fd", children().first().unwrap()));
    let files = fs::read_dir(tried).unwrap().flatten();
    let sockets = files.filter_map(|file| fs::read_link(file.path()).ok());
    let sockets = sockets.filter(|to| to.to_string_lossy().starts_with("socket:"));
    assert_eq!(sockets.count(), 0);
    assert_eq!(answers(&server).await["model"]["version"], "1");
    eventually("the reason is shown", async || {
        reason(&server, "2").await.contains("took longer than 2 s (--load-timeout-ms)")
    })
    .await;
    // It is not tried again at each scan, and the process is gone.
    for _ in 0..20 {
        assert_eq!(children().len(), 0);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(answers(&server).await["model"]["version"], "1");
    // An operator can ask for another trial, which does not delay the end.
    server.signal("-HUP");
    eventually("it is tried again", async || !children().is_empty()).await;
    server.signal("-TERM");
    let ended = end_within(&mut server, Duration::from_secs(5)).await;
    assert_eq!(ended.and_then(|status| status.code()), Some(0));
}

/// The children of a process, also those that ended and were not waited for.
fn children(process: u32) -> BTreeSet<u32> {
    let mut found = BTreeSet::new();
    for thread in fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten() {
        let mut text = String::new();
        let file = fs::File::open(thread.path().join("children"));
        if file.is_ok_and(|mut file| file.read_to_string(&mut text).is_ok()) {
            found.extend(text.split_whitespace().filter_map(|id| id.parse::<u32>().ok()));
        }
    }
    found
}
