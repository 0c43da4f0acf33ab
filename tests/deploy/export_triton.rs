//! `drsn-serve export-triton`: the files it writes, and what it refuses.

use std::{fs, path::Path, process::Output};

use crate::{harness, tiny, tools};

/// Exports with these flags.
pub(crate) fn export(bundle: &Path, repository: &Path, flags: &[&str]) -> Output {
    let mut arguments =
        vec!["export-triton", bundle.to_str().unwrap(), repository.to_str().unwrap()];
    arguments.extend(flags);
    tools::drsn_serve(&arguments)
}

fn refusal(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{}", tools::text(&output.stdout));
    let error = tools::text(&output.stderr);
    assert_eq!(error.lines().count(), 1, "{error}");
    error
}

#[test]
fn an_exported_bundle_is_a_model_of_triton_with_the_same_network() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = harness::write_tiny(folder.path(), "tiny", "3", tiny::signal_input(1));
    let repository = folder.path().join("triton/models");
    let output = export(&bundle, &repository, &["--max-batch", "16", "--name", "renamed"]);
    assert_eq!(output.status.code(), Some(0), "{}", tools::text(&output.stderr));
    let model = repository.join("renamed");
    let config = fs::read_to_string(model.join("config.pbtxt")).unwrap();
    let expected = r#"name: "renamed"
backend: "onnxruntime"
max_batch_size: 16
input {
  name: "input"
  data_type: TYPE_FP32
  dims: [1, 8]
}
output {
  name: "probabilities"
  data_type: TYPE_FP32
  dims: [2]
  label_filename: "labels.txt"
}
output {
  name: "logits"
  data_type: TYPE_FP32
  dims: [2]
}
output {
  name: "threshold.stage1.block1"
  data_type: TYPE_FP32
  dims: [2]
}
output {
  name: "mean_abs.stage1.block1"
  data_type: TYPE_FP32
  dims: [2]
}
dynamic_batching {
}
parameters {
  key: "drsn.input"
  value {
    string_value: "{\"kind\":\"signal\",\"channels\":1,\"window\":8,\"sample_rate_hz\":null,\"normalization\":{\"kind\":\"none\"}}"
  }
}
"#;
    assert_eq!(config, expected);
    assert_eq!(fs::read_to_string(model.join("labels.txt")).unwrap(), "plus\nminus\n");
    let networks = [model.join("3/model.onnx"), bundle.join("model.onnx")];
    let [exported, own] = networks.map(|path| fs::read(path).unwrap());
    assert_eq!(exported, own);
    let files = fs::read_dir(&repository).unwrap().count();
    assert_eq!(files, 1, "what was written aside is gone");
}

#[test]
fn another_version_joins_and_nothing_that_is_there_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let [one, two] = ["1", "2"]
        .map(|version| harness::write_tiny(folder.path(), "tiny", version, tiny::image_input()));
    let repository = folder.path().join("triton");
    assert!(export(&one, &repository, &[]).status.success());
    let before = fs::read(repository.join("tiny/1/model.onnx")).unwrap();

    let error = refusal(&export(&one, &repository, &[]));
    assert!(error.contains("tiny/1 already exists"), "{error}");
    let error = refusal(&export(&two, &repository, &["--max-batch", "8"]));
    assert!(error.contains("config.pbtxt belongs to another model or batch size"), "{error}");
    assert!(!repository.join("tiny/2").exists());

    assert!(export(&two, &repository, &[]).status.success());
    assert!(repository.join("tiny/2/model.onnx").is_file());
    assert_eq!(fs::read(repository.join("tiny/1/model.onnx")).unwrap(), before);
}

#[test]
fn a_bundle_that_is_not_sound_is_not_exported() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = harness::write_tiny(folder.path(), "tiny", "1", tiny::image_input());
    let network = bundle.join("model.onnx");
    let mut bytes = fs::read(&network).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&network, bytes).unwrap();
    let repository = folder.path().join("triton");
    let error = refusal(&export(&bundle, &repository, &[]));
    assert!(error.contains("is invalid") && error.contains("model.onnx is damaged"), "{error}");
    assert!(!repository.exists());
    let output = export(&bundle, &repository, &["--max-batch", "0"]);
    assert_eq!(output.status.code(), Some(2), "{}", tools::text(&output.stderr));
}
