//! From real digits to a bundle: a small network learns them, and the bundle does what its manifest says.

use std::sync::atomic::AtomicBool;

use crate::skip;
use crate::support::{NEEDS_MNIST, mnist_folder, runtime};
use drsn_bundle::{
    Bundle, Name, Stage, Stem,
    runtime::{Provider, Session, self_check},
};
use drsn_train::{
    Destination, Job, TrainConfig, TrainError, evaluate::evaluate, train, training::Quiet,
};

fn small() -> TrainConfig {
    TrainConfig {
        stem: Stem { channels: 8, kernel: 3, stride: 2 },
        stages: vec![
            Stage { channels: 8, blocks: 1, stride: 1 },
            Stage { channels: 16, blocks: 1, stride: 2 },
        ],
        epochs: 4,
        batch: 50,
        learning_rate: 0.01,
        limit: Some(5_000),
        held_out: 1_000,
        shift: 0,
        ..TrainConfig::default()
    }
}

#[test]
fn a_small_network_learns_real_digits_and_its_bundle_does_what_its_manifest_says() {
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
    assert_eq!((story.training_inputs, story.held_out_inputs, story.epochs), (5_000, 1_000, 4));
    for (expected, noise) in story.evaluations.iter().zip([0.0, 0.5]) {
        let found = evaluate(&written, &data, noise, None, None).unwrap();
        assert_eq!(found, *expected);
        assert!(found.accuracy > 0.9, "{found:?}");
    }

    let refused = train(&small(), &job, &mut Quiet, &stop).unwrap_err();
    assert!(matches!(refused, TrainError::Exists { .. }), "{refused}");
}
