//! Failed starts: one log line with name and reason, and an exit code for scripts.

use std::{fs, net::TcpListener, path::Path, process::Output, time::Instant};

use clap::CommandFactory as _;
use drsn_bundle::onnx;
use drsn_serve::config::Config;
use serde_json::Value;

use crate::{
    harness::{self, Process, has_runtime, write_tiny},
    tiny,
};

fn run(models: &Path, flags: &[&str]) -> Output {
    harness::command(models, flags).output().unwrap()
}

/// Expects the process to end with this code, and returns the last error that it logged.
fn failure(output: &Output, code: i32) -> String {
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{log}");
    let entry: Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
    assert_eq!(entry["level"], "ERROR");
    entry["message"].as_str().unwrap().to_owned()
}

#[test]
fn a_missing_folder_of_models_or_a_bad_flag_ends_with_2() {
    if !has_runtime() {
        return;
    }
    let message = failure(&run(Path::new("/nowhere/models"), &[]), 2);
    assert!(message.contains("/nowhere/models") && message.contains("--models"), "{message}");
    let empty = tempfile::tempdir().unwrap();
    assert!(failure(&run(empty.path(), &[]), 2).contains("has no model"));
    let models = harness::repository(&[("tiny", tiny::image_input())]);
    let message = failure(&run(models.path(), &["--version-policy", "specific:7"]), 2);
    assert!(message.contains("specific:7") && message.contains("tiny has 1"), "{message}");
    let message = failure(&run(&models.path().join("tiny"), &[]), 2);
    assert!(message.contains("the versions of one model"), "{message}");
    let message = failure(&run(models.path(), &["--default-model", "other"]), 2);
    assert!(message.contains("the models in the folder are: tiny"), "{message}");
    assert_eq!(run(models.path(), &["--queue", "0"]).status.code(), Some(2));
    let message = failure(&run(models.path(), &["--onnxruntime", "/nowhere/lib.so"]), 2);
    assert!(message.contains("--onnxruntime names \"/nowhere/lib.so\""), "{message}");
}

/// Regression: `RUST_LOG=` silenced the log, and an empty `DRSN_…` ended the start.
#[test]
fn an_empty_variable_is_one_that_is_not_set() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::image_input())]);
    let mut command = harness::command(models.path(), &[]);
    for flag in Config::command().get_arguments() {
        if let Some(variable) = flag.get_env() {
            command.env(variable, "");
        }
    }
    let others = ["RUST_LOG", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_SERVICE_NAME"];
    command.envs(others.map(|variable| (variable, "")));
    // It waits for the lines of the log that tell the addresses.
    drop(Process::spawn(command));
}

#[test]
fn a_truth_value_in_the_environment_has_the_usual_spellings() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::image_input())]);
    for (reflection, open) in [("True", "yes"), ("0", "OFF")] {
        let mut command = harness::command(models.path(), &[]);
        command.env("DRSN_GRPC_REFLECTION", reflection).env("DRSN_METRICS_OPEN", open);
        drop(Process::spawn(command));
    }
    let mut command = harness::command(models.path(), &[]);
    let output = command.env("DRSN_METRICS_OPEN", "maybe").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains("expected true or false"), "{error}");
}

#[test]
fn a_port_in_use_or_a_device_that_is_not_there_ends_with_1() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::image_input())]);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_drsn-serve"))
        .args(["--log-format", "json", "--http", &address, "--models"])
        .arg(models.path())
        .output()
        .unwrap();
    let message = failure(&output, 1);
    assert!(message.contains(&address) && message.contains("--http"), "{message}");

    let output = std::process::Command::new(env!("CARGO_BIN_EXE_drsn-serve"))
        .args(["--log-format", "json", "--http", "127.0.0.1:0", "--grpc", "off"])
        .args(["--device", "cuda:7", "--models"])
        .arg(models.path())
        .output()
        .unwrap();
    assert!(failure(&output, 1).contains("the device cuda:7 cannot be used"));
}

#[test]
fn a_damaged_bundle_is_refused_by_name_and_reason() {
    if !has_runtime() {
        return;
    }
    let refused = |damage: &dyn Fn(&Path), reason: &str| {
        let models = tempfile::tempdir().unwrap();
        let bundle = write_tiny(models.path(), "tiny", "3", tiny::image_input());
        damage(&bundle);
        let message = failure(&run(models.path(), &[]), 1);
        assert!(message.contains("model tiny/3"), "{message}");
        assert!(message.contains(reason), "expected \"{reason}\" in \"{message}\"");
    };
    for file in ["model.onnx", "golden.json"] {
        let flip = |bundle: &Path| {
            let path = bundle.join(file);
            let mut bytes = fs::read(&path).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(&path, bytes).unwrap();
        };
        refused(&flip, &format!("{file} is damaged or was changed"));
    }
    for file in ["model.onnx", "golden.json"] {
        let remove = |bundle: &Path| fs::remove_file(bundle.join(file)).unwrap();
        refused(&remove, "cannot read");
        refused(&remove, file);
    }
    refused(
        &|bundle| fs::remove_file(bundle.join("manifest.json")).unwrap(),
        "there is no manifest.json",
    );
    let edit = |from: &'static str, to: &'static str| {
        move |bundle: &Path| {
            let path = bundle.join("manifest.json");
            let manifest = fs::read_to_string(&path).unwrap();
            assert!(manifest.contains(from), "{manifest}");
            fs::write(path, manifest.replacen(from, to, 1)).unwrap();
        }
    };
    refused(
        &edit("\"minus\"", "\"other\""),
        "its classes are [\"plus\", \"minus\"], and the manifest's are [\"plus\", \"other\"]",
    );
    refused(
        &edit("\"height\": 4", "\"height\": 5"),
        "\"input\" has shape [batch, 1, 4, 4], and the manifest requires [batch, 1, 5, 4]",
    );
    refused(
        &edit("\"version\": \"3\"", "\"version\": \"4\""),
        "its manifest says that it is tiny/4",
    );
    refused(
        &edit("\"format\": 2", "\"format\": 3"),
        "its format is 3, and this program supports formats 1 to 2",
    );
    refused(
        &edit("stage1.block1.shrunk", "stage1.block1.gone"),
        "shrinks into the tensor \"stage1.block1.gone\" according to the manifest, and it has no such tensor",
    );
}

#[test]
fn a_model_that_does_not_reproduce_its_golden_outputs_is_refused() {
    if !has_runtime() {
        return;
    }
    let models = tempfile::tempdir().unwrap();
    let manifest = tiny::manifest("tiny", "1", tiny::image_input());
    let (model, mut golden) = (tiny::model(&manifest), tiny::golden(&manifest));
    golden.outputs.get_mut("logits").unwrap()[[0, 1]] += 0.01;
    drsn_bundle::write(models.path(), manifest, &model, &golden, false).unwrap();
    let message = failure(&run(models.path(), &[]), 1);
    assert!(message.contains("does not reproduce its golden output \"logits\""), "{message}");
}

#[test]
fn one_bundle_can_be_served_without_folders_for_its_name_and_version() {
    if !has_runtime() {
        return;
    }
    let models = tempfile::tempdir().unwrap();
    let bundle = write_tiny(models.path(), "tiny", "3", tiny::image_input());
    let server = Process::start(&bundle, &["--model-name", "renamed"]);
    let answer = std::process::Command::new("curl")
        .args(["-s", &format!("http://{}/models/renamed", server.address)])
        .output()
        .unwrap();
    let model: Value = serde_json::from_slice(&answer.stdout).unwrap();
    assert_eq!((&model["name"], &model["version"]), (&"renamed".into(), &"3".into()));
}

#[test]
fn the_highest_version_is_served_and_half_written_folders_are_skipped() {
    if !has_runtime() {
        return;
    }
    let models = tempfile::tempdir().unwrap();
    for version in ["2", "10", "9"] {
        write_tiny(models.path(), "tiny", version, tiny::image_input());
    }
    fs::create_dir(models.path().join("tiny/.writing-x")).unwrap();
    let before = Instant::now();
    let server = Process::start(models.path(), &[]);
    assert!(before.elapsed().as_secs() < 10);
    let log = server.address;
    let answer = std::process::Command::new("curl")
        .args(["-s", &format!("http://{log}/models/tiny")])
        .output()
        .unwrap();
    let model: Value = serde_json::from_slice(&answer.stdout).unwrap();
    assert_eq!(model["version"], "10");
}

/// Regression: ONNX Runtime registers custom operators when the first session with them is opened,
/// and refused one of two sessions that were opened at that moment: two of three starts failed.
#[test]
fn sessions_that_are_opened_at_the_same_time_do_not_hinder_each_other() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    for _ in 0..10 {
        drop(Process::start(models.path(), &["--max-batch", "1", "--workers", "4"]));
    }
}

/// Standard operators can add a shortcut that is the same for all samples; our operators cannot.
#[test]
fn a_model_that_our_operators_cannot_compute_runs_as_it_is_and_the_log_says_so() {
    if !has_runtime() || harness::provider() != "CPUExecutionProvider" {
        return;
    }
    // Thresholds, which have one number for all samples, and features give shortcuts of zeros.
    for (source, fits) in [("alone", false), ("x", true)] {
        let manifest = tiny::manifest("tiny", "1", tiny::signal_input(1));
        let model = tiny::model_with(&manifest, |graph, shrunk| {
            let [zero, one] = [("zero", 0.0), ("one", 1.0)]
                .map(|(name, value)| graph.tensor(name, &[2], &[value; 2]));
            let nothing = graph.tensor("nothing", &[], &[0.0]);
            let threshold = onnx::threshold_output(tiny::BLOCK);
            graph.node("Unsqueeze", &[&threshold, "axes"], "alone", &[]);
            graph.node("Mul", &[source, &nothing], "shortcut", &[]);
            graph.node("Add", &[shrunk, "shortcut"], "sum", &[]);
            graph.node("BatchNormalization", &["sum", &one, &zero, &zero, &one], "norm", &[]);
            graph.node("Relu", &["norm"], "active", &[]);
            "sum".to_owned()
        });
        let models = tempfile::tempdir().unwrap();
        let golden = tiny::golden(&manifest);
        drsn_bundle::write(models.path(), manifest, &model, &golden, false).unwrap();
        let server = Process::listening(models.path(), &["--workers", "1"]);
        let mut warnings = server.lines_until("ready");
        warnings.retain(|line| line["level"] == "WARN");
        assert_eq!(warnings.is_empty(), fits, "{source}: {warnings:?}");
        let says_so =
            |line: &Value| line["message"].as_str().unwrap().contains("trying the original graph");
        assert!(warnings.iter().all(says_so), "{warnings:?}");
    }
}
