//! Four situations in which the test is of another speaker, patient, speed or load than the
//! training: each ends with a bundle, and its network tells the classes apart better than a logistic
//! regression on the log-spectrum.

#[path = "../../../examples/miniatures/situations/mod.rs"]
mod miniatures;

mod logistic;
mod spectrum;

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use drsn_bundle::Bundle;
use drsn_train::{
    dataset::Data,
    recipe::{Recipe, preset},
    report::EvaluationReport,
};

use crate::{skip, support::runtime, workspace::said};
use logistic::Inputs;

/// Writes a data set, trains a preset with some settings on it, and compares its macro recall on
/// the test with that of the logistic regression.
fn check(situation: &str, preset_name: &str, settings: &[&str]) {
    if let Err(reason) = runtime() {
        return skip::skip(&reason);
    }
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let known = miniatures::SITUATIONS.iter().find(|(name, _)| *name == situation);
    let (_, write) = known.unwrap();
    write(&data).unwrap();
    let output = train(folder.path(), preset_name, settings, &[]);
    assert!(output.status.success(), "{situation}: {}", said(&output));
    Bundle::open(&folder.path().join("models/miniature/1")).unwrap();

    let report = fs::read(folder.path().join("checkpoint.report/report.json")).unwrap();
    let report: EvaluationReport = serde_json::from_slice(&report).unwrap();
    let classes = &report.results[0].scores.classes;
    let recalls = classes.iter().filter_map(|class| class.recall);
    let network = recalls.sum::<f64>() / classes.len() as f64;
    let recipe = preset(preset_name).unwrap().set(settings).unwrap();
    let regression = regression(&recipe, &data);
    eprintln!("{situation}: macro recall {network:.3}, logistic regression {regression:.3}");
    assert!(network > regression, "{situation}: {network} against {regression}");
}

fn train(folder: &Path, preset: &str, settings: &[&str], flags: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_drsn-train"));
    command.args(["train", "--preset", preset, "--name", "miniature", "--threads", "2"]);
    command.args(["--set", "evaluate=[]"]).args(flags);
    for setting in settings {
        command.args(["--set", setting]);
    }
    for (flag, name) in [("--data", "data"), ("--out", "models"), ("--checkpoint", "checkpoint")] {
        command.args([flag.as_ref(), folder.join(name).as_os_str()]);
    }
    command.output().unwrap()
}

/// Macro recall on the test of the logistic regression that is best on the held-out inputs.
fn regression(recipe: &Recipe, folder: &Path) -> f64 {
    let data = Data::open(recipe, folder, None, false).unwrap();
    let parts = [&data.training, &data.held_out, data.test.as_ref().unwrap()];
    let [training, held_out, test] =
        parts.map(|part| Inputs::new(part, &data.input.shape(), data.classes.len()));
    logistic::tuned(training, held_out, test)
}

/// No data summary was there before a training: a test on one machine looked as good as any.
#[test]
fn a_dry_run_tells_what_is_in_the_data_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (_, write) = miniatures::SITUATIONS.iter().find(|(name, _)| *name == "bearing").unwrap();
    write(&folder.path().join("data")).unwrap();
    let split = r#"data.split={by="group",test=["load-3"],held_out_share=0.15}"#;
    let output = train(folder.path(), "vibration", &[split], &["--dry-run"]);
    assert!(output.status.success(), "{}", said(&output));
    let text = String::from_utf8_lossy(&output.stdout);
    for expected in [
        "from 32 files of 16384 samples, at 8192 Hz (0.250 s an input), 4 classes",
        "files             24        24     8",
        "test groups: load-3",
        "warning: the test is on only 1 independent group",
    ] {
        assert!(text.contains(expected), "{text}");
    }
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn a_held_out_speaker() {
    let split = r#"data.split={by="group",test=["speaker-2","speaker-5"],held_out=["speaker-4"]}"#;
    check("speech", "audio", &[split]);
}

#[test]
fn a_held_out_patient_with_one_class_in_nine_tenths() {
    let data = r#"data={kind="windows",window=256,sample_rate_hz=180,
        normalization={kind="z-score",epsilon=1e-8},split={by="group",
        test=["patient-3","patient-7","patient-10"],held_out=["patient-5","patient-8"]}}"#;
    check("heartbeats", "ecg", &[data]);
}

#[test]
fn an_unseen_speed() {
    let split = r#"data.split={by="group",test=["24-hz","30-hz"],held_out_share=0.1}"#;
    check("gearbox", "vibration", &[split]);
}

#[test]
fn an_unseen_load() {
    let split = r#"data.split={by="group",test=["load-3"],held_out_share=0.15}"#;
    check("bearing", "vibration", &[split, "data.hop=256"]);
}
