//! What remains if a training or an export is killed, or the training diverges.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::MetadataExt as _,
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
    workspace::{EPOCHS, Workspace, contents, last_line, names, said},
};

/// Maximum number of kills.
const KILLS: usize = 12;

/// Where a training is killed: what it says when a phase begins, and how often.
const PHASES: [(&str, usize); 3] =
    [("", 8), ("measuring the statistics", 6), ("comparing the exported model", 6)];

/// A training that was killed while it measured statistics once began again from its first epoch
/// without a word.
#[test]
fn a_training_that_is_killed_at_twenty_moments_gives_the_bundle_of_one_that_never_was() {
    if let Err(reason) = runtime() {
        return skip::skip(&reason);
    }
    let undisturbed = Workspace::new();
    let lengths = lengths_of_phases(&mut undisturbed.command(&[]));

    let workspace = Workspace::new();
    let mut rng = stream(6, Purpose::Evaluation, 0, 0);
    let (mut before, mut kills) = (Position::default(), 0);
    for ((begin, times), length) in PHASES.into_iter().zip(lengths) {
        // Eight kills in the training, each after a sixth of it at most.
        let longest = if begin.is_empty() { length / EPOCHS as u32 } else { length };
        for _ in 0..times {
            let flags: &[&str] = match workspace.checkpoint().exists() {
                false => &[],
                // The export is repeated although an earlier one may be complete.
                true if begin.starts_with("comparing") => &["--resume", "--replace"],
                true => &["--resume"],
            };
            let delay = longest.mul_f64(rng.random_range(0.0..1.0));
            kills += usize::from(killed(&mut workspace.command(flags), begin, delay));
            // Checkpoints and bundles are complete or missing, and what was saved stays saved.
            let now = workspace.position();
            assert!(now >= before, "{now:?} after {before:?}");
            before = now;
            if workspace.bundle().exists() {
                Bundle::open(&workspace.bundle()).unwrap();
            } else if workspace.checkpoint().exists() {
                let output = workspace.command(&[]).output().unwrap();
                assert!(last_line(&output).contains("add --resume"), "{}", said(&output));
            }
        }
    }
    assert!(kills >= 10, "only {kills} kills came before the end");
    let output = workspace.command(&["--resume"]).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let models = |workspace: &Workspace| contents(&workspace.path("models"));
    assert!(models(&workspace) == models(&undisturbed), "after {kills} kills");
    // The last run deleted what the killed ones left.
    let left = names(&workspace.path("checkpoints"));
    assert!(!left.iter().any(|name| name.starts_with('.')), "{left:?}");

    // Nothing is left to do now: the command says so, and a new training may begin.
    let bundle = fs::metadata(workspace.bundle()).unwrap().ino();
    let output = workspace.command(&["--resume"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && text.starts_with("nothing to resume"), "{text}");
    assert_eq!(fs::metadata(workspace.bundle()).unwrap().ino(), bundle);
    let output = workspace.command(&["--replace"]).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
}

/// Lines of a program's progress as they come.
fn progress(command: &mut Command) -> (Child, impl Iterator<Item = String>) {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    (child, lines)
}

/// Runs a training to its end, and measures its phases.
fn lengths_of_phases(command: &mut Command) -> Vec<Duration> {
    let (mut training, lines) = progress(command);
    let mut begins = vec![Instant::now()];
    for line in lines {
        if PHASES.iter().skip(begins.len()).any(|(begin, _)| line.contains(begin)) {
            begins.push(Instant::now());
        }
    }
    begins.push(Instant::now());
    assert!(training.wait().unwrap().success());
    assert_eq!(begins.len(), PHASES.len() + 1);
    begins.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

/// Runs a program and kills it so long after it has said that a phase begins; returns whether it
/// was still running.
fn killed(command: &mut Command, begin: &str, delay: Duration) -> bool {
    let (mut running, mut lines) = progress(command);
    if !begin.is_empty() {
        lines.by_ref().find(|line| line.contains(begin));
    }
    thread::sleep(delay);
    running.kill().unwrap();
    let ended = running.wait().unwrap();
    let rest: Vec<String> = lines.collect();
    assert!(ended.success() || ended.code().is_none(), "it failed: {rest:?}");
    !ended.success()
}

/// The finished trainings of a comparison: their folders, each with its place on the disk.
fn finished(study: &Path) -> BTreeMap<PathBuf, u64> {
    let folders = fs::read_dir(study).into_iter().flatten().flatten().map(|entry| entry.path());
    let bundles = folders.map(|folder| folder.join("1")).filter(|bundle| bundle.exists());
    bundles.map(|bundle| (bundle.clone(), fs::metadata(&bundle).unwrap().ino())).collect()
}

#[test]
fn a_comparison_that_is_killed_again_and_again_repeats_no_finished_training() {
    if let Err(reason) = runtime() {
        return skip::skip(&reason);
    }
    let undisturbed = Workspace::new();
    let started = Instant::now();
    let output = undisturbed.compare(&["--units", "cw,resnet", "--seeds", "1"]).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let whole = started.elapsed();

    let workspace = Workspace::new();
    let study = workspace.path("study");
    let command = || workspace.compare(&["--units", "cw,resnet", "--seeds", "1"]);
    let mut rng = stream(9, Purpose::Evaluation, 0, 0);
    let mut before = BTreeMap::new();
    for _ in 0..KILLS {
        killed(&mut command(), "", whole.mul_f64(rng.random_range(0.05..0.4)));
        let now = finished(&study);
        assert!(before.iter().all(|(bundle, place)| now.get(bundle) == Some(place)), "{now:?}");
        before = now;
    }
    let output = command().output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    for name in ["cw-seed1", "resnet-seed1"] {
        let bundle = |workspace: &Workspace| contents(&workspace.path("study").join(name));
        assert!(bundle(&workspace) == bundle(&undisturbed), "{name}");
    }
    assert!(
        output.stdout
            == undisturbed
                .compare(&["--units", "cw,resnet", "--seeds", "1"])
                .output()
                .unwrap()
                .stdout
    );
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
