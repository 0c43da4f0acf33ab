//! What a bad disk, a kill or a storm of alarms does: captures are lost, and no answer is.

use std::{
    fs,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::tempdir;

use super::{bytes, far, flags, kept, models, results, segments, written};
use crate::{
    baseline::inputs,
    harness::{self, Process, Server, eventually, has_runtime},
    hung_mount::HungMount,
    skip,
};

#[tokio::test(flavor = "multi_thread")]
async fn of_a_thousand_alarms_at_once_a_minutes_worth_is_kept_and_the_others_are_counted() {
    if !has_runtime() {
        return;
    }
    let (models, folder) = (models(), tempdir().unwrap());
    let server = Server::start(models.path(), &flags(folder.path())).await;
    let all = inputs(2000, 8).concat().iter().map(|x| 100.0 * x).collect::<Vec<f32>>();
    let answer = server.classify("/classify", "application/octet-stream", bytes(&all)).await;
    let windows = answer["predictions"][0]["windows"].as_array().unwrap().len();
    written(&server.url(""), 60).await;
    let results = results(&server.url("")).await;
    assert_eq!(results["written"] + results["limited"], windows as u64, "{results:?}");
    assert!((60..70).contains(&results["written"]), "{results:?}");
    assert_eq!(kept(folder.path()).len() as u64, results["written"]);
    server.stop().await;
}

#[test]
fn a_folder_that_cannot_be_used_is_told_at_the_start() {
    if !has_runtime() {
        return;
    }
    let (models, folder) = (models(), tempdir().unwrap());
    let first = Process::start(models.path(), &flags(folder.path()));
    let missing = folder.path().join("missing");
    for (path, expected) in [
        (folder.path(), "is in use by another server; give each server a folder of its own"),
        (&missing, "it must exist and be writable"),
    ] {
        let output = harness::command(models.path(), &flags(path)).output().unwrap();
        let log = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{log}");
        assert!(log.contains(expected), "{log}");
    }
    drop(first);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_written_before_the_server_ends() {
    if !has_runtime() {
        return;
    }
    let (models, folder) = (models(), tempdir().unwrap());
    let mut server =
        Process::start(models.path(), &[flags(folder.path()), vec!["--linger-ms", "0"]].concat());
    let alarms = inputs(50, 8).concat().iter().map(|x| 100.0 * x).collect::<Vec<f32>>();
    post(&server.url("/classify"), &alarms).await;
    server.signal("-TERM");
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
    assert!(kept(folder.path()).len() > 40);
}

async fn post(url: &str, values: &[f32]) {
    let request = reqwest::Client::new().post(url).body(bytes(values));
    let request = request.header("content-type", "application/octet-stream");
    assert_eq!(request.send().await.unwrap().status(), 200);
}

/// Alarms a moment apart, in the background, until the server is gone.
fn storm(url: String, first: usize) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        let client = reqwest::Client::new();
        for number in first.. {
            let values = [number as f32, -200.0, 300.0, 100.0, -99.0, 0.0, 150.0, 250.0];
            let request = client.post(&url).body(bytes(&values));
            let request = request.header("content-type", "application/octet-stream");
            if request.send().await.is_err() {
                return;
            }
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_while_it_writes_leaves_whole_files_and_lines_after_the_next_start()
{
    if !has_runtime() {
        return;
    }
    let (models, folder) = (models(), tempdir().unwrap());
    let many = [flags(folder.path()), vec!["--capture-per-minute", "1000000"]].concat();
    for round in 0..4 {
        let mut server = Process::start(models.path(), &many);
        let storm = storm(server.url("/classify"), round * 1_000_000);
        written(&server.url(""), 20).await;
        tokio::time::sleep(Duration::from_millis(17 * round as u64)).await;
        server.signal("-KILL");
        server.child.wait().unwrap();
        storm.await.unwrap();
    }
    // The next start mends what the last kill left, when it first writes.
    let server = Process::start(models.path(), &many);
    post(&server.url("/classify"), &far(0)).await;
    written(&server.url(""), 1).await;
    let lines = kept(folder.path());
    assert!(lines.len() > 80, "{}", lines.len());
    assert!(segments(folder.path()).len() >= 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_costs_captures_and_no_answer() {
    if !has_runtime() {
        return;
    }
    let (models, folder) = (models(), tempdir().unwrap());
    let command = harness::command(models.path(), &flags(folder.path()));
    // The system refuses to write more than 2 KiB to a file, without a disk that is full.
    let mut limited = Command::new("sh");
    limited.args(["-c", "trap '' XFSZ; ulimit -f 4; exec \"$0\" \"$@\""]);
    limited.arg(command.get_program()).args(command.get_args()).stderr(Stdio::piped());
    let server = Process::spawn(limited);
    for number in 0..30 {
        post(&server.url("/classify"), &far(number)).await;
    }
    let url = server.url("");
    eventually("failed", || async { results(&url).await["failed"] > 0 }).await;
    let lines = kept(folder.path());
    let results = results(&url).await;
    assert!(!lines.is_empty() && lines.len() as u64 >= results["written"], "{results:?}");
    let told: Vec<Value> = server.lines_for(Duration::from_millis(200));
    let told = told.iter().filter(|line| line["message"].to_string().contains("cannot keep"));
    assert_eq!(told.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_removed_costs_captures_and_no_answer() {
    if !has_runtime() {
        return;
    }
    let (models, parent) = (models(), tempdir().unwrap());
    let folder = parent.path().join("captured");
    fs::create_dir(&folder).unwrap();
    let server = Server::start(models.path(), &flags(&folder)).await;
    server.classify_json("/classify", json!({"signal": far(0)})).await;
    written(&server.url(""), 1).await;
    fs::remove_dir_all(&folder).unwrap();
    server.classify_json("/classify", json!({"signal": far(1)})).await;
    let url = server.url("");
    eventually("failed", || async { results(&url).await["failed"] == 1 }).await;
    assert!(!folder.exists());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_hangs_costs_captures_and_neither_an_answer_nor_the_end() {
    if !has_runtime() {
        return;
    }
    let (models, folder) = (models(), tempdir().unwrap());
    let hanging = [flags(folder.path()), vec!["--linger-ms", "0", "--drain-timeout-ms", "500"]];
    let mut server = Process::start(models.path(), &hanging.concat());
    let mount = match HungMount::new(folder.path()) {
        Ok(mount) => mount,
        Err(error) => {
            return skip::skip(&format!(
                "this machine cannot mount a file system that hangs: {error}"
            ));
        }
    };
    let started = Instant::now();
    for number in 0..50 {
        post(&server.url("/classify"), &far(number)).await;
    }
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert_eq!(results(&server.url("")).await["written"], 0);
    server.signal("-TERM");
    let told = server.wait_for("the server ends before all captures are written");
    assert!(told["inputs"].as_u64().unwrap() > 40, "{told}");
    drop(mount);
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
}
