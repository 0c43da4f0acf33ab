//! The inputs of evaluations, and the errors if something cannot be evaluated.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    process::{Command, Stdio},
    sync::atomic::AtomicBool,
};

use drsn_bundle::{Bundle, Origin};
use drsn_train::{DataOptions, evaluate};

use crate::{
    skip,
    support::runtime,
    workspace::{Workspace, last_line, said},
};

/// The data is split by the first one's recipe, and the second was trained on some of its test
/// inputs.
#[test]
fn a_model_is_not_evaluated_beside_one_whose_recipe_splits_the_data_otherwise() {
    if let Err(reason) = runtime() {
        return skip::skip(&reason);
    }
    let workspace = Workspace::new();
    for (version, share) in [("1", "0.6"), ("2", "0.8"), ("3", "0.6")] {
        let share = format!("data.split.training={share}");
        let flags = ["--set", "epochs=1", "--version", version, "--set", &share, "--seed", version];
        let output = workspace.command(&flags).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
    }
    let output = workspace.ask("evaluate", &["tones/1", "tones/2"], &[]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let sentence = last_line(&output);
    assert!(sentence.contains("model tones 2") && sentence.contains("separately"), "{sentence}");
    let output = workspace.ask("evaluate", &["tones/1", "tones/3"], &[]);
    assert!(output.status.success(), "{}", said(&output));
}

/// The first inputs all belong to the first file, and so to one class.
#[test]
fn a_few_inputs_are_drawn_from_all_classes_and_the_report_says_how_many() {
    if let Err(reason) = runtime() {
        return skip::skip(&reason);
    }
    let workspace = Workspace::new();
    assert!(workspace.command(&["--set", "epochs=1"]).status().unwrap().success());
    let ask = || workspace.ask("evaluate", &["tones/1"], &["--json", "--limit", "20"]);
    let output = ask();
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(ask().stdout, output.stdout);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["data"], "data test, 20 of 92 inputs");
    let scores = &report["results"][0]["scores"];
    assert_eq!(scores["inputs"], 20);
    for class in scores["classes"].as_array().unwrap() {
        assert!(class["support"].as_u64().unwrap() >= 4, "{scores}");
    }
}

/// The report takes files as independent, not their windows, and the table has what it was made of.
#[test]
fn an_evaluation_has_votes_thresholds_and_a_row_for_each_window() {
    if let Err(reason) = runtime() {
        return skip::skip(&reason);
    }
    let workspace = Workspace::new();
    assert!(workspace.command(&["--set", "epochs=1"]).status().unwrap().success());
    let beside = workspace.checkpoint().with_extension("report").join("predictions.csv");
    let table = workspace.path("answers.csv");
    let flags = ["--json", "--noise", "gaussian@0dB", "--predictions", table.to_str().unwrap()];
    let output = workspace.ask("evaluate", &["tones/1"], &flags);
    assert!(output.status.success(), "{}", said(&output));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let clean = &report["results"][0];
    let expected = serde_json::json!({ "unit": "files", "count": 2 });
    assert_eq!(clean["scores"]["independent"], expected);
    assert_eq!(clean["recordings"]["recordings"].as_array().unwrap().len(), 2);
    assert_eq!(report["blocks"].as_array().unwrap().len(), 2);
    assert!(report["blocks"][0]["zeroed"][1].is_number(), "{}", report["blocks"]);
    let findings = report["findings"].to_string();
    assert!(findings.contains("later parts of the recordings that were trained on"), "{findings}");

    let table = fs::read_to_string(table).unwrap();
    let inputs = clean["scores"]["inputs"].as_u64().unwrap() as usize;
    assert_eq!(table.lines().count(), 1 + 2 * inputs);
    let cells = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<_>>();
    let right =
        table.lines().map(cells).filter(|row| row[1] == "clean" && row[5] == row[6]).count();
    assert_eq!(right as u64, clean["scores"]["right"].as_u64().unwrap());
    assert!(table.contains("noise/recording.npy"), "{table}");
    // The training's own report has the clean rows.
    assert_eq!(fs::read_to_string(beside).unwrap().lines().count(), 1 + inputs);
}

#[test]
fn a_training_without_a_baseline_says_so_and_why() {
    if let Err(reason) = runtime() {
        return skip::skip(&reason);
    }
    let workspace = Workspace::new();
    let flags = ["--set", "epochs=1", "--set", "data.split.held_out=0.05"];
    let output = workspace.command(&flags).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let reason =
        "56 inputs are held out, but an alarm level of 0.01 requires at least 100; use longer";
    let line = format!("no baseline, so the server will not detect unusual inputs: {reason}");
    assert!(said(&output).contains(&line), "{}", said(&output));
    assert_eq!(Bundle::open(&workspace.bundle()).unwrap().manifest.baseline, None);
    let output = workspace.ask("baseline", &["tones/1"], &[]);
    assert_eq!(output.status.code(), Some(1));
    let line = format!("cannot measure a baseline: {reason}");
    assert!(last_line(&output).contains(&line), "{}", said(&output));
}

#[test]
fn an_evaluation_that_is_stopped_returns_nothing() {
    if let Err(reason) = runtime() {
        return skip::skip(&reason);
    }
    let workspace = Workspace::new();
    assert!(workspace.command(&["--set", "epochs=1"]).status().unwrap().success());
    let folder = workspace.path("data");
    let data = DataOptions { folder, index: None, skip_bad: false, threads: 1 };
    let bundles = [workspace.bundle()];
    let evaluated = |stop| {
        let stop = AtomicBool::new(stop);
        evaluate(&bundles, &data, &[], None, None, &stop).unwrap()
    };
    assert!(evaluated(true).is_none());
    assert_eq!(evaluated(false).unwrap().len(), 1);
}

/// Ctrl-C after the bundle was written was once ignored until the end of the evaluation.
#[test]
fn ctrl_c_ends_the_evaluation_after_a_training_and_the_bundle_stays() {
    if let Err(reason) = runtime() {
        return skip::skip(&reason);
    }
    let workspace = Workspace::new();
    // Some twenty thousand test inputs take a while.
    let mut command = workspace.command(&["--set", "epochs=1", "--set", "data.test_hop=1"]);
    let mut training = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut results = BufReader::new(training.stdout.take().unwrap());
    let mut wrote = String::new();
    results.read_line(&mut wrote).unwrap();
    assert!(wrote.starts_with("wrote "), "{wrote}");
    let id = training.id().to_string();
    assert!(Command::new("kill").args(["-s", "INT", &id]).status().unwrap().success());
    let mut rest = String::new();
    results.read_to_string(&mut rest).unwrap();
    assert_eq!((training.wait().unwrap().code(), rest.as_str()), (Some(0), ""));
    Bundle::open(&workspace.bundle()).unwrap();
}

/// The bundle of another program's network: the one that was trained here, without its story.
fn imported(workspace: &Workspace) {
    let folder = workspace.path("models/foreign/1");
    fs::create_dir_all(&folder).unwrap();
    for entry in fs::read_dir(workspace.bundle()).unwrap() {
        let from = entry.unwrap().path();
        fs::copy(&from, folder.join(from.file_name().unwrap())).unwrap();
    }
    drsn_bundle::update_manifest(&folder, |manifest| {
        manifest.name = "foreign".parse().unwrap();
        (manifest.architecture, manifest.training, manifest.baseline) = (None, None, None);
        manifest.origin = Some(Origin {
            exporter: "another program".to_owned(),
            operator_set: 17,
            parameters: 1000,
            warnings: Vec::new(),
        });
    })
    .unwrap();
}

/// Regression: an imported bundle has no recipe, and was refused alone and as the first of several.
#[test]
fn an_imported_bundle_is_evaluated_and_gets_a_baseline_on_the_users_data() {
    if let Err(reason) = runtime() {
        return skip::skip(&reason);
    }
    let workspace = Workspace::new();
    let output = workspace.command(&["--set", "epochs=2"]).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    imported(&workspace);
    let accuracies = |bundles: &[&str]| -> Vec<f64> {
        let output = workspace.ask("evaluate", bundles, &["--json"]);
        assert!(output.status.success(), "{}", said(&output));
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let reports = match report["reports"].as_array() {
            Some(reports) => reports.clone(),
            None => vec![report],
        };
        let of = |report: &serde_json::Value| report["results"][0]["scores"]["accuracy"].clone();
        reports.iter().map(|report| of(report).as_f64().unwrap()).collect()
    };
    let [alone] = accuracies(&["foreign/1"])[..] else { panic!("one report") };
    assert!(alone > 0.8, "{alone}");
    let [foreign, own] = accuracies(&["foreign/1", "tones/1"])[..] else { panic!("two reports") };
    assert!((foreign - own).abs() < 1e-12, "{foreign} and {own}");

    let output = workspace.ask("baseline", &["foreign/1"], &[]);
    assert!(output.status.success(), "{}", said(&output));
    let manifest = Bundle::open(&workspace.path("models/foreign/1")).unwrap().manifest;
    assert!(manifest.baseline.is_some_and(|baseline| baseline.shift.is_some()));
    assert!(manifest.origin.is_some() && manifest.training.is_none());
}

/// Folders `train`, `val` and `test` were refused with advice for a recipe, which an imported bundle
/// does not have.
#[test]
fn an_imported_bundle_is_evaluated_on_the_test_folder_of_data_that_is_split_already() {
    if let Err(reason) = runtime() {
        return skip::skip(&reason);
    }
    let workspace = Workspace::new();
    let output = workspace.command(&["--set", "epochs=1"]).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    imported(&workspace);
    fs::remove_dir_all(workspace.path("data")).unwrap();
    let machines = Workspace::with_groups();
    for class in ["noise", "tone"] {
        for (machine, subset) in ["train", "train", "train", "val", "test"].iter().enumerate() {
            let to = workspace.path("data").join(subset).join(class);
            fs::create_dir_all(&to).unwrap();
            let from = machines.path(&format!("data/{class}/machine{machine}/recording.npy"));
            fs::copy(from, to.join(format!("{machine}.npy"))).unwrap();
        }
    }
    let output = workspace.ask("evaluate", &["foreign/1"], &["--json"]);
    assert!(output.status.success(), "{}", said(&output));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    // One recording of 8,000 samples a class, in windows of 256 one after another.
    assert_eq!(report["results"][0]["scores"]["inputs"], 2 * (8_000 / 256), "{report}");
}

/// The advice was once to change a recipe, which an imported bundle does not have.
#[test]
fn data_that_is_declared_in_part_is_refused_with_advice_for_an_imported_bundle() {
    if let Err(reason) = runtime() {
        return skip::skip(&reason);
    }
    let workspace = Workspace::new();
    let output = workspace.command(&["--set", "epochs=1"]).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    imported(&workspace);
    let index = workspace.path("index.csv");
    let lines = "file,label,split\nnoise/recording.npy,noise,test\ntone/recording.npy,tone,\n";
    fs::write(&index, lines).unwrap();
    let flags = ["--index", index.to_str().unwrap()];
    let output = workspace.ask("evaluate", &["foreign/1"], &flags);
    let said = said(&output);
    assert!(
        !output.status.success() && said.contains("tone/recording.npy is not declared"),
        "{said}"
    );
    assert!(said.contains("an imported model has no recipe to change"), "{said}");
}

#[test]
fn compare_takes_bundles_in_place_of_a_recipe() {
    if let Err(reason) = runtime() {
        return skip::skip(&reason);
    }
    let workspace = Workspace::new();
    let output = workspace.command(&["--set", "epochs=1"]).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    imported(&workspace);
    let out = workspace.path("study");
    let flags = ["--out", out.to_str().unwrap()];
    let bundles = ["foreign/1", "tones/1"];
    let output = workspace.ask("compare", &bundles, &flags);
    assert!(output.status.success(), "{}", said(&output));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("foreign") && text.contains("tones"), "{text}");
    assert!(out.join("report/report.html").is_file());
    let both = [&flags[..], &["--preset", "paper-1d"]].concat();
    let output = workspace.ask("compare", &bundles, &both);
    assert!(said(&output).contains("cannot be used with"), "{}", said(&output));
}
