//! From real digits to answers over a socket: a small network learns them, its bundle is as
//! accurate as its manifest says, and so is the server.

use std::{path::Path, sync::atomic::AtomicBool};

use crate::skip;
use crate::support::{NEEDS_MNIST, mnist_folder, runtime};
use drsn_bundle::{
    Bundle, Name,
    runtime::{Provider, Session, self_check},
};
use drsn_serve::{config::Config, server};
use drsn_train::{
    DataOptions, Destination, TrainError, TrainingJob,
    dataset::{Data, Part},
    recipe::{Recipe, preset},
    train,
    training::NoProgress,
};
use ndarray::ArrayD;

/// The accuracy after five epochs on 12,000 digits, less a margin. Any broken step (a wrong fold, a
/// shifted padding, wrong statistics, another order of classes) costs far more.
const LEAST_ACCURACY: f64 = 0.95;

fn small() -> Recipe {
    let settings = [
        "network.stem={channels=8,kernel=3,stride=2}",
        "network.stages=[{channels=8,blocks=1,stride=1},{channels=16,blocks=1,stride=2}]",
        "epochs=5",
        "batch=50",
        "optimizer.learning_rate=0.01",
        "data.limit=12000",
        "data.held_out=1000",
        "augmentation.crop=0",
        "evaluate=['uniform:0.5']",
    ];
    preset("mnist").unwrap().set(&settings).unwrap()
}

#[test]
fn a_small_network_learns_real_digits_and_is_served_as_well_as_it_was_trained() {
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(reason) => return skip::skip(&reason),
    };
    let Some(data) = mnist_folder() else { return skip::skip(NEEDS_MNIST) };
    let folder = tempfile::tempdir().unwrap();
    let job = TrainingJob {
        data: DataOptions { folder: data.clone(), index: None, skip_bad: false, threads: 2 },
        checkpoint: folder.path().join("checkpoint"),
        from: None,
        resume: false,
        restart: false,
        destination: Destination {
            repository: folder.path().join("models"),
            name: Name::new("small").unwrap(),
            version: Name::new("1").unwrap(),
            replace: false,
            export_anyway: false,
            onnxruntime: None,
        },
    };
    let stop = AtomicBool::new(false);
    let written = train(&small(), &job, &mut NoProgress, &stop).unwrap();
    assert_eq!(written, folder.path().join("models/small/1"));

    let bundle = Bundle::open(&written).unwrap();
    let shape = bundle.manifest.input.shape();
    let mut session = Session::open(&runtime, &bundle.model, &shape, Provider::Cpu).unwrap();
    self_check(&mut session, &bundle.golden).unwrap();
    let blocks: Vec<_> = bundle.manifest.blocks.iter().map(|b| b.name.as_str()).collect();
    assert_eq!(blocks, ["stage1.block1", "stage2.block1"]);
    let story = bundle.manifest.training.unwrap();
    assert_eq!((story.training_inputs, story.held_out_inputs, story.epochs), (12_000, 1_000, 5));
    let noises: Vec<_> = story.evaluations.iter().map(|e| e.noise.as_deref()).collect();
    assert_eq!(noises, [None, Some("uniform:0.5")]);
    assert!(story.held_out_accuracy.is_some_and(|held_out| held_out.exact > LEAST_ACCURACY));
    let baseline = bundle.manifest.baseline.unwrap();
    assert!(baseline.shift.is_some() && baseline.level.is_none());
    let in_manifest = story.evaluations[0].accuracy;
    let test = Data::open(&small(), &data, None, false).unwrap().test.unwrap();
    let served = accuracy_over_a_socket(&job.destination.repository, &test);
    assert!(served >= LEAST_ACCURACY, "{served}");
    assert!((served - in_manifest).abs() <= 0.001, "{served}, and the manifest says {in_manifest}");

    let refused = train(&small(), &job, &mut NoProgress, &stop).unwrap_err();
    assert!(matches!(refused, TrainError::Exists { .. }), "{refused}");
}

/// Serves a repository and sends it MNIST's test digits as raw numbers.
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn accuracy_over_a_socket(repository: &Path, test: &Part) -> f64 {
    use clap::Parser as _;

    const BATCH: usize = 100;
    let repository = repository.to_str().unwrap();
    let flags = ["drsn-serve", "--http", "127.0.0.1:0", "--device", "cpu", "--models", repository];
    let config = Config::parse_from(flags.iter().chain(&["--linger-ms", "0", "--grpc", "off"]));
    let listeners = server::bind(&config).await.unwrap();
    let url = format!("http://{}", listeners.http.local_addr().unwrap());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(server::run(config, listeners, async { drop(stopped.await) }));
    while reqwest::get(format!("{url}/readyz")).await.unwrap().status() != 200 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }

    let client = reqwest::Client::new();
    let mut right = 0;
    let digits = &test.indices;
    for batch in digits.chunks(BATCH) {
        let mut values = ArrayD::zeros(vec![batch.len(), 1, 28, 28]);
        for (&digit, values) in batch.iter().zip(values.outer_iter_mut()) {
            test.source.read(digit, 0, values).unwrap();
        }
        let response = client
            .post(format!("{url}/classify?diagnostics=none&batch={}", batch.len()))
            .header("content-type", "application/octet-stream")
            .body(values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>())
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
            .filter(|(prediction, digit)| prediction["class_index"] == test.source.label(**digit))
            .count();
    }
    drop(stop);
    serving.await.unwrap().unwrap();
    right as f64 / digits.len() as f64
}
