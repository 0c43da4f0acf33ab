//! The commands of docs/data-sets.md, on small sets with the names, folders and formats of the
//! originals: each trains a network, serves it, and gets an answer.

mod files;
mod miniatures;

use std::{
    env, fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use clap::Parser as _;
use drsn_serve::{config::Config, server};
use serde_json::Value;

use crate::{skip, support::runtime, workspace::said};

/// Has the shell stop at the first failure, and every training be small.
const SMALL: &str = r#"set -euo pipefail
drsn-train() {
  "$DRSN_TRAIN" "$@" --epochs 1 --limit 32 --batch 16 --threads 1 --set evaluate=[] \
    --set 'network.stem={channels=4,kernel=3,stride=2}' \
    --set 'network.stages=[{channels=4,blocks=1,stride=4}]'
}
"#;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The commands of a section: those before the question, and the question to the server.
fn commands(section: &str) -> (String, String) {
    let page = fs::read_to_string(root().join("docs/data-sets.md")).unwrap();
    let (_, rest) = page.split_once(&format!("\n## {section}\n")).unwrap();
    let section = rest.split("\n## ").next().unwrap();
    let blocks: Vec<&str> = section
        .split("```sh\n")
        .skip(1)
        .map(|rest| rest.split_once("```").map(|(block, _)| block).unwrap())
        .collect();
    let script = blocks.concat();
    let (training, question) = script.split_once("\ncurl ").unwrap();
    (format!("{training}\n"), format!("curl {question}"))
}

fn bash(folder: &Path, script: &str) -> Output {
    Command::new("bash")
        .args(["-c", script])
        .current_dir(folder)
        .env("DRSN_TRAIN", env!("CARGO_BIN_EXE_drsn-train"))
        .output()
        .unwrap()
}

/// Serves the models of a folder, and asks it by a command.
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn answer(folder: &Path, question: &str) -> Value {
    let models = folder.join("models");
    let flags = ["drsn-serve", "--http", "127.0.0.1:0", "--grpc", "off", "--device", "cpu"];
    let rest = ["--linger-ms", "0", "--models", models.to_str().unwrap()];
    let config = Config::parse_from(flags.iter().chain(&rest));
    let listeners = server::bind(&config).await.unwrap();
    let address = listeners.http.local_addr().unwrap().to_string();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(server::run(config, listeners, async { drop(stopped.await) }));
    while reqwest::get(format!("http://{address}/readyz")).await.unwrap().status() != 200 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let script = format!("set -euo pipefail\n{}", question.replace("localhost:8080", &address));
    let folder = folder.to_owned();
    let output = tokio::task::spawn_blocking(move || bash(&folder, &script)).await.unwrap();
    drop(stop);
    serving.await.unwrap().unwrap();
    assert!(output.status.success(), "{question}: {}", said(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Runs a section of the page in a folder. Returns what the training said and the prediction.
fn run(section: &str, folder: &Path) -> (String, Value) {
    let (training, question) = commands(section);
    let output = bash(folder, &format!("{SMALL}{training}"));
    assert!(output.status.success(), "{section}: {}", said(&output));
    let answer = answer(folder, &question);
    let prediction = answer["predictions"][0].clone();
    assert!(prediction["label"].is_string(), "{section}: {answer}");
    (said(&output), prediction)
}

/// Whether the commands can be run.
fn can_run() -> bool {
    let missing = ["bash", "curl", "awk"]
        .into_iter()
        .find(|program| Command::new(program).arg("--version").output().is_err());
    match (missing, runtime()) {
        (None, Ok(_)) => return true,
        (Some(program), _) => skip::skip(&format!("{program} is missing")),
        (None, Err(reason)) => skip::skip(&reason),
    }
    false
}

/// What an answer says of the recording: its windows, variable, channels, rate and notices.
fn what_was_read(prediction: &Value) -> String {
    let texts = |list: &Value, field: &str| {
        let list = list.as_array().map_or(&[][..], Vec::as_slice);
        let text = |item: &Value| item.get(field).unwrap_or(item).as_str().unwrap().to_owned();
        list.iter().map(text).collect::<Vec<_>>().join(" ")
    };
    let input = &prediction["input"];
    format!(
        "{} windows of {:?} [{}] at {} Hz ({})",
        prediction["windows"].as_array().map_or(1, Vec::len),
        input["variable"].as_str().unwrap_or_default(),
        texts(&input["channels"], ""),
        input["sample_rate_hz"],
        texts(&prediction["notices"], "code")
    )
}

/// Writes a set into a folder of its own, runs its section, and compares what was read with what
/// is in the files.
fn check(section: &str, name: &str, write: fn(&Path), expected: &str) -> String {
    if !can_run() {
        return String::new();
    }
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join(name));
    let (said, prediction) = run(section, folder.path());
    assert_eq!(what_was_read(&prediction), expected, "{section}");
    said
}

#[test]
fn paderborn() {
    let field = "N09_M07_F10_K006_1.Y[6].Data";
    let expected = format!("3 windows of {field:?} [{field}] at 64000.0 Hz ()");
    check("Paderborn", "paderborn", miniatures::paderborn, &expected);
}

#[test]
fn mfpt() {
    let expected = "3 windows of \"bearing.gs\" [bearing.gs] at 97656.0 Hz ()";
    check("MFPT", "MFPT Fault Data Sets", miniatures::mfpt, expected);
}

#[test]
fn ims() {
    check("IMS", "ims", miniatures::ims, "3 windows of \"\" [2] at 20000.0 Hz ()");
}

#[test]
fn xjtu_sy() {
    let channels = "Horizontal_vibration_signals Vertical_vibration_signals";
    let expected = format!("3 windows of \"\" [{channels}] at 25600.0 Hz ()");
    check("XJTU-SY", "xjtu", miniatures::xjtu, &expected);
}

#[test]
fn jnu() {
    check("JNU", "jnu", miniatures::jnu, "15 windows of \"\" [0] at 50000.0 Hz ()");
}

#[test]
fn seu() {
    let expected = "12 windows of \"\" [Channel 2 Channel 3 Channel 4] at null Hz (lines_skipped)";
    check("SEU", "gearbox", miniatures::seu, expected);
}

#[test]
fn mit_bih() {
    let expected = "1 windows of \"\" [0] at 125.0 Hz ()";
    check("MIT-BIH", "heartbeats", miniatures::heartbeats, expected);
}

#[test]
fn esc_50() {
    let expected = "2 windows of \"\" [0] at 44100.0 Hz ()";
    let said = check("ESC-50", "ESC-50-master", miniatures::esc_50, expected);
    let told = "windows were left out because a channel is constant: 1-100030-A-0.wav (";
    assert!(said.is_empty() || said.contains(told), "{said}");
}

#[test]
fn speech_commands() {
    let expected = "1 windows of \"\" [0] at 16000.0 Hz ()";
    let said = check("Speech Commands", "speech_commands", miniatures::speech_commands, expected);
    let told = "3 recordings are shorter than a window of 16000, and extended to one";
    assert!(said.is_empty() || said.contains(told), "{said}");
}

/// On the original files.
#[test]
fn cwru() {
    let data =
        env::var_os("DRSN_TEST_DATA").map_or_else(|| root().join("../shared/data"), PathBuf::from);
    let originals = data.join("cwru");
    if !originals.is_dir() {
        return skip::skip(&format!("requires the recordings in {}", originals.display()));
    }
    if !can_run() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    symlink(fs::canonicalize(originals).unwrap(), folder.path().join("cwru")).unwrap();
    symlink(root().join("crates"), folder.path().join("crates")).unwrap();
    let (_, prediction) = run("CWRU", folder.path());
    let expected = "60 windows of \"X105_DE_time\" [X105_DE_time] at 12000.0 Hz ()";
    assert_eq!(what_was_read(&prediction), expected);
}

/// Not of a set on the page: what older programs save, without a line of commands for it.
#[test]
fn version_4_of_matlab() {
    if !can_run() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    miniatures::version_4(&folder.path().join("recordings"));
    let train = "drsn-train train --preset paper-1d --name old --data recordings \
                 --set data.variable=DE_time --set data.sample_rate_hz=12000";
    let output = bash(folder.path(), &format!("{SMALL}{train}"));
    assert!(output.status.success(), "{}", said(&output));
    let question = "curl -s localhost:8080/classify -F file=@recordings/worn/0.mat";
    let answer = answer(folder.path(), question);
    let expected = "15 windows of \"DE_time\" [DE_time] at 12000.0 Hz (rate_assumed)";
    assert_eq!(what_was_read(&answer["predictions"][0]), expected);
}

/// The table at the top links to every section, and every section is tested.
#[test]
fn every_section_is_tested() {
    let page = fs::read_to_string(root().join("docs/data-sets.md")).unwrap();
    let sections: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let tested = "CWRU, Paderborn, MFPT, IMS, XJTU-SY, JNU, SEU, MIT-BIH, ESC-50, Speech Commands";
    assert_eq!(sections.join(", "), tested);
    for section in sections {
        let link = format!("| [{section}](#{}) |", section.to_lowercase().replace(' ', "-"));
        assert!(page.contains(&link), "{link}");
    }
}
