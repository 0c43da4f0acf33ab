//! After calibration, fixed statistics do what the statistics of all training data in one batch do.

use std::{ops::ControlFlow, sync::atomic::AtomicBool};

use crate::support::{
    CW, Memory, data, image, kinds, random_inputs, random_network, recipe, signal,
};
use burn::tensor::{Device, Tensor};
use drsn_bundle::InputSpec;
use drsn_train::{
    TrainError,
    calibration::calibrate,
    dataset::Data,
    model::BatchStatistics,
    training::{Batches, Disturbance, Quiet, Task, Workers, batch_last, planes, read},
};

fn random_data(count: usize, held_out: usize, input: &InputSpec) -> Data {
    let values = random_inputs(count, input);
    let inputs = values.chunks_exact(input.elements()).map(<[f32]>::to_vec).collect();
    data(Memory { inputs, labels: (0..count).map(|i| i % 10).collect() }, held_out, input.clone())
}

/// Every normalization depends on those before it, so this holds only where they were fixed in order.
#[test]
fn fixed_statistics_equal_those_of_one_batch_with_all_training_data() {
    let recipe = recipe(&["batch=10"]);
    let workers = Workers::new(2).unwrap();
    for input in [image(28), signal(96)] {
        let data = random_data(320, 20, &input);
        let task = Task { recipe: &recipe, data: &data, digest: "", workers: &workers };
        for kind in kinds() {
            let mut network = random_network(kind, &input);
            let stop = AtomicBool::new(false);
            match calibrate(&mut network, task, &mut Quiet, &stop) {
                // Random labels: which statistics do better on them is chance.
                Ok(_) | Err(TrainError::Calibration { .. }) => {}
                Err(error) => panic!("{error}"),
            }
            let disturbance = Disturbance::calibration(&recipe);
            let batches = Batches { part: &data.training, input: &input, disturbance };
            let values = batches.values(&data.training.indices, 0).unwrap();
            let inputs = Tensor::from_data(batch_last(&values, planes(&input)), &Device::flex());
            let fixed = read(network.forward(inputs.clone()).logits).unwrap();
            let ControlFlow::Continue(answer) =
                network.forward_with(inputs, &mut BatchStatistics::default());
            let batch = read(answer.logits).unwrap();
            let largest = batch.iter().fold(0.0_f32, |max, b| max.max(b.abs()));
            let pairs = fixed.iter().zip(&batch);
            let worst = pairs.fold(0.0_f32, |max, (a, b)| max.max((a - b).abs()));
            assert!(worst <= 1e-4 * largest, "{kind:?}: {worst} of {largest}");
        }
    }
}

/// Held-out images that are a twentieth as bright as those trained on, labelled with what the network answers under
/// the statistics of their batches: with the training data's statistics it cannot answer the same.
#[test]
fn a_network_that_does_worse_with_fixed_statistics_is_refused() {
    let recipe = recipe(&["batch=50"]);
    let workers = Workers::new(2).unwrap();
    let input = image(28);
    let mut network = random_network(CW, &input);
    let values = random_inputs(400, &input);
    let mut inputs: Vec<Vec<f32>> = values.chunks_exact(784).map(<[f32]>::to_vec).collect();
    for pixel in inputs[..200].iter_mut().flatten() {
        *pixel *= 0.05;
    }
    let mut labels = vec![0; 400];
    for (chunk, labels) in inputs[..200].chunks(50).zip(labels.chunks_mut(50)) {
        let batch = Tensor::from_data(batch_last(&chunk.concat(), [1, 28, 28]), &Device::flex());
        let ControlFlow::Continue(answer) =
            network.forward_with(batch, &mut BatchStatistics::default());
        let logits = read(answer.logits).unwrap();
        for (n, label) in labels.iter_mut().enumerate() {
            let best = |&a: &usize, &b: &usize| logits[a * 50 + n].total_cmp(&logits[b * 50 + n]);
            *label = (0..10).max_by(best).unwrap();
        }
    }
    let data = data(Memory { inputs, labels }, 200, input);
    let task = Task { recipe: &recipe, data: &data, digest: "", workers: &workers };
    let ended = calibrate(&mut network, task, &mut Quiet, &AtomicBool::new(false));
    let Err(TrainError::Calibration { fixed, batch, .. }) = ended else {
        panic!("the network was not refused: {ended:?}");
    };
    assert!(batch > 0.999 && fixed < batch, "{fixed} and {batch}");
}
