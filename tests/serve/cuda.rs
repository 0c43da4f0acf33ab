//! NVIDIA GPUs: same answers as on the CPU, batches of any size without delay, memory is released.
//!
//! `DRSN_TEST_DEVICE=cuda cargo test --test serve -- --include-ignored` runs these, and all others
//! on the GPU.

use std::{
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    harness::{self, Process, json},
    hostile::FLOATS,
};

const MODELS: [(&str, usize); 3] = [("mnist", 784), ("cifar10", 3072), ("bearing", 2048)];

fn command(device: &str, flags: &[&str]) -> Command {
    let models = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("models");
    harness::command_on(device, &models, flags)
}

/// A request body of `inputs` inputs with pseudo-random values in [0, 1).
fn body(inputs: usize, elements: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((state >> 8) as f32 / (1 << 24) as f32).to_le_bytes()
    };
    (0..inputs * elements).flat_map(|_| next()).collect()
}

async fn classify(server: &Process, model: &str, inputs: usize, elements: usize) -> Value {
    let path = format!("/models/{model}/classify?diagnostics=full&batch={inputs}");
    let (url, body) = (server.url(&path), body(inputs, elements));
    let request = reqwest::Client::new().post(url).header("content-type", FLOATS).body(body);
    let response = request.send().await.unwrap();
    let status = response.status();
    let answer = json(response).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

async fn text(server: &Process, path: &str) -> String {
    reqwest::get(server.url(path)).await.unwrap().text().await.unwrap()
}

/// Compares all numbers of two answers. Bundles allow 1e-3 on a GPU; scales divide and scores
/// square such numbers.
fn alike(one: &Value, other: &Value, place: &str) {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            assert_eq!(one.len(), other.len(), "{place}");
            for (key, value) in one {
                alike(value, &other[key], &format!("{place}.{key}"));
            }
        }
        (Value::Array(one), Value::Array(other)) => {
            assert_eq!(one.len(), other.len(), "{place}");
            for (index, pair) in one.iter().zip(other).enumerate() {
                alike(pair.0, pair.1, &format!("{place}[{index}]"));
            }
        }
        (Value::Number(one), Value::Number(other)) => {
            let (one, other) = (one.as_f64().unwrap(), other.as_f64().unwrap());
            // A feature close to its threshold may be zero on one device only: two of 64 in the
            // smallest block.
            let most = if place.ends_with(".zeroed") { 0.04 } else { 1e-4 + 5e-3 * one.abs() };
            assert!((one - other).abs() <= most, "{place}: {one} and {other}");
        }
        _ => assert_eq!(one, other, "{place}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs an NVIDIA GPU"]
async fn a_gpu_answers_as_the_processor_does_and_says_that_it_is_the_gpu() {
    let (cpu, gpu) = (Process::spawn(command("cpu", &[])), Process::spawn(command("cuda", &[])));
    for (model, elements) in MODELS {
        for inputs in [1, 3, 20, 100] {
            let mut answers = [
                classify(&cpu, model, inputs, elements).await,
                classify(&gpu, model, inputs, elements).await,
            ];
            let [one, other] = answers.each_mut().map(|answer| answer["predictions"].take());
            alike(&one, &other, model);
        }
        let labels = format!(
            "drsn_execution_provider_info{{model=\"{model}\",requested=\"cuda:0\",actual=\"CUDAExecutionProvider\"}} 1"
        );
        let metrics = text(&gpu, "/metrics").await;
        assert!(metrics.contains(&labels), "no {labels} in {metrics}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs an NVIDIA GPU"]
async fn auto_uses_the_gpu_and_logs_why_not_if_none_is_visible() {
    let with = Process::spawn(command("auto", &[]));
    assert!(text(&with, "/metrics").await.contains("actual=\"CUDAExecutionProvider\""));

    let mut blind = command("auto", &[]);
    blind.env("CUDA_VISIBLE_DEVICES", "-1");
    let without = Process::begin(blind);
    let said = without.wait_for("no CUDA device can be used; computing on the CPU");
    assert_eq!(said["level"], "WARN");
    without.wait_for("ready");
    assert!(!text(&without, "/metrics").await.contains("actual=\"CUDAExecutionProvider\""));

    let mut named = command("cuda", &[]);
    let output = named.env("CUDA_VISIBLE_DEVICES", "-1").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(log.contains("the device cuda:0 cannot be used"), "{log}");
    eprintln!("{said}\n{log}");
}

/// ONNX Runtime plans every convolution again if the batch size changes: 11 to 67 ms each time, a
/// hundred times the batch itself. The measuring of the best batch had no time left then for more
/// than single inputs.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs an NVIDIA GPU"]
async fn batches_of_changing_size_do_not_wait_for_a_plan() {
    let started = Instant::now();
    let server = Process::spawn(command("cuda", &[]));
    eprintln!("three models are ready after {:?}", started.elapsed());
    let client = reqwest::Client::new();
    for (model, elements) in MODELS {
        let config: Value =
            serde_json::from_str(&text(&server, &format!("/v2/models/{model}/config")).await)
                .unwrap();
        eprintln!("{model}: {} of {}", config["max_batch_size"], config["parameters"]);
        assert!(config["max_batch_size"].as_u64().unwrap() >= 16, "{config}");
        let mut times = Vec::new();
        for number in 0..128 {
            let inputs = 1 + 7 * number % 64;
            let path = format!("/models/{model}/classify?batch={inputs}&diagnostics=none");
            let request = client.post(server.url(&path)).header("content-type", FLOATS);
            let answer = request.body(body(inputs, elements)).send().await.unwrap();
            assert_eq!(answer.status(), 200);
            let answer = json(answer).await;
            times.push(answer["timing"]["inference_us"].as_u64().unwrap());
        }
        times.sort_unstable();
        let (median, most) = (times[64], times[127]);
        eprintln!("{model}: a batch takes {median} us, {most} at most");
        assert!(median < 5_000 && most < 50_000, "{median} us, {most} at most");
    }
}

/// Memory that all processes have on the GPU, in MiB.
fn on_the_gpu() -> u64 {
    let query = ["--query-gpu=memory.used", "--format=csv,noheader,nounits"];
    let output = Command::new("nvidia-smi").args(query).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().next().unwrap().trim().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs an NVIDIA GPU"]
async fn models_that_are_loaded_again_give_back_the_gpus_memory() {
    let before = on_the_gpu();
    let server = Process::spawn(command("cuda", &["--model-control", "explicit"]));
    let client = reqwest::Client::new();
    let post = async |path: &str| {
        let answer = client.post(server.url(path)).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
    };
    let mut seen = Vec::new();
    for _ in 0..20 {
        post("/v2/repository/models/bearing/unload").await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        post("/v2/repository/models/bearing/load").await;
        classify(&server, "bearing", 20, 2048).await;
        seen.push(on_the_gpu());
    }
    eprintln!("MiB on the GPU: {before} before, then {seen:?}");
    assert!(seen[19] <= seen[4] + seen[4] / 10, "{seen:?}");
}
