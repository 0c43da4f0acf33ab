//! A folder with recordings of two classes, and a small network that is trained on them by the program itself.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use drsn_train::{
    random::{Purpose, stream},
    training::{Checkpoint, Position},
};
use rand::RngExt as _;

const EPOCHS: usize = 6;

/// Two classes of recordings: a tone, and noise.
fn recordings(folder: &Path) {
    let mut rng = stream(5, Purpose::Evaluation, 0, 0);
    for class in ["noise", "tone"] {
        let samples: Vec<f32> = (0..40_000)
            .map(|n| match class {
                "tone" => (n as f32 * 0.3).sin() + rng.random_range(-0.2..0.2),
                _ => rng.random_range(-1.0..1.0),
            })
            .collect();
        fs::create_dir_all(folder.join(class)).unwrap();
        fs::write(folder.join(class).join("recording.npy"), npy(&samples)).unwrap();
    }
}

/// One row of 32-bit floats in `NumPy`'s format.
fn npy(samples: &[f32]) -> Vec<u8> {
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

/// A folder with recordings, and what a training leaves there.
pub(crate) struct Place(tempfile::TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        recordings(&place.path("data"));
        place
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

    /// A training of a small network on the recordings.
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

    /// The recipe and the data, as `train` and `compare` take them.
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

    /// Gives each class the recordings of the other one.
    pub(crate) fn swap_classes(&self) {
        let class = |name: &str| self.path("data").join(name);
        for (from, to) in [("noise", "kept"), ("tone", "noise"), ("kept", "tone")] {
            fs::rename(class(from), class(to)).unwrap();
        }
    }

    /// What a bundle is asked with: `evaluate` or `baseline`.
    pub(crate) fn ask(&self, command: &str, bundles: &[&str], flags: &[&str]) -> Output {
        let mut asked = Command::new(env!("CARGO_BIN_EXE_drsn-train"));
        asked.args([command, "--threads", "1"]);
        asked.args(["--data".as_ref(), self.path("data").as_os_str()]);
        for bundle in bundles {
            asked.args(["--bundle".as_ref(), self.path("models").join(bundle).as_os_str()]);
        }
        asked.args(flags).output().unwrap()
    }

    /// What a checkpoint says of its progress; the beginning where there is none.
    pub(crate) fn position(&self) -> Position {
        let path = self.checkpoint();
        if path.exists() { Checkpoint::load(&path).unwrap().position } else { Position::default() }
    }
}

pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A sentence in one line, after whatever was reported on the way.
pub(crate) fn last_line(output: &Output) -> String {
    said(output).lines().last().unwrap_or_default().to_owned()
}
