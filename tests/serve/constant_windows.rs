//! Recordings of a sensor that stopped for a while: the windows in which a channel is constant are
//! left out and told, and all others are answered where they are.

use std::process::Command;

use drsn_serve::proto::drsn::{
    ClassifyRequest, Signal, StreamStart, classifier_client::ClassifierClient,
    classify_request::Input,
};
use serde_json::{Value, json};

use crate::{
    forms::{FORM, form},
    grpc::{channel, streams::Stream},
    harness::{self, Server, has_runtime},
    hostile::{FLOATS, JSON, floats, refusal},
    recordings::{WAV, noise, normalised, npy, wav},
};

/// Samples of the model's window.
const WINDOW: usize = 8;
const TOLD: &str = "2 of 6 windows were left out because a channel in them is constant, as that of \
                    a dead sensor is; the first is that of samples 8 to 16, in which channel 0 is \
                    0.5";

/// 43 samples, the sensor standing still from 6 to 26.
fn stopped() -> Vec<f32> {
    let mut signal = noise(43);
    signal[6..26].fill(0.5);
    signal
}

fn table(signal: &[f32]) -> String {
    signal.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Start, end and probability of each window.
fn windows(prediction: &Value) -> Vec<(u64, u64, f64)> {
    let of = |window: &Value| {
        let number = |field| window[field].as_u64().unwrap();
        (number("start"), number("end"), window["probability"].as_f64().unwrap())
    };
    prediction["windows"].as_array().unwrap().iter().map(of).collect()
}

/// The windows at these starts, each classified alone.
async fn alone(server: &Server, signal: &[f32], starts: &[usize]) -> Vec<(u64, u64, f64)> {
    let mut windows = Vec::new();
    for &start in starts {
        let body = json!({"signal": signal[start..start + WINDOW]});
        let answer = server.classify_json("/classify", body).await;
        let probability = answer["predictions"][0]["probability"].as_f64().unwrap();
        windows.push((start as u64, (start + WINDOW) as u64, probability));
    }
    windows
}

/// The message of the only notice.
fn told(prediction: &Value) -> &str {
    let notices = prediction["notices"].as_array().unwrap();
    let constant: Vec<&Value> =
        notices.iter().filter(|notice| notice["code"] == "constant_windows").collect();
    assert_eq!(constant.len(), 1, "{prediction}");
    constant[0]["message"].as_str().unwrap()
}

/// One constant window refused a whole recording, however long.
#[tokio::test(flavor = "multi_thread")]
async fn constant_windows_of_a_recording_are_left_out_and_told_in_every_form() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", normalised(Some(8000.0)))]);
    let server = Server::start(models.path(), &["--max-batch", "1"]).await;
    let signal = stopped();
    let every = alone(&server, &signal, &[0, 24, 32, 35]).await;
    let halves = alone(&server, &signal, &[0, 4, 20, 24, 28, 32, 35]).await;
    let csv = table(&signal).into_bytes();
    let recording = wav(8000, std::slice::from_ref(&signal));
    for (query, content_type, body) in [
        ("", FLOATS, floats(&signal)),
        ("", WAV, recording.clone()),
        ("", "text/csv", csv.clone()),
        ("", "application/x-npy", npy("(43,)", &signal)),
        ("", JSON, json!({"signal": signal}).to_string().into_bytes()),
        ("overlap=0.5", WAV, recording.clone()),
        ("overlap=0.5", "text/csv", csv.clone()),
    ] {
        let answer = server.classify(&format!("/classify?{query}"), content_type, body).await;
        let prediction = &answer["predictions"][0];
        if query.is_empty() {
            assert_eq!((windows(prediction), told(prediction)), (every.clone(), TOLD));
            let mean = every.iter().map(|(.., probability)| probability).sum::<f64>() / 4.0;
            let classes: Vec<&Value> =
                prediction["windows"].as_array().unwrap().iter().map(|w| &w["label"]).collect();
            if classes.windows(2).all(|pair| pair[0] == pair[1]) {
                assert!((prediction["probability"].as_f64().unwrap() - mean).abs() < 1e-6);
            }
        } else {
            assert_eq!(windows(prediction), halves);
            assert!(told(prediction).starts_with("3 of 10 windows"));
        }
    }
    // Each of several inputs by itself: the second one has no constant window.
    let body = form(&[
        ("file", Some("a.csv"), None, &csv),
        ("file", Some("b.csv"), None, table(&noise(43)).as_bytes()),
        ("file", Some("c.wav"), None, &recording),
    ]);
    let answer = server.classify("/classify", FORM, body).await;
    for input in [0, 2] {
        let prediction = &answer["predictions"][input];
        assert_eq!((windows(prediction), told(prediction)), (every.clone(), TOLD));
    }
    assert_eq!(windows(&answer["predictions"][1]).len(), 6);
    let both = npy("(2, 1, 43)", &[noise(43), signal].concat());
    let answer = server.classify("/classify", "application/x-npy", both).await;
    assert_eq!(windows(&answer["predictions"][0]).len(), 6);
    assert_eq!(windows(&answer["predictions"][1]), every);
    assert_eq!(server.idle_bytes().await, 0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_without_any_window_that_varies_is_refused_with_its_first() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", normalised(Some(8000.0)))]);
    let server = Server::start(models.path(), &[]).await;
    let still = vec![0.5; 43];
    for (content_type, body) in [
        (FLOATS, floats(&still)),
        (WAV, wav(8000, std::slice::from_ref(&still))),
        ("text/csv", table(&still).into_bytes()),
        (JSON, json!({"signal": still}).to_string().into_bytes()),
    ] {
        let response = server.post("/classify", content_type, body).await;
        let sentence = refusal(response, 400, "invalid_argument").await;
        let expected = "the window of samples 0 to 8: channel 0 is constant (0.5)";
        assert!(sentence.contains(expected), "{sentence}");
    }
    // One of the length of a window is an input by itself.
    let response = server.post("/classify", FLOATS, floats(&still[..8])).await;
    let sentence = refusal(response, 400, "invalid_argument").await;
    assert!(sentence.starts_with("channel 0 is constant (0.5)"), "{sentence}");
    // One of several recordings is named.
    let both = npy("(2, 1, 43)", &[noise(43), still].concat());
    let response = server.post("/classify", "application/x-npy", both).await;
    let sentence = refusal(response, 400, "invalid_argument").await;
    assert!(sentence.starts_with("input 1: the window of samples 0 to 8"), "{sentence}");
    server.stop().await;
}

/// One window of a recording that is left is told with its place, as that of a recording.
#[tokio::test(flavor = "multi_thread")]
async fn the_only_window_that_varies_is_told_with_its_place() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", normalised(None))]);
    let server = Server::start(models.path(), &["--max-batch", "1"]).await;
    let mut signal = vec![0.5; 40];
    signal[16..24].copy_from_slice(&noise(8));
    let answer = server.classify("/classify", FLOATS, floats(&signal)).await;
    let prediction = &answer["predictions"][0];
    assert_eq!(windows(prediction), alone(&server, &signal, &[16]).await);
    assert!(told(prediction).starts_with("4 of 5 windows"));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_leaves_constant_windows_out_and_tells_it_with_the_next_one_and_at_its_end() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", normalised(None))]);
    let server = Server::start(models.path(), &["--max-batch", "1"]).await;
    let mut client = ClassifierClient::new(channel(server.grpc).await);
    let stream = Stream::open(&mut client, StreamStart::default()).await;
    // Far more constant windows at once than may be in flight.
    let signal = [&stopped()[..40], &vec![0.25; 8 * 1000], &noise(16)].concat();
    let reading = tokio::spawn(async move {
        for piece in signal.chunks(3001) {
            stream.send(piece.to_vec()).await;
        }
        stream.end().await
    });
    let (answers, end) = reading.await.unwrap();
    let gap = "constant_windows";
    let found: Vec<(u64, String)> = answers
        .into_iter()
        .map(|answer| {
            let notices = answer.prediction.unwrap().notices;
            (answer.start, notices.into_iter().map(|notice| notice.code).collect())
        })
        .collect();
    let found: Vec<(u64, &str)> = found.iter().map(|(start, code)| (*start, &code[..])).collect();
    assert_eq!(found, [(0, ""), (24, gap), (32, ""), (8040, gap), (8048, "")]);
    assert_eq!((end.windows, end.left_over), (5, 0));
    let message = &end.notices[0].message;
    assert!(message.starts_with("1002 of 1007 windows"), "{message}");

    let stream = Stream::open(&mut client, StreamStart::default()).await;
    stream.send(vec![0.5; 80]).await;
    let status = stream.refusal_at_end().await;
    let expected = "the window of samples 0 to 8: channel 0 is constant (0.5)";
    assert!(status.message().starts_with(expected), "{status}");

    let signal = Signal { channels: 1, samples: stopped() };
    let request = ClassifyRequest { input: Some(Input::Signal(signal)), ..Default::default() };
    let answer = client.classify(request).await.unwrap().into_inner();
    let prediction = &answer.predictions[0];
    let starts: Vec<u64> = prediction.windows.iter().map(|window| window.start).collect();
    assert_eq!((starts, &*prediction.notices[0].message), (vec![0, 24, 32, 35], TOLD));
    server.stop().await;
}

/// The command's answer is that of a server, with the notice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_leaves_the_same_windows_out() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", normalised(None))]);
    let server = Server::start(models.path(), &["--max-batch", "1"]).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("stopped.csv");
    std::fs::write(&file, table(&stopped())).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_drsn-serve"))
        .args(["classify", "--format", "jsonl", "--model"])
        .args([&models.path().join("tiny"), &file])
        .envs([("DRSN_DEVICE", "cpu"), ("DRSN_MAX_BATCH", "1")])
        .output()
        .unwrap();
    let line: Value = serde_json::from_slice(&output.stdout).unwrap();
    let answer = server.classify("/classify", "text/csv", table(&stopped()).into_bytes()).await;
    assert_eq!(line["predictions"], answer["predictions"]);
    assert_eq!(told(&line["predictions"][0]), TOLD);
    server.stop().await;
}
