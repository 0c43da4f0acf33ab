//! Files as loggers, scopes, spreadsheets and libraries write them, which public bug reports of other
//! projects describe: each gives what its own tools read of it, or says what is doubtful.

use std::{fs, path::PathBuf};

use serde_json::Value;

use crate::{
    harness::{Process, has_runtime},
    skip,
};

/// A file, the options that it needs, and the notices of the answer.
type Reported = (&'static str, &'static [(&'static str, &'static str)], &'static [&'static str]);

/// All of the same fault of a bearing.
const RECORDINGS: [Reported; 20] = [
    ("reference.csv", &[], &["rate_assumed"]),
    ("csv/pandas-default.csv", &[], &["rate_assumed"]),
    ("csv/pandas-resaved.csv", &[], &["rate_assumed"]),
    ("csv/trailing-delimiter.csv", &[], &["rate_assumed"]),
    ("csv/sep-line.csv", &[], &["rate_assumed"]),
    ("csv/cr-only.csv", &[], &["rate_assumed"]),
    ("csv/ctrl-z.csv", &[], &["rate_assumed"]),
    ("csv/unicode-minus.csv", &[], &["rate_assumed"]),
    ("csv/decimal-comma-one-column.csv", &[], &["rate_assumed"]),
    ("csv/units-row-and-blank.csv", &[], &[]),
    ("csv/scope-preamble.csv", &[], &["lines_skipped"]),
    ("csv/text-column-beside.csv", &[("channel", "accel")], &["columns_skipped", "rate_assumed"]),
    ("csv/numbered-channels.csv", &[("channel", "1")], &[]),
    ("csv/2003.10.22.12.06.24", &[("channel", "0")], &["rate_assumed"]),
    ("wav/declared-16-bytes-more.wav", &[], &["truncated"]),
    ("wav/odd-byte.wav", &[], &["truncated"]),
    ("npy/column.npy", &[], &["rate_assumed"]),
    ("mat/struct.mat", &[("variable", "bearing.gs"), ("rate_variable", "sr")], &[]),
    ("mat/struct.mat", &[("variable", "gs")], &["rate_assumed"]),
    ("mat/v4.mat", &[], &["rate_assumed", "other_source"]),
];

fn folder() -> Option<PathBuf> {
    let data = std::env::var_os("DRSN_TEST_DATA").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
        PathBuf::from,
    );
    let folder = data.join("reported");
    if folder.is_dir() {
        return Some(folder);
    }
    skip::skip("there are no reported files: the folder reported of DRSN_TEST_DATA is missing");
    None
}

/// Sends a file of the folder as a form does.
async fn send(server: &Process, model: &str, file: &str, options: &[(&str, &str)]) -> (u16, Value) {
    let bytes = fs::read(folder().unwrap().join(file)).unwrap();
    let name = file.rsplit('/').next().unwrap_or(file);
    let part = |name: &str| format!("--x\r\ncontent-disposition: form-data; name=\"{name}\"");
    let mut body = format!("{}; filename=\"{name}\"\r\n\r\n", part("file")).into_bytes();
    body.extend(bytes);
    for (option, value) in options {
        body.extend(format!("\r\n{}\r\n\r\n{value}", part(option)).into_bytes());
    }
    body.extend(b"\r\n--x--\r\n");
    let request = reqwest::Client::new().post(server.url(&format!("/models/{model}/classify")));
    let request = request.header("content-type", "multipart/form-data; boundary=x").body(body);
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap())
}

fn codes(prediction: &Value) -> Vec<&str> {
    let notices = prediction["notices"].as_array();
    notices.into_iter().flatten().filter_map(|notice| notice["code"].as_str()).collect()
}

fn start() -> Process {
    let models = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("models");
    Process::start(&models, &["--linger-ms", "0"])
}

#[tokio::test]
async fn every_reported_recording_gives_its_right_value() {
    if !has_runtime() || folder().is_none() {
        return;
    }
    let server = start();
    for (file, options, notices) in RECORDINGS {
        let (status, answer) = send(&server, "bearing", file, options).await;
        assert_eq!(status, 200, "{file}: {answer}");
        let prediction = &answer["predictions"][0];
        assert_eq!(prediction["label"], "inner race 0.007 in", "{file}: {answer}");
        assert!(prediction["probability"].as_f64().unwrap() > 0.99, "{file}: {answer}");
        assert_eq!(codes(prediction), notices, "{file}: {prediction}");
        assert_eq!(prediction["input"]["sample_rate_hz"], 48_000.0, "{file}: {prediction}");
        assert!(prediction["input"]["channels"].as_array().is_some_and(|c| c.len() == 1), "{file}");
    }
}

/// Regression: a table at 12 kHz by its own times was classified as if it had been sampled at 48 kHz.
#[tokio::test]
async fn a_recording_whose_times_tell_another_rate_is_refused_or_resampled() {
    if !has_runtime() || folder().is_none() {
        return;
    }
    let server = start();
    let file = "csv/time-column-1.csv";
    let (status, answer) = send(&server, "bearing", file, &[]).await;
    let detail = answer["detail"].as_str().unwrap();
    assert!(
        status == 400 && detail.contains("12000 Hz") && detail.contains("resample"),
        "{detail}"
    );
    let (status, answer) = send(&server, "bearing", file, &[("resample", "true")]).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["predictions"][0]["input"]["sample_rate_hz"], 12_000.0, "{answer}");
}

#[tokio::test]
async fn a_refusal_names_the_columns_that_carry_signal() {
    if !has_runtime() || folder().is_none() {
        return;
    }
    let server = start();
    let (status, answer) = send(&server, "bearing", "csv/numbered-channels.csv", &[]).await;
    let detail = answer["detail"].as_str().unwrap();
    assert!(status == 400 && detail.contains("3 channels (1, 2, 3)"), "{detail}");
    assert!(detail.ends_with("channel=1"), "{detail}");
}

#[tokio::test]
async fn every_reported_picture_gives_its_right_value() {
    if !has_runtime() || folder().is_none() {
        return;
    }
    let server = start();
    for file in ["image/bmp-unused-alpha.bmp", "image/no-end-marker-trailer.jpg"] {
        let (status, answer) = send(&server, "mnist", file, &[]).await;
        assert_eq!(status, 200, "{file}: {answer}");
        assert_eq!(answer["predictions"][0]["label"], "7", "{file}: {answer}");
    }
}
