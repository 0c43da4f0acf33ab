//! The subcommands.

use std::{
    path::Path,
    process::{Command, Output},
};

use drsn_bundle::Manifest;
use serde_json::Value;

use crate::{
    harness::{self, Process, has_runtime, write_tiny},
    reload::damage,
    tiny,
};

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_drsn-serve")).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn check_says_that_a_bundle_is_valid_or_what_is_wrong_with_it() {
    if !has_runtime() {
        return;
    }
    let models = tempfile::tempdir().unwrap();
    let bundle = write_tiny(models.path(), "tiny", "3", tiny::image_input());
    let folder = bundle.to_str().unwrap();
    let output = run(&["check", folder]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).starts_with("tiny/3 is valid"), "{}", text(&output.stdout));
    damage(&bundle);
    let output = run(&["check", folder]);
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(error.contains("model.onnx is damaged") && error.lines().count() == 1, "{error}");

    let manifest = tiny::manifest("tiny", "4", tiny::image_input());
    let (model, mut golden) = (tiny::model(&manifest), tiny::golden(&manifest));
    golden.outputs.get_mut("logits").unwrap()[[0, 1]] += 0.01;
    let bundle = drsn_bundle::write(models.path(), manifest, &model, &golden, false).unwrap();
    let output = run(&["check", bundle.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("does not reproduce its golden output \"logits\""));
}

#[test]
fn inspect_shows_inputs_outputs_and_training_of_a_model() {
    let bundle = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/mnist/1");
    let folder = bundle.to_str().unwrap();
    let output = run(&["inspect", folder]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    for part in [
        "mnist/1",
        "input FP32 [-1, 1, 28, 28]",
        "probabilities FP32 [-1, 10]",
        "stage1.block1: 16 channels, channel-wise thresholds",
        "training    by drsn-train",
    ] {
        assert!(shown.contains(part), "no {part} in\n{shown}");
    }
    let output = run(&["inspect", folder, "--json"]);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["input"]["shape"], serde_json::json!([-1, 1, 28, 28]));
    assert_eq!(json["outputs"][0]["name"], "probabilities");
    assert!(json["parameters"].as_u64() > Some(1000) && json["training"].is_object());
    assert_eq!(run(&["inspect", "/nowhere"]).status.code(), Some(1));
}

/// A warning of the training would else be forgotten once its model is served.
#[test]
fn inspect_shows_what_the_training_warned_of() {
    let bundled = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/mnist/1/manifest.json");
    let mut training = Manifest::from_json(&std::fs::read(bundled).unwrap()).unwrap().training;
    let warnings = &mut training.as_mut().unwrap().warnings;
    assert_eq!(*warnings, [""; 0]);
    warnings.extend(["held-out inputs differ", "no sample rate"].map(str::to_owned));
    let models = tempfile::tempdir().unwrap();
    let manifest = Manifest { training, ..tiny::manifest("tiny", "5", tiny::image_input()) };
    let (model, golden) = (tiny::model(&manifest), tiny::golden(&manifest));
    let bundle = drsn_bundle::write(models.path(), manifest, &model, &golden, false).unwrap();
    let shown = text(&run(&["inspect", bundle.to_str().unwrap()]).stdout);
    let expected = "  warnings    held-out inputs differ\n              no sample rate\n";
    assert!(format!("{shown}\n").contains(expected), "{shown}");
}

#[test]
fn healthcheck_tells_by_its_exit_code_whether_a_server_is_ready() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::image_input())]);
    let server = Process::start(models.path(), &["--linger-ms", "5000"]);
    let url = server.url("/readyz");
    assert_eq!(run(&["healthcheck", "--url", &url]).status.code(), Some(0));
    // In a container the server's environment says where it listens.
    let own = Command::new(env!("CARGO_BIN_EXE_drsn-serve"))
        .arg("healthcheck")
        .env("DRSN_HTTP", format!("0.0.0.0:{}", server.address.port()))
        .output()
        .unwrap();
    assert_eq!(own.status.code(), Some(0), "{}", text(&own.stderr));
    server.signal("-TERM");
    server.wait_for("draining");
    let output = run(&["healthcheck", "--url", &url]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("503"), "{}", text(&output.stderr));
    assert_eq!(run(&["healthcheck", "--url", "http://127.0.0.1:1/readyz"]).status.code(), Some(1));
    assert_eq!(run(&["healthcheck", "--url", "nonsense"]).status.code(), Some(1));
}
