//! What a bundle remembers of the files it was trained on is the default for requests, and the answer
//! says what was taken.

use drsn_bundle::{InputSpec, input::SignalSource};

use crate::{
    harness::{self, Server, has_runtime},
    recordings::{npy, wav},
    tiny,
};

fn remembering(channels: &[&str]) -> tempfile::TempDir {
    let InputSpec::Signal(mut signal) = tiny::signal_input(1) else { unreachable!() };
    signal.sample_rate_hz = None;
    signal.source = Some(SignalSource {
        variable: None,
        channels: channels.iter().map(|&channel| channel.to_owned()).collect(),
    });
    harness::repository(&[("tiny", InputSpec::Signal(signal))])
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
