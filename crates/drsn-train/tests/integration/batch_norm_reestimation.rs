//! After reestimation, fixed statistics have the effect of all training data in one batch.

use std::{ops::ControlFlow, sync::atomic::AtomicBool};

use crate::support::{
    CW, Memory, data, image, kinds, random_inputs, random_network, recipe, signal,
};
use burn::tensor::{Device, Tensor};
use drsn_bundle::InputSpec;
use drsn_train::{
    batch_norm_reestimation::{ReestimationError, reestimate},
    dataset::Data,
    model::BatchStatistics,
    tensor::{read, read_matrix},
    training::{Batches, Disturbance, NoProgress, TrainingContext, Workers, batch_last},
};
use ndarray::Axis;

fn random_data(count: usize, held_out: usize, input: &InputSpec) -> Data {
    let inputs = random_inputs(count, input);
    data(Memory { inputs, labels: (0..count).map(|i| i % 10).collect() }, held_out, input.clone())
}

/// Every normalization depends on those before it, so this holds only if they were fixed in order.
#[test]
fn fixed_statistics_equal_those_of_one_batch_with_all_training_data() {
    let recipe = recipe(&["batch=10"]);
    let workers = Workers::new(2).unwrap();
    for input in [image(28), signal(96)] {
        let data = random_data(320, 20, &input);
        let context =
            TrainingContext { recipe: &recipe, data: &data, digest: "", workers: &workers };
        for kind in kinds() {
            let mut network = random_network(kind, &input);
            let stop = AtomicBool::new(false);
            match reestimate(&mut network, context, &mut NoProgress, &stop) {
                // With random labels, it is chance which statistics do better.
                Ok(_) | Err(ReestimationError::AccuracyLoss { .. }) => {}
                Err(error) => panic!("{error}"),
            }
            let disturbance = Disturbance::statistics(&recipe);
            let batches = Batches { part: &data.training, input: &input, disturbance };
            let values = batches.values(&data.training.indices, 0).unwrap();
            let inputs = Tensor::from_data(batch_last(values.view()), &Device::flex());
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

/// Held-out images a twentieth as bright as the training images, labelled with the network's
/// decisions under the statistics of their batches: with the training data's statistics they
/// differ.
#[test]
fn a_network_that_does_worse_with_fixed_statistics_is_refused() {
    let recipe = recipe(&["batch=50"]);
    let workers = Workers::new(2).unwrap();
    let input = image(28);
    let mut network = random_network(CW, &input);
    let mut inputs = random_inputs(400, &input);
    let mut dark = inputs.slice_axis_mut(Axis(0), (..200).into());
    dark *= 0.05;
    let mut labels = vec![0; 400];
    for (chunk, labels) in dark.axis_chunks_iter(Axis(0), 50).zip(labels.chunks_mut(50)) {
        let batch = Tensor::from_data(batch_last(chunk), &Device::flex());
        let ControlFlow::Continue(answer) =
            network.forward_with(batch, &mut BatchStatistics::default());
        let logits = read_matrix(answer.logits).unwrap();
        for (scores, label) in logits.columns().into_iter().zip(labels) {
            let best = scores.iter().enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b));
            *label = best.unwrap().0;
        }
    }
    let data = data(Memory { inputs, labels }, 200, input);
    let context = TrainingContext { recipe: &recipe, data: &data, digest: "", workers: &workers };
    let ended = reestimate(&mut network, context, &mut NoProgress, &AtomicBool::new(false));
    let Err(ReestimationError::AccuracyLoss { fixed, batch, .. }) = ended else {
        panic!("the network was not refused: {ended:?}");
    };
    assert!(batch > 0.999 && fixed < batch, "{fixed} and {batch}");
}
