//! The accuracy of a model, for its manifest.

use std::sync::atomic::AtomicBool;

use drsn_bundle::{Evaluation, InputSpec, runtime::Session};

use super::{error::EvaluationError, predict::predict};
use crate::{dataset::Part, recipe::Noise};

/// Seed of the noise in evaluations: the same for every model, so that models can be compared.
pub(crate) const EVALUATION_SEED: u64 = 0;

/// Measures the accuracy of a model on a part of a data set; `None` if `stop` was set.
pub(crate) fn accuracy(
    sessions: &mut [Session],
    part: &Part,
    input: &InputSpec,
    data: &str,
    noise: Option<Noise>,
    stop: &AtomicBool,
) -> Result<Option<Evaluation>, EvaluationError> {
    let predicted = predict(sessions, part, input, noise.as_ref(), EVALUATION_SEED, stop)?;
    let Some(predictions) = predicted else { return Ok(None) };
    let correct = predictions.decisions().filter(|(label, decision, _)| label == decision).count();
    Ok(Some(Evaluation {
        data: data.to_owned(),
        noise: noise.map(|noise| noise.to_string()),
        inputs: predictions.inputs(),
        accuracy: correct as f64 / predictions.inputs().max(1) as f64,
    }))
}
