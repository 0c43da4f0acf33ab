//! Classification, as a client's first requests.

use std::{env, f64::consts::TAU, fs, path::PathBuf};

use serde_json::Value;
use tonic::transport::Channel;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::{command::root, engine::say, project::Project};

pub(crate) const DIGIT: &str = "tests/data/seven.png";

pub(crate) fn digit() -> Vec<u8> {
    fs::read(root().join(DIGIT)).unwrap()
}

/// Classifies the digit through a published port; the model is the default one.
pub(crate) async fn classify_digit(project: &Project<'_>, port: &str) -> Result<(), String> {
    let answer = project.classify(port, "/classify?top_k=1", "image/png", digit()).await?;
    let right = answer["model"]["name"] == "mnist" && answer["predictions"][0]["label"] == "7";
    if right { Ok(()) } else { Err(answer.to_string()) }
}

/// Step of the test: both kinds of input over HTTP, and health over gRPC.
pub(crate) async fn a_digit_and_a_recording_are_classified(project: &Project<'_>) {
    classify_digit(project, "DRSN_PORT").await.unwrap();
    let (content_type, query, body, label) = recording();
    let path = format!("/models/bearing/classify?{query}");
    let answer = project.classify("DRSN_PORT", &path, content_type, body).await.unwrap();
    let prediction = &answer["predictions"][0];
    match label {
        Some(label) => assert_eq!(prediction["label"], label),
        None => assert!(prediction["label"].is_string(), "{answer}"),
    }
    assert!(prediction["windows"].as_array().is_some_and(|windows| windows.len() > 1), "{answer}");
    assert!(prediction["diagnostics"]["input_level"]["rms"].is_f64(), "{answer}");

    let grpc = format!("http://{}", project.address("DRSN_GRPC_PORT"));
    let channel = Channel::from_shared(grpc).unwrap().connect().await.unwrap();
    let asked = HealthClient::new(channel).check(HealthCheckRequest::default()).await.unwrap();
    assert_eq!(asked.into_inner().status(), ServingStatus::Serving);
    say("a digit and a bearing recording were classified through the published port; gRPC serves");
}

/// A bearing recording with its type, options and correct label: a real one, or a synthetic one,
/// for which no label is correct.
fn recording() -> (&'static str, &'static str, Vec<u8>, Option<&'static str>) {
    let data =
        env::var_os("DRSN_TEST_DATA").map_or_else(|| root().join("../shared/data"), PathBuf::from);
    let query = "variable=DE_time&sample_rate_hz=48000&top_k=1";
    if let Ok(file) = fs::read(data.join("cwru/normal_0_97.mat")) {
        return ("application/x-matlab-data", query, file, Some("normal"));
    }
    say("no bearing records in DRSN_TEST_DATA: a made signal takes their place");
    ("audio/wav", "top_k=1", wav(&made_signal()), None)
}

/// A turning shaft with the ringing of a fault, at 48 kHz.
fn made_signal() -> Vec<i16> {
    let sample = |n: u32| {
        let t = f64::from(n) / 48_000.0;
        let ringing = (-(t % 0.01) * 800.0).exp() * (TAU * 3000.0 * t).sin();
        ((0.1 * (TAU * 30.0 * t).sin() + 0.4 * ringing) * 32_767.0) as i16
    };
    (0..9600).map(sample).collect()
}

/// A WAV file of one channel, 16 bits, 48 kHz.
fn wav(samples: &[i16]) -> Vec<u8> {
    let bytes = samples.len() as u32 * 2;
    let mut file = Vec::new();
    file.extend(b"RIFF");
    file.extend((36 + bytes).to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend(16_u32.to_le_bytes());
    file.extend([1_u16, 1].into_iter().flat_map(u16::to_le_bytes));
    file.extend([48_000_u32, 96_000].into_iter().flat_map(u32::to_le_bytes));
    file.extend([2_u16, 16].into_iter().flat_map(u16::to_le_bytes));
    file.extend(b"data");
    file.extend(bytes.to_le_bytes());
    file.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    file
}

/// The value at the end of a path of keys, as text.
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
