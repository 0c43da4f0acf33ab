//! What the process keeps when it is killed, when the disk is full, and when the training diverges.

use std::{
    fs,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use drsn_bundle::Bundle;
use drsn_train::{
    random::{Purpose, stream},
    training::{Checkpoint, Position},
};
use rand::RngExt as _;

use crate::{
    place::{Place, last_line, said},
    skip,
    support::runtime,
};

/// Kills until a training may come to its end.
const KILLS: usize = 12;

#[test]
fn a_training_that_is_killed_again_and_again_gives_the_model_of_one_that_never_was() {
    if let Err(reason) = runtime() {
        return skip::skip(&reason);
    }
    let undisturbed = Place::new();
    let started = Instant::now();
    let output = undisturbed.command(&[]).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let whole = started.elapsed();

    // How long a training takes differs from moment to moment: where it was over too soon, it is killed sooner.
    let (place, kills) = [0.4, 0.2, 0.1, 0.05]
        .into_iter()
        .map(|longest| killed_until_it_is_done(whole.mul_f64(longest)))
        .find(|(_, kills)| *kills >= 3)
        .expect("a training that was killed several times");
    Bundle::open(&place.bundle()).unwrap();
    let model = |place: &Place| fs::read(place.bundle().join("model.onnx")).unwrap();
    assert!(model(&place) == model(&undisturbed), "after {kills} kills");
}

/// Trains and goes on after each kill, which comes at a random moment of so much time; how often it was killed.
fn killed_until_it_is_done(longest: Duration) -> (Place, usize) {
    let place = Place::new();
    let mut rng = stream(6, Purpose::Evaluation, 0, 0);
    let (mut before, mut kills) = (Position::default(), 0);
    while !place.bundle().exists() {
        let flags: &[&str] = if place.checkpoint().exists() { &["--resume"] } else { &[] };
        let mut command = place.command(flags);
        let mut training = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        if kills < KILLS {
            thread::sleep(longest.mul_f64(rng.random_range(0.05..1.0)));
            training.kill().unwrap();
        }
        let ended = training.wait().unwrap();
        kills += usize::from(!ended.success());
        assert!(kills <= KILLS, "it was not killed, and failed: {ended}");
        // A checkpoint is whole or not there, what was saved stays saved, and a bundle is whole or not there.
        let now = place.position();
        assert!(now >= before, "{now:?} after {before:?}");
        before = now;
    }
    (place, kills)
}

#[test]
fn a_loss_that_is_no_number_ends_the_training_in_one_sentence() {
    if let Err(reason) = runtime() {
        return skip::skip(&reason);
    }
    let place = Place::new();
    let output = place.command(&["--set", "optimizer.learning_rate=1e30"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let sentence = last_line(&output);
    assert!(sentence.contains("diverged; try a lower learning rate"), "{sentence}");
    assert!(!place.bundle().exists());
}

/// The disk becomes full between the first checkpoint and the bundle: a file system in memory that is too small for
/// both, mounted in a namespace of its own.
#[test]
fn a_full_disk_costs_neither_the_last_checkpoint_nor_leaves_half_a_bundle() {
    if let Err(reason) = runtime() {
        return skip::skip(&reason);
    }
    let place = Place::new();
    let checkpoints = place.path("checkpoints");
    fs::create_dir_all(&checkpoints).unwrap();
    let inside = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--user", "--map-root-user", "sh", "-c", script, "sh"]);
        command.arg(&checkpoints).arg(env!("CARGO_BIN_EXE_drsn-train"));
        command
    };
    // The first checkpoints, of the last and of the best epoch, fit; another beside them does not.
    let elsewhere = Place::new();
    assert!(elsewhere.command(&[]).status().unwrap().success());
    let size = fs::metadata(elsewhere.checkpoint()).unwrap().len();
    let mount = format!("mount -t tmpfs -o size={} tmpfs \"$1\"", size * 5 / 2);
    if !inside(&mount).status().is_ok_and(|status| status.success()) {
        return skip::skip("it needs a namespace with a file system of its own (unshare, mount)");
    }
    // What is left is copied to where it can be looked at.
    let script = format!(
        "{mount} && cd \"$1\" && shift && \"$@\"; code=$?; ls -A; cp tones.checkpoint ../kept; exit $code"
    );
    let mut command = inside(&script);
    place.arguments(&mut command, &[]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let sentence = last_line(&output);
    assert!(sentence.contains("cannot write") && sentence.contains("No space left"), "{sentence}");
    assert!(sentence.contains("tones"), "{sentence}");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "tones.best.checkpoint\ntones.checkpoint\n"
    );
    assert_eq!(Checkpoint::load(&place.path("kept")).unwrap().position.epoch, 1);
    assert!(!place.bundle().exists());
}
