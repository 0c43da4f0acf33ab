//! Gives an exported model the temperature that was chosen for it.

use drsn_bundle::{
    Calibration, Golden, Tensor,
    onnx::{PROBABILITIES, with_temperature},
    runtime::{Provider, Runtime, Session},
};

use super::ExportError;

/// A model with the temperature of a calibration, and a session of it. The golden probabilities become
/// those of the new model, if it is another one. Without a softmax to divide the logits of, the calibration becomes 1.
///
/// # Errors
/// [`ExportError`] if the model is not valid, or ONNX Runtime fails.
pub(crate) fn calibrated(
    model: &[u8],
    golden: &mut Golden,
    calibration: &mut Calibration,
    runtime: &Runtime,
    shape: &[usize],
) -> Result<(Vec<u8>, Session), ExportError> {
    let found = with_temperature(model, calibration.temperature)?;
    if found.is_none() {
        calibration.temperature = 1.0;
        "1: no softmax makes the probabilities".clone_into(&mut calibration.reason);
    }
    let calibrated = found.unwrap_or_else(|| model.to_vec());
    let mut session = Session::open(runtime, &calibrated, shape, Provider::Cpu)?;
    if calibrated != model {
        let probabilities = session.run(golden.input.view())?.take(PROBABILITIES)?;
        golden.outputs.insert(PROBABILITIES.to_owned(), Tensor(probabilities.into_dyn()));
    }
    Ok((calibrated, session))
}
