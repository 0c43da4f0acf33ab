//! How `drsn-serve classify` ends, and what it needs: exit codes, memory, a server, a signal.

use std::{
    fs,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::{command, labelled, run, table, text, write};
use crate::{
    harness::{self, Server, has_runtime},
    recordings::{noise, wav},
    reload::damage,
    tiny,
};

#[test]
fn the_exit_code_is_2_if_the_arguments_do_not_fit_and_1_if_the_model_does_not_work() {
    if !has_runtime() {
        return;
    }
    let models =
        harness::repository(&[("tiny", tiny::signal_input(1)), ("images", tiny::image_input())]);
    let path = |name: &str| models.path().join(name).to_str().unwrap().to_owned();
    let (model, images) = (path("tiny"), path("images"));
    let empty = tempfile::tempdir().unwrap();
    let empty = empty.path().to_str().unwrap();
    let repository = models.path().to_str().unwrap();
    for (arguments, code, sentence) in [
        (&["--model", &model[..]][..], 2, "required arguments"),
        (&["a.wav"], 2, "--model <BUNDLE>"),
        (&["a.wav", "--model", &model, "--overlap", "2"], 2, "overlap must be a number from 0"),
        (&["a.png", "--model", &images, "--overlap", "0.5"], 2, "overlap applies to signals"),
        (&["a.wav", "--model", "/nowhere"], 2, "cannot read the folder of the model, /nowhere"),
        (&["a.wav", "--model", repository], 2, "is a folder of models; name one of them"),
        (&["a.wav", "--model", &model, "--output", "/nowhere/x"], 2, "cannot write /nowhere/x"),
        (&[empty, "--model", &model], 2, "there are no recordings in the folders"),
        (&["a.wav", "--server", "localhost:8080"], 1, "expected a URL like"),
        (&["a.wav", "--server", "http://localhost", "--ca-cert", "a.pem"], 1, "https"),
        (&["a.wav", "--model", &model, "--ca-cert", "a.pem"], 2, "--server <URL>"),
        (&["a.wav", "--server", "http://127.0.0.1:1"], 1, "does not answer"),
    ] {
        let output = run(arguments);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {error}");
        assert!(error.contains(sentence), "{arguments:?}: {error}");
        assert_eq!(text(&output.stdout), "", "{arguments:?}");
    }
    damage(&models.path().join("tiny/1"));
    let output = run(&["a.wav", "--model", &model]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("model.onnx is damaged"), "{}", text(&output.stderr));
}

#[test]
fn files_that_do_not_fit_into_memory_together_are_classified_one_after_the_other() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let model = models.path().join("tiny");
    let data = tempfile::tempdir().unwrap();
    // The timelines need much more memory than the samples.
    for number in 0..6 {
        write(data.path(), &format!("{number}.wav"), wav(8000, &[noise(8 * 16_000)]));
    }
    let output = run(&[
        data.path().to_str().unwrap(),
        "--model",
        model.to_str().unwrap(),
        "--max-inflight-bytes",
        "20000000",
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout).matches("  16000  ").count(), 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_server_gives_the_same_rows() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let keys = write(models.path(), "keys.txt", "secret\n");
    let server = Server::start(models.path(), &["--api-keys", keys.to_str().unwrap()]).await;
    let (url, model) = (server.url("/"), models.path().join("tiny"));
    let data = labelled();
    write(data.path(), "minus/short.csv", "1\n2\n");
    let answers = |who: [&str; 2], format: &str| {
        command(&who)
            .args(["--format", format, "--overlap", "0.5", "."])
            .env("DRSN_API_KEY", "secret")
            .current_dir(data.path())
            .output()
            .unwrap()
    };
    for format in ["table", "csv", "jsonl"] {
        let here = answers(["--model", model.to_str().unwrap()], format);
        let there = answers(["--server", &url], format);
        assert_eq!(there.status.code(), Some(1), "{}", text(&there.stderr));
        assert_eq!(text(&there.stdout), text(&here.stdout));
        assert_eq!(text(&there.stderr), text(&here.stderr));
    }
    let output = run(&[".", "--server", &url]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("an API key is required"), "{}", text(&output.stderr));
    server.stop().await;
}

#[test]
fn an_interrupted_command_ends_soon_and_leaves_no_half_of_its_output() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let model = models.path().join("tiny");
    let data = tempfile::tempdir().unwrap();
    write(data.path(), "a.csv", table(1.0));
    // Nobody ever writes into it.
    assert!(Command::new("mkfifo").arg(data.path().join("pipe")).status().unwrap().success());
    let child = command(&["--model", model.to_str().unwrap(), "a.csv", "pipe"])
        .args(["--output", "answers"])
        .current_dir(data.path())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    let is_writing = || fs::read_dir(data.path()).unwrap().count() == 3;
    while !is_writing() && begun.elapsed() < Duration::from_secs(30) {
        thread::sleep(Duration::from_millis(10));
    }
    thread::sleep(Duration::from_millis(500));
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("interrupted"));
    assert_eq!(fs::read_dir(data.path()).unwrap().count(), 2);
}
