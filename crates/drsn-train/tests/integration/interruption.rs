//! What remains if the process is killed, the disk is full, or the training diverges.

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
    skip,
    support::runtime,
    workspace::{Workspace, last_line, said},
};

/// Maximum number of kills.
const KILLS: usize = 12;

#[test]
fn a_training_that_is_killed_again_and_again_gives_the_model_of_one_that_never_was() {
    if let Err(reason) = runtime() {
        return skip::skip(&reason);
    }
    let undisturbed = Workspace::new();
    let started = Instant::now();
    let output = undisturbed.command(&[]).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let whole = started.elapsed();

    // The duration of a training varies: if it was over too soon, it is killed earlier.
    let (workspace, kills) = [0.4, 0.2, 0.1, 0.05]
        .into_iter()
        .map(|longest| killed_until_it_is_done(whole.mul_f64(longest)))
        .find(|(_, kills)| *kills >= 3)
        .expect("a training that was killed several times");
    Bundle::open(&workspace.bundle()).unwrap();
    let model = |workspace: &Workspace| fs::read(workspace.bundle().join("model.onnx")).unwrap();
    assert!(model(&workspace) == model(&undisturbed), "after {kills} kills");
}

/// Trains and resumes after each kill, which happens after a random time of at most `longest`;
/// returns the number of kills.
fn killed_until_it_is_done(longest: Duration) -> (Workspace, usize) {
    let workspace = Workspace::new();
    let mut rng = stream(6, Purpose::Evaluation, 0, 0);
    let (mut before, mut kills) = (Position::default(), 0);
    while !workspace.bundle().exists() {
        let flags: &[&str] = if workspace.checkpoint().exists() { &["--resume"] } else { &[] };
        let mut command = workspace.command(flags);
        let mut training = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        if kills < KILLS {
            thread::sleep(longest.mul_f64(rng.random_range(0.05..1.0)));
            training.kill().unwrap();
        }
        let ended = training.wait().unwrap();
        kills += usize::from(!ended.success());
        assert!(kills <= KILLS, "it was not killed, and failed: {ended}");
        // Checkpoints and bundles are complete or missing, and what was saved stays saved.
        let now = workspace.position();
        assert!(now >= before, "{now:?} after {before:?}");
        before = now;
    }
    (workspace, kills)
}

#[test]
fn a_loss_that_is_not_finite_ends_the_training_in_one_sentence() {
    if let Err(reason) = runtime() {
        return skip::skip(&reason);
    }
    let workspace = Workspace::new();
    let output = workspace.command(&["--set", "optimizer.learning_rate=1e30"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let sentence = last_line(&output);
    assert!(sentence.contains("try a lower learning rate"), "{sentence}");
    assert!(!workspace.bundle().exists());
}

/// The disk fills up between the first checkpoint and the bundle: a file system in memory, mounted
/// in a separate namespace, is too small for both.
#[test]
fn a_full_disk_costs_neither_the_last_checkpoint_nor_leaves_half_a_bundle() {
    if let Err(reason) = runtime() {
        return skip::skip(&reason);
    }
    let workspace = Workspace::new();
    let checkpoints = workspace.path("checkpoints");
    fs::create_dir_all(&checkpoints).unwrap();
    let inside = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--user", "--map-root-user", "sh", "-c", script, "sh"]);
        command.arg(&checkpoints).arg(env!("CARGO_BIN_EXE_drsn-train"));
        command
    };
    // The first two checkpoints, of the last and the best epoch, fit; a third one does not.
    let elsewhere = Workspace::new();
    assert!(elsewhere.command(&[]).status().unwrap().success());
    let size = fs::metadata(elsewhere.checkpoint()).unwrap().len();
    let mount = format!("mount -t tmpfs -o size={} tmpfs \"$1\"", size * 5 / 2);
    if !inside(&mount).status().is_ok_and(|status| status.success()) {
        return skip::skip("requires a namespace with a separate file system (unshare, mount)");
    }
    // What remains is copied out of the namespace.
    let script = format!(
        "{mount} && cd \"$1\" && shift && \"$@\"; code=$?; \
         ls -A; cp tones.checkpoint ../kept; exit $code"
    );
    let mut command = inside(&script);
    workspace.arguments(&mut command, &[]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let sentence = last_line(&output);
    assert!(sentence.contains("cannot write") && sentence.contains("No space left"), "{sentence}");
    assert!(sentence.contains("tones"), "{sentence}");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "tones.best.checkpoint\ntones.checkpoint\n"
    );
    assert_eq!(Checkpoint::load(&workspace.path("kept")).unwrap().position.epoch, 1);
    assert!(!workspace.bundle().exists());
}
