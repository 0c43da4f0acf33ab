//! Comparison of the exported model with the trained network.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, activation::softmax};
use drsn_bundle::{
    Tolerance,
    onnx::{FEATURES, LOGITS, PROBABILITIES, mean_abs_output, threshold_output},
    runtime::{Outputs, Session},
};

use ndarray::{Array2, ArrayViewD};

use super::error::ExportError;
use crate::{
    model::Drsn,
    tensor::{TensorError, read_matrix},
    training::batch_last,
};

/// The network's outputs, `[batch, …]`, by their names in the graph, for prepared inputs
/// `[batch, channels, height, width]` or `[batch, channels, samples]`.
///
/// # Errors
/// [`TensorError`] if an output cannot be read.
pub fn network_outputs(
    network: &Drsn,
    inputs: ArrayViewD<'_, f32>,
) -> Result<BTreeMap<String, Array2<f32>>, TensorError> {
    let data = batch_last(inputs);
    let output = network.forward(Tensor::from_data(data, &Device::flex()));
    let read = |tensor: Tensor<2>| read_matrix(tensor.transpose());
    let mut outputs = BTreeMap::from([
        (LOGITS.to_owned(), read(output.logits.clone())?),
        (FEATURES.to_owned(), read(output.features)?),
        (PROBABILITIES.to_owned(), read(softmax(output.logits, 0))?),
    ]);
    let shrinking = network.units().filter(|(_, unit)| unit.shrinkage.is_some());
    for ((name, _), shrunk) in shrinking.zip(output.blocks) {
        outputs.insert(threshold_output(&name), read(shrunk.threshold)?);
        outputs.insert(mean_abs_output(&name), read(shrunk.mean_abs)?);
    }
    Ok(outputs)
}

/// Runs prepared inputs through both engines, compares every output within the golden tolerance,
/// and returns the outputs of ONNX Runtime.
///
/// # Errors
/// [`ExportError::Parity`] with the first output that differs or is missing.
pub fn compare(
    network: &Drsn,
    session: &mut Session,
    inputs: ArrayViewD<'_, f32>,
) -> Result<Outputs, ExportError> {
    let expected = network_outputs(network, inputs.view())?;
    let found = session.run(inputs)?;
    for (output, expected) in &expected {
        let differs = |reason: String| ExportError::Parity { output: output.clone(), reason };
        let tensor = found.iter().find(|tensor| tensor.name == *output);
        let tensor =
            tensor.ok_or_else(|| differs("the model does not have this output".to_owned()))?;
        Tolerance::CPU
            .check(expected, &tensor.values)
            .map_err(|mismatch| differs(mismatch.to_string()))?;
    }
    Ok(found)
}
