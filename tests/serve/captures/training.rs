//! `drsn-train` reads the folder.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use tempfile::tempdir;

use super::{bytes, flags, written};
use crate::{
    causes::windows,
    harness::{Server, has_runtime},
    skip,
};

/// The program `drsn-train`, if it is built; it is no dependency of the server.
fn trainer() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_BIN_EXE_drsn-serve")).with_file_name("drsn-train");
    path.is_file().then_some(path)
}

/// Runs a command that succeeds, and returns what it said.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "{said}");
    said
}

/// The commands are those of docs/diagnostics.md.
#[tokio::test(flavor = "multi_thread")]
async fn the_trainer_takes_a_baseline_from_the_folder_and_trains_on_it() {
    let (true, Some(windows)) = (has_runtime(), windows(80)) else { return };
    let Some(trainer) = trainer() else {
        return skip::skip("drsn-train is not built: cargo build -p drsn-train");
    };
    let (models, folder) = (tempdir().unwrap(), tempdir().unwrap());
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let copy = |from: &str| {
        run(Command::new("cp").arg("-r").arg(root.join(from)).arg(models.path()));
    };
    copy("models/bearing");
    let mut flags = flags(folder.path());
    flags.extend(["--capture-per-minute", "100000"]);
    flags[3] = "1";
    let server = Server::start(models.path(), &flags).await;
    for window in &windows {
        server.classify("/classify", "application/octet-stream", bytes(window)).await;
    }
    written(&server.url(""), windows.len() as u64).await;
    server.stop().await;

    let data = folder.path().join("bearing/1");
    let shell = |line: &str| run(Command::new("sh").args(["-c", line]).current_dir(&data));
    shell("awk 'NR == 1 || FNR > 1 && /[ ,]sample,/' */index.csv > index.csv");
    let index = data.join("index.csv");
    let train = |arguments: &[&str]| {
        let mut command = Command::new(&trainer);
        command.args(arguments).arg("--data").arg(&data).arg("--index").arg(&index);
        command
    };
    let bundle = models.path().join("bearing/1");
    let bundle = ["baseline", "--bundle", bundle.to_str().unwrap()];
    let unlabelled = train(&bundle).output().unwrap();
    let said = String::from_utf8_lossy(&unlabelled.stderr).into_owned();
    assert!(!unlabelled.status.success() && said.contains("has no label"), "{said}");

    shell("sed -i '1s/label/truth/; 1s/predicted/label/' index.csv");
    run(&mut train(&bundle));
    let manifest = fs::read_to_string(models.path().join("bearing/1/manifest.json")).unwrap();
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    assert!(manifest["baseline"]["data"].to_string().contains("split by its own list"));
    let dry = ["train", "--preset", "vibration", "--set", "data.split={by=\"list\"}", "--dry-run"];
    let said = run(train(&dry).args(["--set", "data.sample_rate_hz=48000"]));
    assert!(said.contains("48000 Hz") && said.contains(&windows.len().to_string()), "{said}");
}
