//! What models are measured on, and what is said where something cannot be measured.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::{Command, Stdio},
    sync::atomic::AtomicBool,
};

use drsn_bundle::Bundle;
use drsn_train::{Inputs, evaluate::evaluate};

use crate::{
    place::{Place, last_line, said},
    skip,
    support::runtime,
};

/// Their data is split as the first one's recipe says: the second was trained on a part of its test inputs.
#[test]
fn a_model_is_not_evaluated_beside_one_whose_recipe_splits_the_data_otherwise() {
    if let Err(reason) = runtime() {
        return skip::skip(&reason);
    }
    let place = Place::new();
    for (version, share) in [("1", "0.6"), ("2", "0.8"), ("3", "0.6")] {
        let share = format!("data.split.training={share}");
        let flags = ["--set", "epochs=1", "--version", version, "--set", &share, "--seed", version];
        let output = place.command(&flags).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
    }
    let output = place.ask("evaluate", &["tones/1", "tones/2"], &[]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let sentence = last_line(&output);
    assert!(sentence.contains("model tones 2") && sentence.contains("by itself"), "{sentence}");
    let output = place.ask("evaluate", &["tones/1", "tones/3"], &[]);
    assert!(output.status.success(), "{}", said(&output));
}

/// The first ones are those of the first file, all of one class.
#[test]
fn a_few_inputs_are_drawn_from_all_classes_and_the_report_says_how_many() {
    if let Err(reason) = runtime() {
        return skip::skip(&reason);
    }
    let place = Place::new();
    assert!(place.command(&["--set", "epochs=1"]).status().unwrap().success());
    let ask = || place.ask("evaluate", &["tones/1"], &["--json", "--limit", "20"]);
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

#[test]
fn a_training_without_a_baseline_says_so_and_why() {
    if let Err(reason) = runtime() {
        return skip::skip(&reason);
    }
    let place = Place::new();
    let flags = ["--set", "epochs=1", "--set", "data.split.held_out=0.05"];
    let output = place.command(&flags).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let reason = "no baseline is taken: 56 inputs are held out, and an alarm level of 0.01 needs at least 100";
    let line = format!("{reason}: the server will not judge how unusual inputs are; use longer");
    assert!(said(&output).contains(&line), "{}", said(&output));
    assert_eq!(Bundle::open(&place.bundle()).unwrap().manifest.baseline, None);
    let output = place.ask("baseline", &["tones/1"], &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(last_line(&output).contains(&format!("{reason}: use longer")), "{}", said(&output));
}

#[test]
fn an_evaluation_that_is_stopped_gives_none() {
    if let Err(reason) = runtime() {
        return skip::skip(&reason);
    }
    let place = Place::new();
    assert!(place.command(&["--set", "epochs=1"]).status().unwrap().success());
    let folder = place.path("data");
    let inputs = Inputs { folder, index: None, skip_bad: false, threads: 1 };
    let bundles = [place.bundle()];
    let evaluated = |stop| {
        let stop = AtomicBool::new(stop);
        evaluate(&bundles, &inputs, &[], None, None, &stop).unwrap()
    };
    assert!(evaluated(true).is_none());
    assert_eq!(evaluated(false).unwrap().len(), 1);
}

/// Ctrl-C after the bundle was written did nothing until the evaluation had come to its end.
#[test]
fn ctrl_c_ends_the_evaluation_after_a_training_and_the_bundle_stays() {
    if let Err(reason) = runtime() {
        return skip::skip(&reason);
    }
    let place = Place::new();
    // Some twenty thousand test inputs take a while.
    let mut command = place.command(&["--set", "epochs=1", "--set", "data.test_hop=1"]);
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
    Bundle::open(&place.bundle()).unwrap();
}
