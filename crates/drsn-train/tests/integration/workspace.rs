//! A folder with recordings of two classes, and commands that train a small network on them.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use drsn_train::{
    random::{Purpose, stream},
    training::{Checkpoint, Position},
};
use rand::RngExt as _;

/// Epochs of a training.
pub(crate) const EPOCHS: usize = 6;

/// Writes recordings of two classes, a tone and noise, with one sample of this value.
fn recordings(folder: &Path, spike: Option<f32>) {
    let mut rng = stream(5, Purpose::Evaluation, 0, 0);
    for class in ["noise", "tone"] {
        let mut samples: Vec<f32> = (0..40_000)
            .map(|n| match class {
                "tone" => (n as f32 * 0.3).sin() + rng.random_range(-0.2..0.2),
                _ => rng.random_range(-1.0..1.0),
            })
            .collect();
        samples[5_000] = spike.unwrap_or(samples[5_000]);
        fs::create_dir_all(folder.join(class)).unwrap();
        fs::write(folder.join(class).join("recording.npy"), npy(&samples)).unwrap();
    }
}

/// An array of 32-bit floats in `NumPy`'s format.
pub(crate) fn npy(samples: &[f32]) -> Vec<u8> {
    let header =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({},), }}", samples.len());
    let header = format!("{header:<117}\n");
    let length = (header.len() as u16).to_le_bytes();
    let samples = samples.iter().flat_map(|sample| sample.to_le_bytes());
    [b"\x93NUMPY\x01\0", &length[..], header.as_bytes()]
        .concat()
        .into_iter()
        .chain(samples)
        .collect()
}

/// A folder with recordings and the results of trainings.
pub(crate) struct Workspace(tempfile::TempDir);

impl Workspace {
    pub(crate) fn new() -> Self {
        let workspace = Self(tempfile::tempdir().unwrap());
        recordings(&workspace.path("data"), None);
        workspace
    }

    /// With recordings of five machines, each in a folder of its own.
    pub(crate) fn with_groups() -> Self {
        let workspace = Self::new();
        for class in ["noise", "tone"] {
            let folder = workspace.path("data").join(class);
            let recording = fs::read(folder.join("recording.npy")).unwrap();
            fs::remove_file(folder.join("recording.npy")).unwrap();
            // The last bytes are samples: each machine has another part of them.
            let samples = &recording[recording.len() - 40_000 * 4..];
            for (machine, part) in samples.chunks(8_000 * 4).enumerate() {
                let values: Vec<f32> = part
                    .as_chunks::<4>()
                    .0
                    .iter()
                    .map(|bytes| f32::from_le_bytes(*bytes))
                    .collect();
                let inside = folder.join(format!("machine{machine}"));
                fs::create_dir_all(&inside).unwrap();
                fs::write(inside.join("recording.npy"), npy(&values)).unwrap();
            }
        }
        workspace
    }

    /// With a sample in each recording that is 100,000 times as large as the others.
    pub(crate) fn with_spikes() -> Self {
        let workspace = Self(tempfile::tempdir().unwrap());
        recordings(&workspace.path("data"), Some(1e5));
        workspace
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn checkpoint(&self) -> PathBuf {
        self.path("checkpoints/tones.checkpoint")
    }

    pub(crate) fn bundle(&self) -> PathBuf {
        self.path("models/tones/1")
    }

    /// Trains a small network on the recordings.
    pub(crate) fn command(&self, flags: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_drsn-train"));
        self.arguments(&mut command, flags);
        command
    }

    pub(crate) fn arguments(&self, command: &mut Command, flags: &[&str]) {
        command.args(["train", "--name", "tones"]);
        command.args(["--out".as_ref(), self.path("models").as_os_str()]);
        command.args(["--checkpoint".as_ref(), self.checkpoint().as_os_str()]);
        self.recipe(command);
        command.args(flags).stdin(Stdio::null());
    }

    /// Compares kinds of unit on the recordings.
    pub(crate) fn compare(&self, flags: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_drsn-train"));
        command.args(["compare", "--out"]).arg(self.path("study"));
        self.recipe(&mut command);
        command.args(flags).stdin(Stdio::null());
        command
    }

    /// Adds the recipe and the data, for `train` and `compare`.
    pub(crate) fn recipe(&self, command: &mut Command) {
        command.args(["--preset", "paper-1d", "--threads", "1"]);
        command.args(["--data".as_ref(), self.path("data").as_os_str()]);
        command.args(["--epochs", &EPOCHS.to_string()]);
        for setting in [
            "data.window=256",
            "data.hop=64",
            "batch=32",
            "evaluate=[]",
            "schedule.epochs=[4,5]",
            "network.stages=[{channels=4,blocks=1,stride=2},{channels=8,blocks=1,stride=2}]",
        ] {
            command.args(["--set", setting]);
        }
    }

    /// Exchanges the recordings of the two classes.
    pub(crate) fn swap_classes(&self) {
        let class = |name: &str| self.path("data").join(name);
        for (from, to) in [("noise", "kept"), ("tone", "noise"), ("kept", "tone")] {
            fs::rename(class(from), class(to)).unwrap();
        }
    }

    /// Exports a checkpoint to the folder of models of this name.
    pub(crate) fn export(&self, checkpoint: &Path, models: &str, flags: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_drsn-train"));
        command.args(["export", "--name", "tones", "--threads", "1"]);
        command.args(["--checkpoint".as_ref(), checkpoint.as_os_str()]);
        command.args(["--data".as_ref(), self.path("data").as_os_str()]);
        command.args(["--out".as_ref(), self.path(models).as_os_str()]);
        command.args(flags).stdin(Stdio::null());
        command
    }

    /// Runs `evaluate` or `baseline` on bundles.
    pub(crate) fn ask(&self, command: &str, bundles: &[&str], flags: &[&str]) -> Output {
        self.asking(command, bundles, flags).output().unwrap()
    }

    /// The command that runs `evaluate` or `baseline` on bundles.
    pub(crate) fn asking(&self, command: &str, bundles: &[&str], flags: &[&str]) -> Command {
        let mut asked = Command::new(env!("CARGO_BIN_EXE_drsn-train"));
        asked.args([command, "--threads", "1"]);
        asked.args(["--data".as_ref(), self.path("data").as_os_str()]);
        for bundle in bundles {
            asked.args(["--bundle".as_ref(), self.path("models").join(bundle).as_os_str()]);
        }
        asked.args(flags);
        asked
    }

    /// The position of the checkpoint; the start if there is none.
    pub(crate) fn position(&self) -> Position {
        let path = self.checkpoint();
        if path.exists() { Checkpoint::load(&path).unwrap().position } else { Position::default() }
    }
}

/// Names of the entries of a folder, hidden ones as well, sorted.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Everything in a folder: paths relative to it, with the bytes of files and `None` for folders.
pub(crate) fn contents(folder: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    for name in names(folder) {
        let path = folder.join(&name);
        let inside = if path.is_dir() { contents(&path) } else { BTreeMap::new() };
        found.insert(PathBuf::from(&name), fs::read(&path).ok());
        found
            .extend(inside.into_iter().map(|(below, bytes)| (Path::new(&name).join(below), bytes)));
    }
    found
}

pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The last line of standard error, after progress reports.
pub(crate) fn last_line(output: &Output) -> String {
    said(output).lines().last().unwrap_or_default().to_owned()
}
