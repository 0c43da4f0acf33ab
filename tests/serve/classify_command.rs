//! `drsn-serve classify`: the answers are the server's, in every format.

mod ends;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::{Value, json};

use crate::{
    habits::gzip,
    harness::{self, Server, has_runtime},
    recordings::{noise, npy, wav},
    tiny,
};

/// The command with these arguments, on the processor.
fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_drsn-serve"));
    command.arg("classify").args(arguments).env("DRSN_DEVICE", "cpu");
    command
}

fn run(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The objects of the lines.
fn objects(output: &Output) -> Vec<Value> {
    text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn write(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, bytes).unwrap();
    path
}

/// A table of one window whose class is "minus" if `sign` is 1, and "plus" if it is -1.
fn table(sign: f32) -> String {
    rows((1..=8).map(|n| sign * n as f32))
}

/// A table of one column.
fn rows(numbers: impl Iterator<Item = f32>) -> String {
    numbers.map(|number| number.to_string()).collect::<Vec<_>>().join("\n")
}

/// Recordings of two classes, of which one is not recognised, and what does not belong to them.
fn labelled() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "plus/a.csv", table(-1.0));
    write(folder.path(), "plus/machine 2/b, \"new\".csv", table(-1.0));
    write(folder.path(), "minus/c.csv", table(1.0));
    write(folder.path(), "minus/d.csv", table(-1.0));
    write(folder.path(), "minus/notes.pdf", "no recording");
    write(folder.path(), "minus/.hidden.csv", table(1.0));
    write(folder.path(), "__MACOSX/minus/c.csv", "no recording");
    folder
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_answers_are_those_of_a_server_to_the_last_bit() {
    if !has_runtime() {
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let fixtures = root.join("crates/drsn-recording/tests/recordings");
    let files = tempfile::tempdir().unwrap();
    let long = noise(3 * 8192 + 5);
    let recordings = [
        (write(files.path(), "1.wav", wav(48000, std::slice::from_ref(&long))), "audio/wav"),
        (write(files.path(), "2.npy", npy("(3, 1, 4096)", &long[..3 * 4096])), "application/x-npy"),
        (write(files.path(), "3.csv", rows(long.iter().copied())), "text/csv"),
    ];
    let images = [(root.join("tests/data/seven.png"), "image/png")];
    let tables =
        [(fixtures.join("comma.csv"), "text/csv"), (fixtures.join("tall.mat"), "image/png")];
    let mut answered = 0;
    // What else is in a batch can change the last bits, so each window is its own.
    let server = Server::start(&root.join("models"), &["--max-batch", "1"]).await;
    let all = ["--overlap", "0.25", "--sample-rate-hz", "48000"];
    for (model, files, options, query) in [
        ("bearing", &recordings[..], &all[..], "overlap=0.25&sample_rate_hz=48000"),
        ("mnist", &images[..], &[][..], ""),
        ("bearing", &tables[..], &["--channel", "0"][..], "channel=0"),
    ] {
        let bundle = root.join("models").join(model);
        let paths = files.iter().map(|(path, _)| path.to_str().unwrap());
        let model_flags = ["--model", bundle.to_str().unwrap(), "--format", "jsonl"];
        let output = command(&model_flags)
            .args(["--diagnostics", "full", "--top-k", "3"])
            .args(options)
            .args(paths)
            .env("DRSN_MAX_BATCH", "1")
            .output()
            .unwrap();
        let lines = objects(&output);
        assert_eq!(lines.len(), files.len(), "{}", text(&output.stderr));
        for ((path, content_type), line) in files.iter().zip(lines) {
            let route = format!("/models/{model}/classify?diagnostics=full&top_k=3&{query}");
            let response = server.post(&route, content_type, fs::read(path).unwrap()).await;
            let answer = harness::json(response).await;
            if answer["predictions"].is_null() {
                assert_eq!(line["error"], answer["detail"], "{}", path.display());
            } else {
                assert_eq!(line["predictions"], answer["predictions"], "{}", path.display());
            }
            assert_eq!(line["file"], path.to_str().unwrap());
            answered += line["predictions"].as_array().map_or(0, Vec::len);
        }
    }
    assert_eq!(answered, 6);
    server.stop().await;
}

#[test]
fn a_table_is_for_people_with_a_confusion_matrix_if_folders_are_classes() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let model = models.path().join("tiny");
    let data = labelled();
    let output = command(&["--model", model.to_str().unwrap(), "minus", "plus"])
        .current_dir(data.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
    insta::assert_snapshot!(text(&output.stdout), @r#"
    file                         label  probability  windows  shift  level  notices
    minus/c.csv                  minus       1.0000        1  -      -
    minus/d.csv                  plus        1.0000        1  -      -
    plus/a.csv                   plus        1.0000        1  -      -
    plus/machine 2/b, "new".csv  plus        1.0000        1  -      -

    class of the folder \ predicted    0    1   recall
    0 plus                             2    0  100.0 %
    1 minus                            1    1   50.0 %
    accuracy 75.0 % (3 of 4)
    "#);
    assert_eq!(text(&output.stderr), "1 file was left out: minus/notes.pdf\n");
}

#[test]
fn comma_separated_values_have_a_row_for_each_input_and_each_file_that_failed() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let model = models.path().join("tiny/1");
    let data = labelled();
    write(data.path(), "minus/short.csv", "1\n2\n");
    write(data.path(), "unknown/two.npy", npy("(2, 1, 8)", &noise(16)));
    // The file of the answers lies among the recordings, and is not one of them.
    let answers = write(data.path(), "answers.csv", "the answers of yesterday");
    let output = command(&["--model", model.to_str().unwrap(), ".", "missing.wav"])
        .args(["--format", "csv", "--output", "answers.csv"])
        .current_dir(data.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stdout), "");
    let answers = fs::read_to_string(answers).unwrap();
    // The last digits depend on the processor.
    let cut = |value: &str| value.get(..4).filter(|cut| cut.starts_with("0.")).map(str::to_owned);
    let values = answers.split(',').map(|value| cut(value).unwrap_or_else(|| value.to_owned()));
    insta::assert_snapshot!(values.collect::<Vec<_>>().join(","), @r#"
    file,input,label,probability,windows,shift_alarm,level_alarm,notices,truth,error
    ./minus/c.csv,0,minus,0.99,1,,,,minus,
    ./minus/d.csv,0,plus,0.99,1,,,,minus,
    ./minus/short.csv,,,,,,,,minus,"the recording is too short: it has 2 samples per channel, but this model's window needs 8: record more, or train a model that extends short recordings with data.padding"
    ./plus/a.csv,0,plus,0.99,1,,,,plus,
    "./plus/machine 2/b, ""new"".csv",0,plus,0.99,1,,,,plus,
    ./unknown/two.npy,0,minus,0.50,1,,,,,
    ./unknown/two.npy,1,minus,0.67,1,,,,,
    missing.wav,,,,,,,,,cannot read it: No such file or directory (os error 2)
    "#);
    insta::assert_snapshot!(text(&output.stderr), @r"
    ./minus/short.csv: the recording is too short: it has 2 samples per channel, but this model's window needs 8: record more, or train a model that extends short recordings with data.padding
    missing.wav: cannot read it: No such file or directory (os error 2)
    1 file was left out: ./minus/notes.pdf
    2 of 7 files failed
    ");
}

#[test]
fn a_line_of_json_has_the_file_its_class_and_the_predictions_or_the_error() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let model = models.path().join("tiny");
    let data = labelled();
    write(data.path(), "empty.csv", "");
    let output = command(&["--model", model.to_str().unwrap(), "--format=jsonl"])
        .args(["--diagnostics=none", "empty.csv", "plus/a.csv"])
        .current_dir(data.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let lines = objects(&output);
    assert_eq!(lines[0], json!({"file": "empty.csv", "error": "it is empty"}));
    assert_eq!(lines[1]["file"], "plus/a.csv");
    assert_eq!(lines[1]["truth"], "plus");
    assert_eq!(lines[1]["predictions"][0]["label"], "plus");
    assert!(lines[1]["predictions"][0].get("diagnostics").is_none());
    assert_eq!(text(&output.stderr), "empty.csv: it is empty\n1 of 2 files failed\n");
}

/// `run.csv.gz` is read by the trainer and the server, and was refused here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_packed_file_is_read_as_what_is_in_it() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::signal_input(1))]);
    let folder = tempfile::tempdir().unwrap();
    let sound = wav(1000, &[noise(8)]);
    for (name, content) in [("a.csv.gz", table(1.0).into_bytes()), ("b.wav.gz", sound)] {
        write(folder.path(), name, gzip(&content));
    }
    let server = Server::start(models.path(), &[]).await;
    let bundle = models.path().join("tiny");
    for target in [["--model", bundle.to_str().unwrap()], ["--server", &server.url("")]] {
        let output = command(&["--format", "jsonl", folder.path().to_str().unwrap()])
            .args(target)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let lines = objects(&output);
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines.iter().all(|line| line["predictions"][0]["label"].is_string()), "{lines:?}");
        assert_eq!(lines[0]["predictions"][0]["label"], "minus");
    }
    server.stop().await;
}
