//! After calibration, fixed statistics do what the statistics of all training data in one batch do.

use std::{ops::ControlFlow, sync::atomic::AtomicBool};

use crate::support::{random_images, random_network};
use burn::tensor::Device;
use drsn_bundle::Unit;
use drsn_train::{
    TrainConfig,
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
