//! What remains if a training or an export is killed, or the training diverges.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use drsn_bundle::Bundle;
use drsn_train::{
    random::{Purpose, stream},
    training::Position,
};
use rand::RngExt as _;

use crate::{
    skip,
    support::runtime,
    workspace::{EPOCHS, Workspace, last_line, names, said},
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
    // The last run deleted what the killed ones left.
    assert_eq!(names(&workspace.path("models/tones")), ["1"]);
    let left = names(&workspace.path("checkpoints"));
    let hidden = left.iter().filter(|name| name.starts_with('.'));
    assert_eq!(hidden.count(), 0, "{left:?}");
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
        let mut training = silent(&mut command);
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

/// Starts a program that says nothing.
fn silent(command: &mut Command) -> Child {
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// The old version was once moved away before the new one took its place: a program that was killed
/// in between left no version at all.
#[test]
fn an_export_that_is_killed_leaves_the_old_bundle_or_the_new_one() {
    if let Err(reason) = runtime() {
        return skip::skip(&reason);
    }
    let (workspace, early) = killed_early();
    let trained = workspace.command(&["--resume"]).output().unwrap();
    assert!(trained.status.success(), "{}", said(&trained));
    let model = |models: &str| fs::read(workspace.path(models).join("tones/1/model.onnx")).unwrap();
    let started = Instant::now();
    let output = workspace.export(&early, "undisturbed", &[]).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let whole = started.elapsed();
    let (old, new) = (model("models"), model("undisturbed"));
    assert!(old != new, "the bundles of different epochs differ");

    let mut rng = stream(7, Purpose::Evaluation, 0, 0);
    for kill in 0..KILLS / 2 {
        // "models" has an old version to replace; "first" is empty.
        for models in ["models", "first"] {
            let mut export = silent(&mut workspace.export(&early, models, &["--replace"]));
            let delay = if kill % 2 == 0 {
                whole.mul_f64(rng.random_range(0.3..1.0))
            } else {
                wait_for_files(&workspace.path(models), &mut export);
                Duration::from_micros(rng.random_range(0..3_000))
            };
            thread::sleep(delay);
            export.kill().unwrap();
            export.wait().unwrap();
            let bundle = workspace.path(models).join("tones/1");
            if models == "models" || bundle.exists() {
                let bundle = Bundle::open(&bundle).unwrap();
                assert!(bundle.model == new || (models == "models" && bundle.model == old));
            }
        }
    }
    for models in ["models", "first"] {
        let output = workspace.export(&early, models, &["--replace"]).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        assert!(model(models) == new);
        // It deleted what the killed ones left.
        assert_eq!(names(&workspace.path(models)), ["tones"]);
        assert_eq!(names(&workspace.path(models).join("tones")), ["1"]);
    }
}

/// A training that was killed before its last epoch, and a copy of its checkpoint.
fn killed_early() -> (Workspace, PathBuf) {
    // On a busy machine a training may go on for too long before it is killed.
    for _ in 0..10 {
        let workspace = Workspace::new();
        let mut training = silent(&mut workspace.command(&[]));
        while !workspace.checkpoint().exists() && training.try_wait().unwrap().is_none() {
            thread::sleep(Duration::from_millis(1));
        }
        training.kill().unwrap();
        training.wait().unwrap();
        if (1..EPOCHS).contains(&workspace.position().epoch) {
            let early = workspace.path("early.checkpoint");
            fs::copy(workspace.checkpoint(), &early).unwrap();
            return (workspace, early);
        }
    }
    panic!("no training was killed between its first and its last epoch");
}

/// Waits until an export writes the files of its bundle to a hidden folder, or ends.
fn wait_for_files(models: &Path, export: &mut Child) {
    let begun = |folder: &Path| {
        let hidden = fs::read_dir(folder).into_iter().flatten().flatten();
        hidden
            .filter(|entry| entry.file_name().to_string_lossy().starts_with('.'))
            .any(|entry| fs::read_dir(entry.path()).is_ok_and(|files| files.count() > 0))
    };
    while !begun(models) && !begun(&models.join("tones")) && export.try_wait().unwrap().is_none() {
        thread::yield_now();
    }
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
