//! After reestimation, fixed statistics have the effect of all training data in one batch.

use std::{f32::consts::TAU, ops::ControlFlow, sync::atomic::AtomicBool};

use crate::support::{
    CW, Memory, data, image, kinds, random_inputs, random_network, recipe, signal,
};
use burn::tensor::{Device, Tensor};
use drsn_bundle::{AccuracyByStatistics, InputSpec};
use drsn_train::{
    batch_norm_reestimation::{StatisticsCheck, check, reestimate},
    dataset::Data,
    model::{BatchStatistics, Drsn},
    random::{Purpose, stream},
    recipe::preset,
    tensor::{read, read_matrix},
    training::{Batches, Disturbance, NoProgress, Trainer, TrainingContext, Workers, batch_last},
};
use ndarray::{Array4, ArrayD, Axis};
use rand::RngExt as _;

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
            reestimate(&mut network, context, &mut NoProgress, &stop).unwrap();
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

/// Labels of images, in batches of 50: the network's decisions under the statistics of each batch.
fn decisions(network: &Drsn, inputs: &ArrayD<f32>) -> Vec<usize> {
    let mut labels = Vec::new();
    for chunk in inputs.axis_chunks_iter(Axis(0), 50) {
        let batch = Tensor::from_data(batch_last(chunk), &Device::flex());
        let ControlFlow::Continue(answer) =
            network.forward_with(batch, &mut BatchStatistics::default());
        let logits = read_matrix(answer.logits).unwrap();
        labels.extend(logits.columns().into_iter().map(|scores| {
            let best = scores.iter().enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b));
            best.unwrap().0
        }));
    }
    labels
}

/// Reestimates the statistics of a network for some inputs.
fn checked(network: &mut Drsn, inputs: ArrayD<f32>, labels: Vec<usize>) -> StatisticsCheck {
    let recipe = recipe(&["batch=50"]);
    let workers = Workers::new(2).unwrap();
    let data = data(Memory { inputs, labels }, 200, image(28));
    let context = TrainingContext { recipe: &recipe, data: &data, digest: "", workers: &workers };
    let stop = AtomicBool::new(false);
    reestimate(network, context, &mut NoProgress, &stop).unwrap().unwrap()
}

/// Held-out images a twentieth as bright as the training images, all labelled with the network's
/// decisions under the statistics of their batches: such a network once was not exported at all,
/// although it is the images that differ.
#[test]
fn a_network_that_does_worse_on_other_inputs_is_exported_with_a_warning() {
    let mut network = random_network(CW, &image(28));
    let mut inputs = random_inputs(1_200, &image(28));
    let mut dark = inputs.slice_axis_mut(Axis(0), (..200).into());
    dark *= 0.05;
    let labels = decisions(&network, &inputs);
    let check = checked(&mut network, inputs, labels);
    let (training, held_out) = (check.training.accuracy, check.held_out.accuracy);
    assert!(held_out.batch > 0.999 && held_out.exact < 0.9, "{held_out:?}");
    assert!(check.refusal().is_none(), "{training:?}");
    assert!(check.warning().is_some());
}

/// One image in 200 is 10,000 times as bright: the exact variances are theirs, so all others become
/// the same to the network, while most batches have no such image.
#[test]
fn a_network_whose_statistics_are_broken_by_a_few_inputs_is_refused() {
    let mut network = random_network(CW, &image(28));
    let mut inputs = random_inputs(1_200, &image(28));
    let labels = decisions(&network, &inputs);
    for mut bright in inputs.outer_iter_mut().skip(200).step_by(200) {
        bright *= 10_000.0;
    }
    let check = checked(&mut network, inputs, labels);
    let refusal = check.refusal().expect("a refusal").to_string();
    assert!(refusal.contains("on inputs that it was trained on"), "{refusal}");
    let AccuracyByStatistics { exact, batch, .. } = check.training.accuracy;
    assert!(batch > exact + 0.2, "{exact} and {batch}");
}

/// Images with stripes as wide as their class says.
fn stripes(count: usize) -> Data {
    let mut rng = stream(3, Purpose::Evaluation, 0, 0);
    let labels: Vec<usize> = (0..count).map(|_| rng.random_range(0..10)).collect();
    let phases: Vec<f32> = (0..count).map(|_| rng.random_range(0.0..TAU)).collect();
    let pixel = |(n, _, y, _): (usize, usize, usize, usize)| {
        let pace = 0.25 * (labels[n] + 1) as f32;
        0.5 + 0.5 * (pace * y as f32 + phases[n]).sin()
    };
    let inputs = Array4::from_shape_fn((count, 1, 28, 28), pixel).into_dyn();
    data(Memory { inputs, labels }, 200, image(28))
}

/// The first author's Keras program, with a higher rate on fewer images: its running statistics
/// break the network. With those it is refused, and with exact ones it is not.
#[test]
fn the_keras_program_with_its_running_statistics_is_refused() {
    let settings = ["epochs=4", "batch=50", "optimizer.learning_rate=0.01"];
    let noise = "noise.amplitude=[0.0,0.2]";
    let recipe = preset("seed-keras").unwrap().set(&settings).unwrap().set(&[noise]).unwrap();
    let data = stripes(1_500);
    let workers = Workers::new(2).unwrap();
    let context = TrainingContext { recipe: &recipe, data: &data, digest: "", workers: &workers };
    let folder = tempfile::tempdir().unwrap();
    let stop = AtomicBool::new(false);
    let mut trainer = Trainer::new(context).unwrap();
    trainer.run(&folder.path().join("checkpoint"), &mut NoProgress, &stop).unwrap();
    let running = trainer.network();
    let of_running = check(&running, &running, context).unwrap();
    assert!(of_running.refusal().is_some(), "{of_running:?}");

    let mut exact = running;
    let of_exact = reestimate(&mut exact, context, &mut NoProgress, &stop).unwrap().unwrap();
    assert!(of_exact.refusal().is_none(), "{of_exact:?}");
    let trap = of_exact.trap().expect("the trap is named");
    assert!(trap.starts_with("the running statistics of the training"), "{trap}");
}
