//! A disk that is full, at every step that writes: one sentence says which file could not be written
//! and why, no half file is left, and what existed stays.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use drsn_bundle::Bundle;
use drsn_train::training::Checkpoint;

use crate::{
    skip,
    support::runtime,
    workspace::{Workspace, contents, last_line, said},
};

/// Unit of `ulimit -f`, in bytes.
const BLOCK: usize = 512;

/// Runs a command whose files can have at most so many blocks: the system refuses to write more,
/// without a disk that is full.
fn limited(command: &Command, blocks: usize) -> Output {
    let mut limited = Command::new("sh");
    limited.args(["-c", "trap '' XFSZ; ulimit -f \"$0\"; exec \"$@\"", &blocks.to_string()]);
    limited.arg(command.get_program()).args(command.get_args()).output().unwrap()
}

/// Runs a command that cannot write a file, and returns the one sentence that it ends with.
fn refused(command: &Command, blocks: usize) -> String {
    let output = limited(command, blocks);
    let sentence = last_line(&output);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(sentence.starts_with("drsn-train: cannot write "), "{sentence}");
    assert!(sentence.contains("File too large"), "{sentence}");
    sentence
}

/// Blocks into which a file does not fit.
fn too_few_for(path: &Path) -> usize {
    (fs::metadata(path).unwrap().len() as usize - 1) / BLOCK
}

/// A finished training.
fn trained() -> Workspace {
    let workspace = Workspace::new();
    let output = workspace.command(&[]).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    workspace
}

#[test]
fn a_training_that_cannot_write_a_checkpoint_leaves_the_last_one_and_continues_from_it() {
    if let Err(reason) = runtime() {
        return skip::skip(&reason);
    }
    let undisturbed = trained();
    let workspace = Workspace::new();
    for blocks in [0, 1, too_few_for(&undisturbed.checkpoint()) / 2] {
        let sentence = refused(&workspace.command(&[]), blocks);
        assert!(sentence.contains("tones.best.checkpoint: "), "{sentence}");
        assert!(contents(&workspace.path("checkpoints")).is_empty(), "{blocks} blocks");
    }
    // A checkpoint grows by about 200 bytes with each epoch, so that the first ones fit and the last
    // one does not. The digits of measured times, and with them its size, differ between trainings.
    let size = fs::metadata(undisturbed.checkpoint()).unwrap().len() as usize;
    let sentence = refused(&workspace.command(&[]), (size - 200) / BLOCK);
    assert!(sentence.contains(".checkpoint: "), "{sentence}");
    let saved = workspace.position();
    assert!(saved.epoch > 0 && saved < undisturbed.position(), "{saved:?}");
    assert!(contents(&workspace.path("models")).is_empty());

    let finished = workspace.command(&["--resume"]).output().unwrap();
    assert!(finished.status.success(), "{}", said(&finished));
    let file = |workspace: &Workspace, name: &str| fs::read(workspace.bundle().join(name)).unwrap();
    for name in ["model.onnx", "golden.json"] {
        assert!(file(&workspace, name) == file(&undisturbed, name), "{name}");
    }
}

#[test]
fn an_export_that_cannot_write_a_file_leaves_the_old_bundle_or_none() {
    if let Err(reason) = runtime() {
        return skip::skip(&reason);
    }
    let workspace = trained();
    let before = contents(&workspace.path("models"));
    let checkpoint = workspace.checkpoint();
    for name in ["model.onnx", "golden.json", "manifest.json"] {
        let blocks = too_few_for(&workspace.bundle().join(name));
        for models in ["models", "first"] {
            let sentence = refused(&workspace.export(&checkpoint, models, &["--replace"]), blocks);
            let files = workspace.path(models).join("tones/1");
            assert!(sentence.contains(files.to_str().unwrap()), "{sentence}");
        }
        assert!(contents(&workspace.path("models")) == before, "{name}");
        assert!(contents(&workspace.path("first")).is_empty(), "{name}");
    }
    // The same at the end of a training, which then names the checkpoint to export.
    let sentence = refused(&workspace.command(&["--resume", "--replace"]), 1);
    assert!(sentence.contains("drsn-train export --checkpoint"), "{sentence}");
    assert!(contents(&workspace.path("models")) == before);
    // A new baseline replaces all files of the bundle.
    for name in ["model.onnx", "golden.json", "manifest.json"] {
        let baseline = workspace.asking("baseline", &["tones/1"], &[]);
        let sentence = refused(&baseline, too_few_for(&workspace.bundle().join(name)));
        assert!(sentence.contains("models/tones/1/"), "{name}: {sentence}");
    }
    assert!(contents(&workspace.path("models")) == before);
    Bundle::open(&workspace.bundle()).unwrap();
}

#[test]
fn a_report_that_cannot_be_written_leaves_whole_files() {
    if let Err(reason) = runtime() {
        return skip::skip(&reason);
    }
    let workspace = trained();
    let report = |name: &str| workspace.path("reports").join(name);
    let evaluation = |name: &str| {
        let folder = report(name);
        workspace.asking("evaluate", &["tones/1"], &["--report", folder.to_str().unwrap()])
    };
    assert!(evaluation("whole").output().unwrap().status.success());
    let whole = contents(&report("whole"));
    for name in ["training.png", "report.html", "report.json"] {
        let blocks = too_few_for(&report("whole").join(name));
        for folder in ["whole", "new"] {
            let sentence = refused(&evaluation(folder), blocks);
            assert!(sentence.contains(report(folder).to_str().unwrap()), "{sentence}");
        }
        assert!(contents(&report("whole")) == whole, "{name}");
        let new = contents(&report("new"));
        assert!(!new.keys().any(|path| path.ends_with("report.html")), "{new:?}");
        assert!(new.iter().all(|(path, bytes)| whole.get(path) == Some(bytes)), "{name}");
    }
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
