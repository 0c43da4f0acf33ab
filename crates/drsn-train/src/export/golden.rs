//! The golden data of a bundle: inputs and the outputs that a server must reproduce.

use drsn_bundle::{
    Golden, InputSpec, Tensor,
    runtime::{NamedTensor, Session},
};
use ndarray::ArrayD;
use rand::RngExt as _;
use rand_distr::StandardNormal;

use super::{error::ExportError, parity::compare};
use crate::{
    model::Drsn,
    random::{Purpose, stream},
    recipe::DataConfig,
    training::{Disturbance, InputError, TrainingContext, prepare},
};

/// Number of inputs. In those of a public set, every second one has the first noise of the
/// evaluation.
const GOLDEN_INPUTS: usize = 4;

/// Computes golden data with ONNX Runtime, after comparing its outputs with those of the network.
pub(super) fn golden(
    network: &Drsn,
    context: TrainingContext<'_>,
    session: &mut Session,
) -> Result<Golden, ExportError> {
    let inputs = match context.recipe.data {
        DataConfig::Idx(_) | DataConfig::Cifar10(_) => held_out_inputs(context)?,
        DataConfig::Images(_) | DataConfig::Signals(_) | DataConfig::Windows(_) => {
            synthetic_inputs(context)?
        }
    };
    let outputs = compare(network, session, inputs.view())?
        .into_iter()
        .map(|NamedTensor { name, values }| (name, Tensor(values)))
        .collect();
    Ok(Golden::new(Tensor(inputs), outputs))
}

/// Prepared held-out inputs of a public set.
fn held_out_inputs(context: TrainingContext<'_>) -> Result<ArrayD<f32>, InputError> {
    let held_out = &context.data.held_out;
    let noises = [None, context.recipe.evaluate.first().copied()];
    let [clean, noisy] = noises.map(|noise| {
        context.batches(held_out, Disturbance::evaluation(noise, context.recipe.seed))
    });
    let mut inputs = clean.buffer(GOLDEN_INPUTS.min(held_out.indices.len()));
    for (place, (&index, input)) in held_out.indices.iter().zip(inputs.outer_iter_mut()).enumerate()
    {
        let batches = if place % 2 == 1 { &noisy } else { &clean };
        batches.read(index, 0, input)?;
    }
    Ok(inputs)
}

/// Synthetic inputs, so that a model can be shared without images or recordings of its data. Each
/// is a tone with noise, with about the mean and deviation of an image, or of unit amplitude.
fn synthetic_inputs(context: TrainingContext<'_>) -> Result<ArrayD<f32>, InputError> {
    let [middle, size] = match context.data.input {
        InputSpec::Image(_) => [0.5, 0.2],
        InputSpec::Signal(_) => [0.0, 1.0],
    };
    let batches = context.held_out();
    let mut inputs = batches.buffer(GOLDEN_INPUTS);
    for (place, mut input) in inputs.outer_iter_mut().enumerate() {
        let mut rng = stream(context.recipe.seed, Purpose::Golden, 0, place as u64);
        let pace = 0.02 * (1 + place) as f32;
        for (i, value) in input.iter_mut().enumerate() {
            let tone = (pace * i as f32).sin();
            *value = middle + size * (tone + 0.3 * rng.sample::<f32, _>(StandardNormal));
        }
        prepare(&context.data.input, input, || "a synthetic input".to_owned())?;
    }
    Ok(inputs)
}
