//! The examples, and the commands of README and of the page on curl, as a reader runs them.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    harness::{Process, has_runtime},
    recordings::wav_header,
    skip,
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn bundled() -> Process {
    Process::start(&root().join("models"), &["--default-model", "mnist", "--linger-ms", "0"])
}

/// Runs a command in the project's root and returns its output.
fn printed(command: &mut Command) -> String {
    let output = command.current_dir(root()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} ended with {}: {said}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

fn has(program: &str) -> bool {
    let is_there = Command::new(program).arg("--version").output().is_ok();
    if !is_there {
        skip::skip(&format!("{program} is missing"));
    }
    is_there
}

#[test]
fn every_line_of_the_page_on_curl_is_answered() {
    if !has_runtime() || !["bash", "curl", "perl"].into_iter().all(has) {
        return;
    }
    let page = std::fs::read_to_string(root().join("docs/curl.md")).unwrap();
    let blocks: Vec<&str> = page
        .split("```sh\n")
        .skip(1)
        .map(|rest| rest.split_once("```").map(|(block, _)| block).unwrap())
        .collect();
    assert!(blocks.len() >= 8, "{} blocks", blocks.len());
    let server = bundled();
    let script = blocks.join("\n").replace("localhost:8080", &server.address.to_string());
    let strict = "set -euo pipefail\ncurl() { command curl --fail-with-body -S \"$@\"; echo; }\n";
    let answers = printed(Command::new("bash").args(["-c", &format!("{strict}{script}")]));
    assert!(answers.matches("\"label\":\"7\"").count() > 4, "{answers}");
    for part in ["again.png", "x-request-id: line-7", "\"windows\"", "input_shift_p_value", "READY"]
    {
        assert!(answers.contains(part), "no {part} in\n{answers}");
    }
}

#[test]
fn the_python_example_classifies_files_and_names_what_it_cannot() {
    if !has_runtime() || !has("python3") {
        return;
    }
    let server = bundled();
    let url = format!("http://{}", server.address);
    let example = || {
        let mut command = Command::new("python3");
        command.arg("examples/classify.py").args(["--server", &url]);
        command
    };
    let said = printed(example().arg("tests/data/seven.png"));
    assert!(
        said.starts_with("tests/data/seven.png: 7 (") && said.contains("thresholds of"),
        "{said}"
    );
    let whole = printed(example().args([
        "--json",
        "--model",
        "mnist",
        "--option",
        "top_k=1",
        "tests/data/seven.png",
    ]));
    let answer: serde_json::Value = serde_json::from_str(&whole).unwrap();
    assert_eq!(answer["predictions"][0]["probabilities"].as_array().map(Vec::len), Some(1));
    let refused = example().arg("Cargo.toml").current_dir(root()).output().unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(refused.status.code() == Some(1) && said.starts_with("Cargo.toml: "), "{said}");
    assert!(!said.contains("Traceback"), "{said}");
}

#[test]
fn the_readme_shows_what_the_server_answers() {
    if !has_runtime() || !["bash", "curl", "jq"].into_iter().all(has) {
        return;
    }
    let page = std::fs::read_to_string(root().join("README.md")).unwrap();
    let (command, rest) = page.split_once("```sh\ncurl").unwrap().1.split_once("```").unwrap();
    let shown = rest.split_once("```json\n").unwrap().1.split_once("```").unwrap().0;
    let server = bundled();
    let command = format!("curl{}", command.replace("localhost:8080", &server.address.to_string()));
    let answered = printed(Command::new("bash").args(["-c", &command]));
    let lines = |text: &str| -> Vec<serde_json::Value> {
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let (shown, answered) = (lines(shown), lines(&answered));
    assert_eq!(shown.len(), answered.len());
    for (shown, answered) in shown.iter().zip(&answered) {
        let (shown, answered) = (shown.as_object().unwrap(), answered.as_object().unwrap());
        assert!(shown.keys().eq(answered.keys()), "{shown:?} is answered by {answered:?}");
        for (name, value) in shown {
            let same = match (value.as_f64(), answered[name].as_f64()) {
                // Times differ from run to run.
                _ if name.ends_with("_us") => true,
                (Some(shown), Some(answered)) => (shown - answered).abs() <= 1e-3 * shown.abs(),
                _ => *value == answered[name],
            };
            assert!(
                same,
                "README shows {value} as {name}, and the server answers {}",
                answered[name]
            );
        }
    }
}

#[test]
fn the_picture_of_thresholds_is_drawn_of_one_input_and_of_two() {
    if !has_runtime() || !has("python3") {
        return;
    }
    let server = bundled();
    let folder = tempfile::tempdir().unwrap();
    let draw = |name: &str, arguments: &[&str]| {
        let (out, url) = (folder.path().join(name), format!("http://{}", server.address));
        let mut command = Command::new("python3");
        command.args(["examples/plot_thresholds.py", "--server", &url, "--out"]).arg(&out);
        let said = printed(command.args(arguments));
        assert!(said.contains("thresholds of "), "{said}");
        std::fs::read_to_string(out).unwrap()
    };
    let one = draw("one.svg", &["tests/data/seven.png"]);
    let two = draw("two.svg", &["tests/data/seven.png", "--noise", "0.5"]);
    // One mark for each of the 112 channels and one in the legend, with one shape for each input.
    assert_eq!((one.matches("<circle").count(), two.matches("<circle").count()), (113, 113));
    assert_eq!(two.matches("fill=\"#d55e00\"/>").count(), 113 + 3, "diamonds, and a bar a block");
    for words in ["mnist/1", "stage3.block1", "class 7", "input shift: alarm", "U(0, 1)"] {
        assert!(two.contains(words), "no {words}");
    }
    let committed = std::fs::read_to_string(root().join("docs/images/thresholds.svg")).unwrap();
    let texts = |svg: &str| svg.matches("<text").count();
    assert_eq!(texts(&committed), texts(&two), "draw docs/images/thresholds.svg again");
    let mut refused = Command::new("python3");
    refused.args(["examples/plot_thresholds.py", "Cargo.toml", "--noise", "0.5"]);
    let said = refused.current_dir(root()).output().unwrap();
    assert_eq!(said.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&said.stderr).starts_with("--noise needs a PNG file"));
}

#[test]
fn the_example_of_a_stream_is_answered_window_by_window() {
    if !has_runtime() {
        return;
    }
    let Some(python) = std::env::var_os("DRSN_PYTHON") else {
        return skip::skip("DRSN_PYTHON names no Python with tests/requirements.txt installed");
    };
    let samples: Vec<i16> = (0..5000).map(|n: i32| (n * n % 20_011 - 10_000) as i16).collect();
    let mut file = wav_header(48_000, 1, 1, 16, 2 * samples.len() as u32);
    file.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.wav");
    std::fs::write(&path, file).unwrap();
    let server = bundled();
    let mut command = Command::new(python);
    command.args(["examples/stream.py", "--model", "bearing", "--overlap", "0.5", "--server"]);
    let said = printed(command.arg(server.grpc.to_string()).arg(path));
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 4, "{said}");
    assert!(lines[2].starts_with("2048 to 4096: "), "{said}");
    assert_eq!(lines[3], "3 windows, 904 samples left over");
}

#[test]
fn the_example_for_many_files_sends_all_of_them() {
    if !has_runtime() {
        return;
    }
    // Cargo builds examples beside the tests.
    let tests: PathBuf = std::env::current_exe().unwrap();
    let example = tests.ancestors().nth(2).unwrap().join("examples/load");
    if !example.exists() {
        return skip::skip("the example is not built: cargo build --example load");
    }
    let server = bundled();
    let url = format!("http://{}/classify?top_k=1", server.address);
    let mut command = Command::new(example);
    command.args(["--url", &url, "--clients", "4", "--requests", "40", "tests/data/seven.png"]);
    let said = printed(&mut command);
    assert!(said.starts_with("40 answers in ") && said.contains("median"), "{said}");
}
