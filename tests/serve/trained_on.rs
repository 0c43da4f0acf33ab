//! What a bundle remembers of the files it was trained on is the default for requests, and the answer
//! says what was taken.

use std::{fs, path::PathBuf};

use drsn_bundle::{InputSpec, input::SignalSource};
use serde_json::Value;

use crate::{
    harness::{self, Server, has_runtime},
    recordings::{npy, wav},
    tiny,
};

fn remembering(channels: &[&str]) -> tempfile::TempDir {
    trained_on(SignalSource {
        channels: channels.iter().map(|&channel| channel.to_owned()).collect(),
        ..SignalSource::default()
    })
}

fn trained_on(source: SignalSource) -> tempfile::TempDir {
    let InputSpec::Signal(mut signal) = tiny::signal_input(1) else { unreachable!() };
    signal.sample_rate_hz = None;
    signal.source = Some(source);
    harness::repository(&[("tiny", InputSpec::Signal(signal))])
}

/// A file for the tests of the reader of MAT-files.
fn matlab(name: &str) -> Vec<u8> {
    let folder =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("crates/drsn-recording/tests/matlab");
    fs::read(folder.join(name)).unwrap()
}

/// The codes of the notices of a prediction.
fn codes(prediction: &Value) -> Vec<&str> {
    let notices = prediction["notices"].as_array();
    notices.into_iter().flatten().filter_map(|notice| notice["code"].as_str()).collect()
}

/// A trainer that left out lines, or took the rate from a variable, has a server that does the same.
#[tokio::test(flavor = "multi_thread")]
async fn lines_are_left_out_and_the_rate_is_found_as_in_training_and_it_is_told() {
    if !has_runtime() {
        return;
    }
    let models = trained_on(SignalSource {
        rate_variable: Some("sr".to_owned()),
        skip_lines: 2,
        ..SignalSource::default()
    });
    let server = Server::start(models.path(), &[]).await;
    let answer = async |query: &str, media: &str, body: Vec<u8>| {
        let path = format!("/classify?overlap=0{query}");
        server.classify(&path, media, body).await["predictions"][0].clone()
    };
    // 300 Hz would be a row of the table, as far as its reader knows.
    let row = |n: u32| format!("{}.5\n", n * n % 7);
    let rows: String = (0..8).map(row).collect();
    let table = format!("300.5\n7.5\n{rows}").into_bytes();
    let by_training = answer("", "text/csv", table.clone()).await;
    let by_request = answer("&skip_lines=2", "text/csv", table.clone()).await;
    let whole = answer("&skip_lines=0", "text/csv", table).await;
    assert_eq!(by_training["probabilities"], by_request["probabilities"]);
    assert_ne!(by_training["probabilities"], whole["probabilities"]);
    assert_eq!(codes(&by_training), ["lines_skipped"]);
    assert_eq!(codes(&by_request), [""; 0]);

    let mat = "application/x-matlab-data";
    let by_training = answer("", mat, matlab("bearing_plain.mat")).await;
    assert_eq!(by_training["input"]["sample_rate_hz"], 97_656.25, "{by_training}");
    assert_eq!(codes(&by_training), [""; 0]);
    let without = answer("", mat, matlab("v4_f8.mat")).await;
    assert!(without["input"]["sample_rate_hz"].is_null(), "{without}");
    assert_eq!(codes(&without), ["other_source"], "{without}");
    let message = without["notices"][0]["message"].as_str().unwrap();
    assert!(message.contains("in the variable sr, and this file does not"), "{message}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_channels_of_training_are_taken_unless_the_request_or_the_file_says_otherwise() {
    if !has_runtime() {
        return;
    }
    let models = remembering(&["b"]);
    let server = Server::start(models.path(), &[]).await;
    let rows = |row: fn(u32) -> String| (0..8).map(row).collect::<Vec<_>>().join("\n");
    let three = rows(|n| format!("{}.5,{}.25,7.{n}", n * n % 7, n * n % 5));
    let three = format!("a,b,c\n{three}\n");
    let other = format!("x\n{}\n", rows(|n| format!("{}.25", n * n % 5)));
    let answer = async |query: &str, body: &str| {
        let path = format!("/classify{query}");
        let answer = server.classify(&path, "text/csv", body.to_owned()).await;
        answer["predictions"][0].clone()
    };
    let by_training = answer("", &three).await;
    assert_eq!(by_training["input"]["channels"][0], "b");
    let by_request = answer("?channel=a", &three).await;
    assert_eq!(by_request["input"]["channels"][0], "a");
    assert_ne!(by_request["probabilities"], by_training["probabilities"]);
    let by_file = answer("", &other).await;
    assert_eq!(by_file["input"]["channels"][0], "x");
    assert_eq!(by_file["probabilities"], by_training["probabilities"]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_streamed_recording_is_read_as_in_training_too() {
    if !has_runtime() {
        return;
    }
    let models = remembering(&["1"]);
    let server = Server::start(models.path(), &[]).await;
    let (left, right): (Vec<f32>, Vec<f32>) =
        (0..16_u8).map(|n| (f32::from(n % 3) / 4.0, f32::from(n % 5) / 8.0)).unzip();
    let both = server.classify("/classify", "audio/wav", wav(8000, &[left, right.clone()])).await;
    let alone = server.classify("/classify", "audio/wav", wav(8000, &[right])).await;
    assert_eq!(both["predictions"][0]["input"]["channels"][0], "1");
    assert_eq!(alone["predictions"][0]["input"]["channels"][0], "0");
    assert_eq!(both["predictions"][0]["probabilities"], alone["predictions"][0]["probabilities"]);
    server.stop().await;
}

/// Regression: the answer to an array `[N, C, L]` named the channel of training, and the array's own
/// had been taken.
#[tokio::test(flavor = "multi_thread")]
async fn an_array_of_inputs_has_the_channels_of_the_model() {
    if !has_runtime() {
        return;
    }
    let models = remembering(&["1"]);
    let server = Server::start(models.path(), &[]).await;
    let values: Vec<f32> = (0..16_u8).map(|n| f32::from(n % 5) / 8.0).collect();
    let body = npy("(2, 1, 8)", &values);
    let answer = server.classify("/classify", "application/x-npy", body).await;
    for input in 0..2 {
        assert_eq!(answer["predictions"][input]["input"]["channels"][0], "0");
    }
    server.stop().await;
}
