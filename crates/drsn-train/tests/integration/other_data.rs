//! Checkpoints and studies are never continued with other data.

use std::{fs, process::Output};

use drsn_train::training::Checkpoint;

use crate::{
    skip,
    support::runtime,
    workspace::{Workspace, last_line, said},
};

fn compare(workspace: &Workspace, units: &str) -> Output {
    let flags = ["--units", units, "--seeds", "1", "--set", "epochs=1"];
    workspace.compare(&flags).output().unwrap()
}

#[test]
fn a_study_does_not_mix_results_of_different_data() {
    if let Err(reason) = runtime() {
        return skip::skip(&reason);
    }
    let workspace = Workspace::new();
    for units in ["cw", "cw,cs"] {
        let output = compare(&workspace, units);
        assert!(output.status.success(), "{}", said(&output));
    }
    workspace.swap_classes();
    let output = compare(&workspace, "cw,cs");
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let sentence = last_line(&output);
    assert!(sentence.contains("cw-seed1/1 was trained on other data: choose"), "{sentence}");
    // A bundle without a digest is accepted as before.
    for unit in ["cw", "cs"] {
        let manifest = workspace.path(&format!("study/{unit}-seed1/1/manifest.json"));
        let text = fs::read_to_string(&manifest).unwrap();
        let lines = text.lines().filter(|line| !line.contains("data_digest"));
        fs::write(&manifest, lines.collect::<Vec<_>>().join("\n")).unwrap();
    }
    assert!(compare(&workspace, "cw,cs").status.success());
}

#[test]
fn a_training_does_not_go_on_with_classes_that_were_swapped() {
    if let Err(reason) = runtime() {
        return skip::skip(&reason);
    }
    let workspace = Workspace::new();
    assert!(workspace.command(&[]).status().unwrap().success());
    workspace.swap_classes();
    let output = workspace.command(&["--resume", "--replace"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let sentence = last_line(&output);
    assert!(sentence.contains("was made with other data: pass the same --data"), "{sentence}");
    workspace.swap_classes();
    assert!(workspace.command(&["--resume", "--replace"]).status().unwrap().success());
}

/// A copy of the last checkpoint in place of the best one was once exported as the best.
#[test]
fn a_best_checkpoint_of_another_epoch_is_not_exported() {
    if let Err(reason) = runtime() {
        return skip::skip(&reason);
    }
    let workspace = Workspace::new();
    let flags = ["--set", "early_stopping.patience=2"];
    let train = |more: &[&str]| workspace.command(&[&flags, more].concat()).output().unwrap();
    let output = train(&[]);
    assert!(output.status.success(), "{}", said(&output));
    let best = Checkpoint::best(&workspace.checkpoint());
    let epoch = Checkpoint::load(&best).unwrap().position.epoch;
    let last = workspace.position().epoch;
    assert!(epoch < last, "the best epoch is {epoch}, and the last {last}");
    // It was not said which network the bundle has.
    let told = format!("exporting the network after epoch {epoch}, the best one by accuracy");
    assert!(said(&output).contains(&told), "{}", said(&output));
    fs::copy(workspace.checkpoint(), &best).unwrap();
    let output = train(&["--resume", "--replace"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let sentence = last_line(&output);
    let expected =
        format!("was made after epoch {last}, but the best epoch is {epoch}: start again");
    assert!(sentence.contains(&expected), "{sentence}");
}
