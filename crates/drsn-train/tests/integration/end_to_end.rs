//! From real digits to answers over a socket: a small network learns them, its bundle does what its manifest says, and
//! the server that serves it does, too.

use std::{path::Path, sync::atomic::AtomicBool};

use crate::skip;
use crate::support::{NEEDS_MNIST, mnist_folder, runtime};
use drsn_bundle::{
    Bundle, Name, Stage, Stem,
    runtime::{Provider, Session, self_check},
};
use drsn_serve::{config::Config, server};
use drsn_train::{
    Destination, Job, TrainConfig, TrainError, dataset::Mnist, evaluate::evaluate, train,
    training::Quiet,
};

/// What five passes over 12,000 digits reach, less a margin. A step that is broken anywhere (a wrong fold, a shifted
/// padding, statistics that are not the network's, another order of classes) costs far more.
const LEAST_ACCURACY: f64 = 0.95;

fn small() -> TrainConfig {
    TrainConfig {
        stem: Stem { channels: 8, kernel: 3, stride: 2 },
        stages: vec![
            Stage { channels: 8, blocks: 1, stride: 1 },
            Stage { channels: 16, blocks: 1, stride: 2 },
        ],
        epochs: 5,
        batch: 50,
        learning_rate: 0.01,
        limit: Some(12_000),
        held_out: 1_000,
        shift: 0,
        ..TrainConfig::default()
    }
}

#[test]
fn a_small_network_learns_real_digits_and_is_served_as_well_as_it_was_trained() {
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(reason) => return skip::skip(&reason),
    };
    let Some(data) = mnist_folder() else { return skip::skip(NEEDS_MNIST) };
    let folder = tempfile::tempdir().unwrap();
    let job = Job {
        data: data.clone(),
        checkpoint: folder.path().join("checkpoint"),
        resume: false,
        restart: false,
        destination: Destination {
            repository: folder.path().join("models"),
            name: Name::new("small").unwrap(),
            version: Name::new("1").unwrap(),
            replace: false,
            onnxruntime: None,
        },
    };
    let stop = AtomicBool::new(false);
    let written = train(&small(), &job, &mut Quiet, &stop).unwrap();
    assert_eq!(written, folder.path().join("models/small/1"));

    let bundle = Bundle::open(&written).unwrap();
    let shape = bundle.manifest.input.shape();
    let mut session = Session::open(&runtime, &bundle.model, &shape, Provider::Cpu).unwrap();
    self_check(&mut session, &bundle.golden).unwrap();
    let blocks: Vec<_> = bundle.manifest.blocks.iter().map(|b| b.name.as_str()).collect();
    assert_eq!(blocks, ["stage1.block1", "stage2.block1"]);
    let story = bundle.manifest.training.unwrap();
    assert_eq!((story.training_inputs, story.held_out_inputs, story.epochs), (12_000, 1_000, 5));
    for (expected, noise) in story.evaluations.iter().zip([0.0, 0.5]) {
        let found = evaluate(&written, &data, noise, None, None).unwrap();
        assert_eq!(found, *expected);
    }
    let in_manifest = story.evaluations[0].accuracy;
    let served = accuracy_over_a_socket(&job.destination.repository, &Mnist::load(&data).unwrap());
    assert!(served >= LEAST_ACCURACY, "{served}");
    assert!((served - in_manifest).abs() <= 0.001, "{served}, and the manifest says {in_manifest}");

    let refused = train(&small(), &job, &mut Quiet, &stop).unwrap_err();
    assert!(matches!(refused, TrainError::Exists { .. }), "{refused}");
}

/// Serves a repository and sends it MNIST's test digits as raw numbers.
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn accuracy_over_a_socket(repository: &Path, mnist: &Mnist) -> f64 {
    use clap::Parser as _;

    const BATCH: usize = 100;
    let repository = repository.to_str().unwrap();
    let flags = ["drsn-serve", "--http", "127.0.0.1:0", "--device", "cpu", "--models", repository];
    let config = Config::parse_from(flags.iter().chain(&["--linger-ms", "0"]));
    let listener = server::bind(&config).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(server::run(config, listener, async { drop(stopped.await) }));
    while reqwest::get(format!("{url}/readyz")).await.unwrap().status() != 200 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }

    let client = reqwest::Client::new();
    let mut right = 0;
    let digits: Vec<usize> = (0..mnist.test.len()).collect();
    for batch in digits.chunks(BATCH) {
        let values = batch.iter().flat_map(|&digit| mnist.test.input(digit));
        let response = client
            .post(format!("{url}/classify?diagnostics=none&batch={}", batch.len()))
            .header("content-type", "application/octet-stream")
            .body(values.flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>())
            .send()
            .await
            .unwrap();
        let answer: serde_json::Value =
            serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
        let predictions = answer["predictions"].as_array().unwrap();
        assert_eq!(predictions.len(), batch.len());
        right += predictions
            .iter()
            .zip(batch)
            .filter(|(prediction, digit)| prediction["class_index"] == mnist.test.label(**digit))
            .count();
    }
    drop(stop);
    serving.await.unwrap().unwrap();
    right as f64 / digits.len() as f64
}
