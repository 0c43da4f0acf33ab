//! The proof that the exported model gives what the trained network gives.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, activation::softmax};
use drsn_bundle::{
    Tolerance,
    onnx::{LOGITS, PROBABILITIES, mean_abs_output, threshold_output},
    runtime::{Outputs, Session},
};

use crate::{
    TrainError,
    model::Drsn,
    training::{batch_last, read},
};

/// The network's outputs, under the names that the graph has for them, for prepared inputs of `shape`
/// `[channels, height, width]` that lie one behind another.
///
/// # Errors
/// [`TrainError::Tensor`] where an output cannot be read.
pub fn network_outputs(
    network: &Drsn,
    inputs: &[f32],
    shape: [usize; 3],
) -> Result<BTreeMap<String, Vec<f32>>, TrainError> {
    let data = batch_last(inputs, shape);
    let answer = network.forward(Tensor::from_data(data, &Device::flex()));
    let read = |tensor: Tensor<2>| read(tensor.transpose());
    let mut outputs = BTreeMap::from([
        (LOGITS.to_owned(), read(answer.logits.clone())?),
        (PROBABILITIES.to_owned(), read(softmax(answer.logits, 0))?),
    ]);
    let shrinking = network.units().filter(|(_, unit)| unit.shrinkage.is_some());
    for ((name, _), shrunk) in shrinking.zip(answer.blocks) {
        outputs.insert(threshold_output(&name), read(shrunk.threshold)?);
        outputs.insert(mean_abs_output(&name), read(shrunk.mean_abs)?);
    }
    Ok(outputs)
}

/// Runs prepared inputs through both engines and compares every output within the golden tolerance.
/// Returns what ONNX Runtime gave.
///
/// # Errors
/// [`TrainError::Parity`] with the first output that differs or is missing.
pub fn compare(
    network: &Drsn,
    session: &mut Session,
    inputs: &[f32],
    shape: [usize; 3],
) -> Result<Outputs, TrainError> {
    let expected = network_outputs(network, inputs, shape)?;
    let batch = inputs.len() / shape.iter().product::<usize>();
    let found = session.run(session.batch(inputs, batch)?)?;
    for (output, expected) in &expected {
        let differs = |reason: String| TrainError::Parity { output: output.clone(), reason };
        let tensor = found.iter().find(|tensor| tensor.name == *output);
        let tensor = tensor.ok_or_else(|| differs("the model has no such output".to_owned()))?;
        Tolerance::CPU
            .check(expected, &tensor.values)
            .map_err(|mismatch| differs(mismatch.to_string()))?;
    }
    Ok(found)
}
