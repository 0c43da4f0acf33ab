//! What was made of some data goes on with no other: checkpoints, the best among them, and studies.

use std::{
    fs,
    process::{Command, Output},
};

use drsn_train::training::Checkpoint;

use crate::{
    place::{Place, last_line, said},
    skip,
    support::runtime,
};

fn compare(place: &Place, units: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_drsn-train"));
    command.args(["compare", "--units", units, "--seeds", "1"]);
    command.args(["--out".as_ref(), place.path("study").as_os_str()]);
    place.recipe(&mut command);
    command.args(["--set", "epochs=1"]).output().unwrap()
}

#[test]
fn a_study_takes_no_figures_of_other_data() {
    if let Err(reason) = runtime() {
        return skip::skip(&reason);
    }
    let place = Place::new();
    for units in ["cw", "cw,cs"] {
        let output = compare(&place, units);
        assert!(output.status.success(), "{}", said(&output));
    }
    place.swap_classes();
    let output = compare(&place, "cw,cs");
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let sentence = last_line(&output);
    assert!(sentence.contains("cw-seed1/1 was trained on other data: choose"), "{sentence}");
    // A bundle that does not say what data it is of is taken as before.
    for unit in ["cw", "cs"] {
        let manifest = place.path(&format!("study/{unit}-seed1/1/manifest.json"));
        let text = fs::read_to_string(&manifest).unwrap();
        let lines = text.lines().filter(|line| !line.contains("data_digest"));
        fs::write(&manifest, lines.collect::<Vec<_>>().join("\n")).unwrap();
    }
    assert!(compare(&place, "cw,cs").status.success());
}

#[test]
fn a_training_does_not_go_on_with_classes_that_were_swapped() {
    if let Err(reason) = runtime() {
        return skip::skip(&reason);
    }
    let place = Place::new();
    assert!(place.command(&[]).status().unwrap().success());
    place.swap_classes();
    let output = place.command(&["--resume", "--replace"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let sentence = last_line(&output);
    assert!(sentence.contains("was made with other data: give --data"), "{sentence}");
    place.swap_classes();
    assert!(place.command(&["--resume", "--replace"]).status().unwrap().success());
}

/// A copy of a training's last checkpoint beside an older best one was exported as the best.
#[test]
fn a_best_checkpoint_of_another_epoch_is_not_exported() {
    if let Err(reason) = runtime() {
        return skip::skip(&reason);
    }
    let place = Place::new();
    let flags = ["--set", "early_stopping.patience=2"];
    let train = |more: &[&str]| place.command(&[&flags, more].concat()).output().unwrap();
    let output = train(&[]);
    assert!(output.status.success(), "{}", said(&output));
    let best = Checkpoint::best(&place.checkpoint());
    let epoch = Checkpoint::load(&best).unwrap().position.epoch;
    let last = place.position().epoch;
    assert!(epoch < last, "the best epoch is {epoch}, and the last {last}");
    fs::copy(place.checkpoint(), &best).unwrap();
    let output = train(&["--resume", "--replace"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let sentence = last_line(&output);
    let expected =
        format!("was made after epoch {last}, and the best epoch is {epoch}: train anew");
    assert!(sentence.contains(&expected), "{sentence}");
}
