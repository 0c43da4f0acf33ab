//! Inputs that are kept: which, by every way in, and what a bad disk, a kill or a storm of alarms does.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use drsn_bundle::{InputSpec, Manifest};
use drsn_recording::{Limits, WavReader};
use drsn_serve::proto::{
    drsn::{ClassifyRequest, Detail, Signal, StreamStart, classify_request::Input},
    inference::{
        InferTensorContents, ModelInferRequest,
        grpc_inference_service_client::GrpcInferenceServiceClient,
        model_infer_request::InferInputTensor,
    },
};
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use crate::{
    baseline::{inputs, with_baseline},
    causes::windows,
    forms::FORM,
    grpc::{Classifier, channel, streams::Stream},
    harness::{self, Process, Server, eventually, has_runtime},
    hung_mount::HungMount,
    recordings::wav,
    skip, tiny,
};

/// A model of windows of 8 samples whose alarms are known: anything far from noise in [-1, 1].
fn models() -> TempDir {
    let InputSpec::Signal(mut signal) = tiny::signal_input(1) else { unreachable!() };
    signal.sample_rate_hz = Some(8000.0);
    repository(with_baseline("plain", InputSpec::Signal(signal)))
}

fn repository(manifest: Manifest) -> TempDir {
    let folder = tempdir().unwrap();
    harness::write_manifest(folder.path(), manifest);
    folder
}

/// A window that alarms, each number another one.
fn far(number: usize) -> Vec<f32> {
    inputs(number + 1, 8)[number].iter().map(|x| 100.0 * x).collect()
}

fn flags(folder: &Path) -> Vec<&str> {
    let folder = folder.to_str().unwrap();
    vec!["--capture", folder, "--capture-share", "0", "--capture-below", "0"]
}

/// The segments' folders.
fn segments(folder: &Path) -> Vec<PathBuf> {
    let list = |path: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(path).into_iter().flatten();
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.is_dir());
        paths.sort();
        paths
    };
    list(folder).iter().flat_map(|model| list(model)).flat_map(|version| list(&version)).collect()
}

/// The lines of all answers; each is whole, has a file of its own and a line in the index.
fn kept(folder: &Path) -> Vec<Value> {
    let mut lines = Vec::new();
    for segment in segments(folder) {
        let text = |name| fs::read_to_string(segment.join(name)).unwrap();
        let index = text("index.csv");
        let of_segment: Vec<Value> =
            text("answers.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(index.ends_with('\n'));
        for row in index.lines().skip(1) {
            let (file, _) = row.split_once(',').unwrap();
            assert!(of_segment.iter().any(|line| line["file"] == file), "{file}");
            samples(&segment.with_file_name(file));
        }
        lines.extend(of_segment);
    }
    lines
}

/// The samples of a file that was kept.
fn samples(path: &Path) -> Vec<f32> {
    let bytes = fs::read(path).unwrap();
    let mut reader = WavReader::new(bytes.as_slice(), &Limits::new(1 << 20, 1 << 20)).unwrap();
    assert_eq!(reader.sample_rate_hz().to_bits(), 8000_f64.to_bits());
    reader.next_block(100).unwrap().unwrap().iter().copied().collect()
}

/// The results of captures, by name.
async fn results(url: &str) -> BTreeMap<String, u64> {
    let text = reqwest::get(format!("{url}/metrics")).await.unwrap().text().await.unwrap();
    let of_line = |line: &str| {
        let (labels, count) = line.strip_prefix("drsn_captures_total{")?.split_once("} ")?;
        let result = labels.split_once("result=\"")?.1.trim_end_matches('"');
        Some((result.to_owned(), count.parse().unwrap()))
    };
    text.lines().filter_map(of_line).collect()
}

async fn written(url: &str, count: u64) {
    eventually("written", || async { results(url).await["written"] >= count }).await;
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_alarms_is_kept_by_whatever_way_it_came_as_it_came() {
    if !has_runtime() {
        return;
    }
    let (models, folder) = (models(), tempdir().unwrap());
    let server = Server::start(models.path(), &flags(folder.path())).await;
    let usual = inputs(1, 8)[0].clone();
    server.classify_json("/classify", json!({"signal": usual})).await;
    server.classify_json("/classify?diagnostics=none", json!({"signal": far(0)})).await;
    server.classify("/classify", "application/octet-stream", bytes(&far(1))).await;
    let tensor = json!({"inputs": [{"name": "input", "datatype": "FP32", "shape": [1, 1, 8], "data": far(2)}]});
    server.classify_json("/v2/models/plain/infer", tensor).await;
    // Only the second window of the recording alarms.
    let recording = [usual.clone(), far(3)].concat();
    server.classify("/classify", "application/octet-stream", bytes(&recording)).await;

    let mut classifier = Classifier::new(channel(server.grpc).await);
    let signal = Input::Signal(Signal { samples: far(4), channels: 1 });
    let request = ClassifyRequest {
        input: Some(signal),
        diagnostics: Detail::None as i32,
        ..ClassifyRequest::default()
    };
    classifier.classify(request).await.unwrap();
    let stream = Stream::open(&mut classifier, StreamStart::default()).await;
    stream.send([usual, far(5)].concat()).await;
    stream.end().await;
    let mut inference = GrpcInferenceServiceClient::new(channel(server.grpc).await);
    let input = InferInputTensor {
        name: "input".to_owned(),
        datatype: "FP32".to_owned(),
        shape: vec![1, 1, 8],
        contents: Some(InferTensorContents {
            fp32_contents: far(6),
            ..InferTensorContents::default()
        }),
        ..InferInputTensor::default()
    };
    let request = ModelInferRequest {
        model_name: "plain".to_owned(),
        inputs: vec![input],
        ..ModelInferRequest::default()
    };
    inference.model_infer(request).await.unwrap();

    written(&server.url(""), 7).await;
    let lines = kept(folder.path());
    assert_eq!(lines.len(), 7, "{lines:?}");
    for (number, line) in lines.iter().enumerate() {
        let file = folder.path().join("plain/1").join(line["file"].as_str().unwrap());
        assert_eq!(samples(&file), far(number), "{line}");
        assert!(line["reasons"].as_array().unwrap().contains(&json!("level")), "{line}");
        assert_eq!((&line["model"], &line["version"]), (&json!("plain"), &json!("1")));
        assert!(line["request_id"].is_string(), "{line}");
        let diagnostics = &line["prediction"]["diagnostics"];
        assert_eq!(diagnostics["input_level"]["alarm"], true, "{line}");
        assert!(diagnostics["input_level"]["causes"][0]["what"].is_string(), "{line}");
    }
    assert_eq!((&lines[3]["start"], &lines[3]["end"]), (&json!(8), &json!(16)));
    assert_eq!((&lines[5]["start"], &lines[5]["end"]), (&json!(8), &json!(16)));
    assert_eq!(lines[0]["prediction"]["probabilities"].as_array().unwrap().len(), 2);
    assert_eq!(server.idle_bytes().await, 0);
    server.stop().await;
}

/// What a client calls its file can be a path, or the name of a patient.
#[tokio::test(flavor = "multi_thread")]
async fn no_word_of_a_client_comes_into_the_folder() {
    if !has_runtime() {
        return;
    }
    let (models, folder) = (models(), tempdir().unwrap());
    let server = Server::start(models.path(), &flags(folder.path())).await;
    let head = "--xyz\r\ncontent-disposition: form-data; name=\"file\"; \
                filename=\"../../secret.wav\"\r\n\r\n";
    let body = [head.as_bytes(), &wav(8000, &[far(0)]), b"\r\n--xyz--\r\n"].concat();
    let request = server.client.post(server.url("/classify")).body(body);
    let request = request.header("content-type", FORM).header("x-request-id", "secret");
    assert_eq!(request.send().await.unwrap().status(), 200);
    written(&server.url(""), 1).await;
    let segment = segments(folder.path()).remove(0);
    for entry in fs::read_dir(segment).unwrap() {
        let path = entry.unwrap().path();
        assert!(!path.to_string_lossy().contains("secret"));
        assert!(!String::from_utf8_lossy(&fs::read(&path).unwrap()).contains("secret"), "{path:?}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn uncertain_inputs_and_a_share_of_all_are_kept_if_wanted() {
    if !has_runtime() {
        return;
    }
    let models = harness::repository(&[("tiny", tiny::image_input())]);
    let folder = tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let flags = ["--capture", path, "--capture-share", "1", "--capture-below", "0.6"];
    let server = Server::start(models.path(), &flags).await;
    // The classes are equally probable for a dark picture, and are not for a bright one.
    for values in [[0.0_f32, 0.1].repeat(8), [0.0, 1.0].repeat(8)] {
        server.classify("/classify", "application/octet-stream", bytes(&values)).await;
    }
    written(&server.url(""), 2).await;
    let segment = segments(folder.path()).remove(0);
    let answers = fs::read_to_string(segment.join("answers.jsonl")).unwrap();
    let lines: Vec<Value> = answers.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines[0]["reasons"], json!(["uncertain", "sample"]), "{answers}");
    assert_eq!(lines[1]["reasons"], json!(["sample"]), "{answers}");
    let picture = fs::read(segment.with_file_name(lines[1]["file"].as_str().unwrap())).unwrap();
    let again = server.classify("/classify", "image/png", picture).await;
    assert_eq!(again["predictions"][0]["probabilities"], lines[1]["prediction"]["probabilities"]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_thousand_alarms_at_once_a_minutes_worth_is_kept_and_the_others_are_counted() {
    if !has_runtime() {
        return;
    }
    let (models, folder) = (models(), tempdir().unwrap());
    let server = Server::start(models.path(), &flags(folder.path())).await;
    let all = inputs(2000, 8).concat().iter().map(|x| 100.0 * x).collect::<Vec<f32>>();
    let answer = server.classify("/classify", "application/octet-stream", bytes(&all)).await;
    let windows = answer["predictions"][0]["windows"].as_array().unwrap().len();
    written(&server.url(""), 60).await;
    let results = results(&server.url("")).await;
    assert_eq!(results["written"] + results["limited"], windows as u64, "{results:?}");
    assert!((60..70).contains(&results["written"]), "{results:?}");
    assert_eq!(kept(folder.path()).len() as u64, results["written"]);
    server.stop().await;
}

#[test]
fn a_folder_that_cannot_be_used_is_told_at_the_start() {
    if !has_runtime() {
        return;
    }
    let (models, folder) = (models(), tempdir().unwrap());
    let first = Process::start(models.path(), &flags(folder.path()));
    let missing = folder.path().join("missing");
    for (path, expected) in [
        (folder.path(), "is in use by another server; give each server a folder of its own"),
        (&missing, "it must exist and be writable"),
    ] {
        let output = harness::command(models.path(), &flags(path)).output().unwrap();
        let log = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{log}");
        assert!(log.contains(expected), "{log}");
    }
    drop(first);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_written_before_the_server_ends() {
    if !has_runtime() {
        return;
    }
    let (models, folder) = (models(), tempdir().unwrap());
    let mut server =
        Process::start(models.path(), &[flags(folder.path()), vec!["--linger-ms", "0"]].concat());
    let alarms = inputs(50, 8).concat().iter().map(|x| 100.0 * x).collect::<Vec<f32>>();
    post(&server.url("/classify"), &alarms).await;
    server.signal("-TERM");
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
    assert!(kept(folder.path()).len() > 40);
}

async fn post(url: &str, values: &[f32]) {
    let request = reqwest::Client::new().post(url).body(bytes(values));
    let request = request.header("content-type", "application/octet-stream");
    assert_eq!(request.send().await.unwrap().status(), 200);
}

/// Alarms a moment apart, in the background, until the server is gone.
fn storm(url: String, first: usize) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        let client = reqwest::Client::new();
        for number in first.. {
            let values = [number as f32, -200.0, 300.0, 100.0, -99.0, 0.0, 150.0, 250.0];
            let request = client.post(&url).body(bytes(&values));
            let request = request.header("content-type", "application/octet-stream");
            if request.send().await.is_err() {
                return;
            }
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_while_it_writes_leaves_whole_files_and_lines_after_the_next_start()
{
    if !has_runtime() {
        return;
    }
    let (models, folder) = (models(), tempdir().unwrap());
    let many = [flags(folder.path()), vec!["--capture-per-minute", "1000000"]].concat();
    for round in 0..4 {
        let mut server = Process::start(models.path(), &many);
        let storm = storm(server.url("/classify"), round * 1_000_000);
        written(&server.url(""), 20).await;
        tokio::time::sleep(Duration::from_millis(17 * round as u64)).await;
        server.signal("-KILL");
        server.child.wait().unwrap();
        storm.await.unwrap();
    }
    // The next start mends what the last kill left, when it first writes.
    let server = Process::start(models.path(), &many);
    post(&server.url("/classify"), &far(0)).await;
    written(&server.url(""), 1).await;
    let lines = kept(folder.path());
    assert!(lines.len() > 80, "{}", lines.len());
    assert!(segments(folder.path()).len() >= 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_costs_captures_and_no_answer() {
    if !has_runtime() {
        return;
    }
    let (models, folder) = (models(), tempdir().unwrap());
    let served = harness::command(models.path(), &flags(folder.path()));
    // The system refuses to write more than 2 KiB to a file, without a disk that is full.
    let mut limited = Command::new("sh");
    limited.args(["-c", "trap '' XFSZ; ulimit -f 4; exec \"$0\" \"$@\""]);
    limited.arg(served.get_program()).args(served.get_args()).stderr(std::process::Stdio::piped());
    let server = Process::spawn(limited);
    for number in 0..30 {
        post(&server.url("/classify"), &far(number)).await;
    }
    let url = server.url("");
    eventually("failed", || async { results(&url).await["failed"] > 0 }).await;
    let lines = kept(folder.path());
    let results = results(&url).await;
    assert!(!lines.is_empty() && lines.len() as u64 >= results["written"], "{results:?}");
    let told: Vec<Value> = server.lines_for(Duration::from_millis(200));
    let told = told.iter().filter(|line| line["message"].to_string().contains("cannot keep"));
    assert_eq!(told.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_removed_costs_captures_and_no_answer() {
    if !has_runtime() {
        return;
    }
    let (models, parent) = (models(), tempdir().unwrap());
    let folder = parent.path().join("captured");
    fs::create_dir(&folder).unwrap();
    let server = Server::start(models.path(), &flags(&folder)).await;
    server.classify_json("/classify", json!({"signal": far(0)})).await;
    written(&server.url(""), 1).await;
    fs::remove_dir_all(&folder).unwrap();
    server.classify_json("/classify", json!({"signal": far(1)})).await;
    let url = server.url("");
    eventually("failed", || async { results(&url).await["failed"] == 1 }).await;
    assert!(!folder.exists());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_hangs_costs_captures_and_neither_an_answer_nor_the_end() {
    if !has_runtime() {
        return;
    }
    let (models, folder) = (models(), tempdir().unwrap());
    let hanging = [flags(folder.path()), vec!["--linger-ms", "0", "--drain-timeout-ms", "500"]];
    let mut server = Process::start(models.path(), &hanging.concat());
    let mount = match HungMount::new(folder.path()) {
        Ok(mount) => mount,
        Err(error) => {
            return skip::skip(&format!(
                "this machine cannot mount a file system that hangs: {error}"
            ));
        }
    };
    let started = Instant::now();
    for number in 0..50 {
        post(&server.url("/classify"), &far(number)).await;
    }
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert_eq!(results(&server.url("")).await["written"], 0);
    server.signal("-TERM");
    let told = server.wait_for("the server ends before all captures are written");
    assert!(told["inputs"].as_u64().unwrap() > 40, "{told}");
    drop(mount);
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
}

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
