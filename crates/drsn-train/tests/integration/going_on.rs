//! A training that starts from the weights of another one, by the command line.

use std::process::{Command, Output};

use drsn_bundle::Bundle;

use crate::{
    skip,
    support::runtime,
    workspace::{Workspace, last_line, said},
};

/// Trains the second version of the model.
fn second(workspace: &Workspace, flags: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_drsn-train"));
    command.args(["train", "--name", "tones", "--version", "2", "--out"]);
    command.arg(workspace.path("models"));
    command.arg("--checkpoint").arg(workspace.path("checkpoints/second.checkpoint"));
    workspace.recipe(&mut command);
    command.args(flags).output().unwrap()
}

#[test]
fn a_training_goes_on_from_a_checkpoint_and_its_bundle_says_so() {
    if let Err(reason) = runtime() {
        return skip::skip(&reason);
    }
    let workspace = Workspace::new();
    assert!(workspace.command(&[]).status().unwrap().success());
    let checkpoint = workspace.checkpoint();
    let from = checkpoint.to_str().unwrap();
    let flags = ["--from", from, "--freeze", "1", "--learning-rate", "0.001"];
    let output = second(&workspace, &flags);
    assert!(output.status.success(), "{}", said(&output));
    let origin = "tones.checkpoint after epoch 6, with the first convolution and one stage frozen";
    assert!(said(&output).contains(&format!("the training starts from {origin}")));
    let story = |version: &str| {
        let bundle = Bundle::open(&workspace.path("models/tones").join(version)).unwrap();
        bundle.manifest.training.unwrap()
    };
    let (first, went_on) = (story("1"), story("2"));
    assert_eq!((first.started_from, went_on.started_from.as_deref()), (None, Some(origin)));
    let accuracy = |epochs: &[drsn_bundle::Epoch]| epochs[0].held_out_accuracy;
    assert!(accuracy(&went_on.history) >= accuracy(&first.history));

    // The recipe of its manifest asks for the same weights.
    let weights = went_on.configuration["start"]["weights"].as_str().unwrap();
    let other = format!("start.weights={}", weights.chars().rev().collect::<String>());
    for (flags, expected) in [
        (&["--set", "start.freeze=1"][..], "add --from with its checkpoint"),
        (&["--from", from, "--set", &other], "but the recipe asks for"),
        (&["--from", workspace.bundle().to_str().unwrap()], "folded into the weights"),
        (&["--from", from, "--set", "network.kernel=5"], "its network is another one"),
    ] {
        let output = second(&workspace, &[flags, &["--replace", "--restart"]].concat());
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert!(last_line(&output).contains(expected), "{}", said(&output));
    }
    assert_eq!(second(&workspace, &["--freeze", "1"]).status.code(), Some(2));
}

/// Regression: the SHA-256 of the weights was that of the bytes in the checkpoint, with numbers that
/// are drawn anew for each network. A recipe that asked for the weights of a training refused those
/// that the same training gave the next time.
#[test]
fn the_same_training_gives_weights_with_the_same_digest() {
    if let Err(reason) = runtime() {
        return skip::skip(&reason);
    }
    let workspace = Workspace::new();
    let started_from = || {
        assert!(workspace.command(&["--replace", "--restart"]).status().unwrap().success());
        let from = workspace.checkpoint();
        let flags = ["--from", from.to_str().unwrap(), "--replace", "--restart"];
        let output = second(&workspace, &flags);
        assert!(output.status.success(), "{}", said(&output));
        let bundle = Bundle::open(&workspace.path("models/tones/2")).unwrap();
        bundle.manifest.training.unwrap().configuration["start"]["weights"].clone()
    };
    assert_eq!(started_from(), started_from());
}
