//! After calibration, fixed statistics do what the statistics of all training data in one batch do.

use std::{ops::ControlFlow, sync::atomic::AtomicBool};

use crate::support::{random_images, random_network};
use burn::tensor::Device;
use drsn_bundle::Unit;
use drsn_train::{
    TrainConfig, TrainError,
    calibration::calibrate,
    dataset::{Dataset, Mnist, Split},
    model::BatchStatistics,
    training::{Batches, Disturbance, Quiet, Task, read},
};

/// Every normalization depends on those before it, so this holds only where they were fixed in order.
#[test]
fn fixed_statistics_equal_those_of_one_batch_with_all_training_data() {
    let config = TrainConfig { held_out: 20, batch: 10, ..TrainConfig::default() };
    let dataset = Dataset::new(random_images(320, 28), (0..320).map(|i| i % 10).collect());
    let split = Split::new(&config, dataset.len()).unwrap();
    let spec = Mnist::input();
    let task = Task { config: &config, dataset: &dataset, split: &split, spec: &spec, classes: 10 };
    for unit in [Unit::Cw, Unit::Cs, Unit::Resnet] {
        let mut network = random_network(unit);
        let stop = AtomicBool::new(false);
        assert!(calibrate(&mut network, task, &mut Quiet, &stop).unwrap().is_some());
        let batches = Batches {
            dataset: &dataset,
            spec: &spec,
            disturbance: Disturbance::calibration(&config),
        };
        let inputs = batches.batch(&split.training, 0, &Device::flex()).unwrap().inputs;
        let fixed = read(network.forward(inputs.clone()).logits).unwrap();
        let ControlFlow::Continue(answer) = network.forward_with(inputs, &mut BatchStatistics);
        let batch = read(answer.logits).unwrap();
        let largest = batch.iter().fold(0.0_f32, |max, b| max.max(b.abs()));
        let pairs = fixed.iter().zip(&batch);
        let worst = pairs.fold(0.0_f32, |max, (a, b)| max.max((a - b).abs()));
        assert!(worst <= 1e-4 * largest, "{unit:?}: {worst} of {largest}");
    }
}

/// Held-out images that are a twentieth as bright as those trained on, labelled with what the network answers under
/// the statistics of their batches: with the training data's statistics it cannot answer the same.
#[test]
fn a_network_that_does_worse_with_fixed_statistics_is_refused() {
    let config = TrainConfig { held_out: 200, batch: 50, noise: 0.0, ..TrainConfig::default() };
    let split = Split::new(&config, 400).unwrap();
    let mut images = random_images(400, 28);
    for &index in &split.held_out {
        images[index * 28 * 28..][..28 * 28].iter_mut().for_each(|pixel| *pixel *= 0.05);
    }
    let mut network = random_network(Unit::Cw);
    let spec = Mnist::input();
    let unlabelled = Dataset::new(images.clone(), vec![0; 400]);
    let disturbance = Disturbance::calibration(&config);
    let batches = Batches { dataset: &unlabelled, spec: &spec, disturbance };
    let mut labels = vec![0; 400];
    for indices in split.held_out.chunks_exact(50) {
        let inputs = batches.batch(indices, 0, &Device::flex()).unwrap().inputs;
        let ControlFlow::Continue(answer) = network.forward_with(inputs, &mut BatchStatistics);
        let logits = read(answer.logits).unwrap();
        for (row, &index) in logits.chunks_exact(10).zip(indices) {
            labels[index] = (0..10).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap();
        }
    }
    let dataset = Dataset::new(images, labels);
    let task = Task { config: &config, dataset: &dataset, split: &split, spec: &spec, classes: 10 };
    let ended = calibrate(&mut network, task, &mut Quiet, &AtomicBool::new(false));
    let Err(TrainError::Calibration { fixed, batch, .. }) = ended else {
        panic!("the network was not refused: {ended:?}");
    };
    assert!(batch > 0.999 && fixed < batch, "{fixed} and {batch}");
}
