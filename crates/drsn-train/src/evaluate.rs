//! Accuracy of an exported model, measured through ONNX Runtime as the server runs it.

use std::sync::atomic::AtomicBool;

use drsn_bundle::{Evaluation, InputSpec, runtime::Session};

use crate::{TrainError, dataset::Part, recipe::Noise, report::predict};

/// Seed of the noise in evaluations: the same for every model, so that they can be compared.
pub const EVALUATION_SEED: u64 = 0;

/// How a model does on a part of a data set; none where `stop` was set meanwhile.
///
/// # Errors
/// What is wrong with data or runtime.
pub(crate) fn evaluation(
    sessions: &mut [Session],
    part: &Part,
    input: &InputSpec,
    data: &str,
    noise: Option<Noise>,
    stop: &AtomicBool,
) -> Result<Option<Evaluation>, TrainError> {
    let predicted = predict(sessions, part, input, noise.as_ref(), EVALUATION_SEED, stop)?;
    let Some(predictions) = predicted else { return Ok(None) };
    let right = predictions.decisions().filter(|(label, decision, _)| label == decision).count();
    Ok(Some(Evaluation {
        data: data.to_owned(),
        noise: noise.map(|noise| noise.to_string()),
        inputs: predictions.inputs(),
        accuracy: right as f64 / predictions.inputs().max(1) as f64,
    }))
}
