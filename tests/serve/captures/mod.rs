//! Inputs that are kept: which, and by every way in.

mod faults;
mod training;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use drsn_bundle::InputSpec;
use drsn_recording::{Limits, WavReader};
use drsn_serve::proto::{
    drsn::{ClassifyRequest, Detail, Signal, StreamStart, classify_request::Input},
    inference::{
        InferTensorContents, ModelInferRequest,
        grpc_inference_service_client::GrpcInferenceServiceClient,
        model_infer_request::InferInputTensor,
    },
};
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use crate::{
    baseline::{inputs, with_baseline},
    forms::FORM,
    grpc::{Classifier, channel, streams::Stream},
    harness::{self, Server, eventually, has_runtime},
    recordings::wav,
    tiny,
};

/// A model of windows of 8 samples whose alarms are known: anything far from noise in [-1, 1].
fn models() -> TempDir {
    let InputSpec::Signal(mut signal) = tiny::signal_input(1) else { unreachable!() };
    signal.sample_rate_hz = Some(8000.0);
    let folder = tempdir().unwrap();
    harness::write_manifest(folder.path(), with_baseline("plain", InputSpec::Signal(signal)));
    folder
}

/// A window that alarms, each number another one.
fn far(number: usize) -> Vec<f32> {
    inputs(number + 1, 8)[number].iter().map(|x| 100.0 * x).collect()
}

fn flags(folder: &Path) -> Vec<&str> {
    let folder = folder.to_str().unwrap();
    vec!["--capture", folder, "--capture-share", "0", "--capture-below", "0"]
}

/// The segments' folders.
fn segments(folder: &Path) -> Vec<PathBuf> {
    let list = |path: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(path).into_iter().flatten();
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.is_dir());
        paths.sort();
        paths
    };
    list(folder).iter().flat_map(|model| list(model)).flat_map(|version| list(&version)).collect()
}

/// The lines of all answers; each is whole, has a file of its own and a line in the index.
fn kept(folder: &Path) -> Vec<Value> {
    let mut lines = Vec::new();
    for segment in segments(folder) {
        let text = |name| fs::read_to_string(segment.join(name)).unwrap();
        let index = text("index.csv");
        let of_segment: Vec<Value> =
            text("answers.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(index.ends_with('\n'));
        for row in index.lines().skip(1) {
            let (file, _) = row.split_once(',').unwrap();
            assert!(of_segment.iter().any(|line| line["file"] == file), "{file}");
            samples(&segment.with_file_name(file));
        }
        lines.extend(of_segment);
    }
    lines
}

/// The samples of a file that was kept.
fn samples(path: &Path) -> Vec<f32> {
    let bytes = fs::read(path).unwrap();
    let mut reader = WavReader::new(bytes.as_slice(), &Limits::new(1 << 20, 1 << 20)).unwrap();
    assert_eq!(reader.sample_rate_hz().to_bits(), 8000_f64.to_bits());
    reader.next_block(100).unwrap().unwrap().iter().copied().collect()
}

/// The results of captures, by name.
async fn results(url: &str) -> BTreeMap<String, u64> {
    let text = reqwest::get(format!("{url}/metrics")).await.unwrap().text().await.unwrap();
    let of_line = |line: &str| {
        let (labels, count) = line.strip_prefix("drsn_captures_total{")?.split_once("} ")?;
        let result = labels.split_once("result=\"")?.1.trim_end_matches('"');
        Some((result.to_owned(), count.parse().unwrap()))
    };
    text.lines().filter_map(of_line).collect()
}

async fn written(url: &str, count: u64) {
    eventually("written", || async { results(url).await["written"] >= count }).await;
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_alarms_is_kept_by_whatever_way_it_came_as_it_came() {
    if !has_runtime() {
        return;
    }
    let (models, folder) = (models(), tempdir().unwrap());
    let server = Server::start(models.path(), &flags(folder.path())).await;
    let usual = inputs(1, 8)[0].clone();
    server.classify_json("/classify", json!({"signal": usual})).await;
    server.classify_json("/classify?diagnostics=none", json!({"signal": far(0)})).await;
    server.classify("/classify", "application/octet-stream", bytes(&far(1))).await;
    let tensor = json!({"inputs": [{"name": "input", "datatype": "FP32", "shape": [1, 1, 8], "data": far(2)}]});
    server.classify_json("/v2/models/plain/infer", tensor).await;
    // Only the second window of the recording alarms.
    let recording = [usual.clone(), far(3)].concat();
    server.classify("/classify", "application/octet-stream", bytes(&recording)).await;

    let mut classifier = Classifier::new(channel(server.grpc).await);
    let signal = Input::Signal(Signal { samples: far(4), channels: 1 });
    let request = ClassifyRequest {
        input: Some(signal),
        diagnostics: Detail::None as i32,
        ..ClassifyRequest::default()
    };
    classifier.classify(request).await.unwrap();
    let stream = Stream::open(&mut classifier, StreamStart::default()).await;
    stream.send([usual, far(5)].concat()).await;
    stream.end().await;
    let mut inference = GrpcInferenceServiceClient::new(channel(server.grpc).await);
    let input = InferInputTensor {
        name: "input".to_owned(),
        datatype: "FP32".to_owned(),
        shape: vec![1, 1, 8],
        contents: Some(InferTensorContents {
            fp32_contents: far(6),
            ..InferTensorContents::default()
        }),
        ..InferInputTensor::default()
    };
    let request = ModelInferRequest {
        model_name: "plain".to_owned(),
        inputs: vec![input],
        ..ModelInferRequest::default()
    };
    inference.model_infer(request).await.unwrap();

    written(&server.url(""), 7).await;
    let lines = kept(folder.path());
    assert_eq!(lines.len(), 7, "{lines:?}");
    for (number, line) in lines.iter().enumerate() {
        let file = folder.path().join("plain/1").join(line["file"].as_str().unwrap());
        assert_eq!(samples(&file), far(number), "{line}");
        assert!(line["reasons"].as_array().unwrap().contains(&json!("level")), "{line}");
        assert_eq!((&line["model"], &line["version"]), (&json!("plain"), &json!("1")));
        assert!(line["request_id"].is_string(), "{line}");
        let diagnostics = &line["prediction"]["diagnostics"];
        assert_eq!(diagnostics["input_level"]["alarm"], true, "{line}");
        assert!(diagnostics["input_level"]["causes"][0]["what"].is_string(), "{line}");
    }
    assert_eq!((&lines[3]["start"], &lines[3]["end"]), (&json!(8), &json!(16)));
    assert_eq!((&lines[5]["start"], &lines[5]["end"]), (&json!(8), &json!(16)));
    assert_eq!(lines[0]["prediction"]["probabilities"].as_array().unwrap().len(), 2);
    assert_eq!(server.idle_bytes().await, 0);
    server.stop().await;
}

/// What a client calls its file can be a path, or the name of a patient.
#[tokio::test(flavor = "multi_thread")]
async fn no_word_of_a_client_comes_into_the_folder() {
    if !has_runtime() {
        return;
    }
    let (models, folder) = (models(), tempdir().unwrap());
    let server = Server::start(models.path(), &flags(folder.path())).await;
    let head = "--xyz\r\ncontent-disposition: form-data; name=\"file\"; \
                filename=\"../../secret.wav\"\r\n\r\n";
    let body = [head.as_bytes(), &wav(8000, &[far(0)]), b"\r\n--xyz--\r\n"].concat();
    let request = server.client.post(server.url("/classify")).body(body);
    let request = request.header("content-type", FORM).header("x-request-id", "secret");
    assert_eq!(request.send().await.unwrap().status(), 200);
    written(&server.url(""), 1).await;
    let segment = segments(folder.path()).remove(0);
    for entry in fs::read_dir(segment).unwrap() {
        let path = entry.unwrap().path();
        assert!(!path.to_string_lossy().contains("secret"));
        assert!(!String::from_utf8_lossy(&fs::read(&path).unwrap()).contains("secret"), "{path:?}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn uncertain_inputs_and_a_share_of_all_are_kept_if_wanted() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::image_input())]);
    let folder = tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let flags = ["--capture", path, "--capture-share", "1", "--capture-below", "0.6"];
    let server = Server::start(models.path(), &flags).await;
    // The classes are equally probable for a dark picture, and are not for a bright one.
    for values in [[0.0_f32, 0.1].repeat(8), [0.0, 1.0].repeat(8)] {
        server.classify("/classify", "application/octet-stream", bytes(&values)).await;
    }
    written(&server.url(""), 2).await;
    let segment = segments(folder.path()).remove(0);
    let answers = fs::read_to_string(segment.join("answers.jsonl")).unwrap();
    let lines: Vec<Value> = answers.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines[0]["reasons"], json!(["uncertain", "sample"]), "{answers}");
    assert_eq!(lines[1]["reasons"], json!(["sample"]), "{answers}");
    let picture = fs::read(segment.with_file_name(lines[1]["file"].as_str().unwrap())).unwrap();
    let again = server.classify("/classify", "image/png", picture).await;
    assert_eq!(again["predictions"][0]["probabilities"], lines[1]["prediction"]["probabilities"]);
    server.stop().await;
}
