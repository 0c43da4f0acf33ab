//! What a model answers to each input of a part: probabilities, input shift, level.

use std::{sync::atomic::AtomicBool, thread};

use drsn_bundle::{Manifest, baseline::InputShift, runtime::Session};
use ndarray::Array2;

use super::{
    accuracy::EVALUATION_SEED,
    error::EvaluationError,
    outputs::{Names, for_each_output},
    predictions::Predictions,
};
use crate::{
    dataset::Part,
    recipe::Noise,
    training::{Batches, Disturbance},
};

/// The answers of a model to labelled inputs under one noise.
#[derive(Debug, Clone, PartialEq)]
pub struct Answers {
    /// Labels and probabilities.
    pub predictions: Predictions,
    /// The input shift of each input; empty if the model has no such baseline.
    pub shifts: Vec<InputShift>,
    /// Whether the level of each input alarms; empty if the model has no such baseline.
    pub level_alarms: Vec<bool>,
}

/// The answers to some of the inputs, in their order.
#[derive(Default)]
struct Share {
    probabilities: Vec<f32>,
    shifts: Vec<InputShift>,
    level_alarms: Vec<bool>,
}

/// Runs a model on a part of a data set as the server would, with the fixed noise of evaluations;
/// `None` if `stop` was set. Each of `sessions`, all of this model, processes a share of the inputs
/// on its own thread.
///
/// # Errors
/// [`EvaluationError`] if an input cannot be read, the model cannot be run, there are no inputs or
/// no sessions, or an input has a class that the model does not know.
pub(crate) fn answers(
    sessions: &mut [Session],
    manifest: &Manifest,
    part: &Part,
    noise: Option<Noise>,
    stop: &AtomicBool,
) -> Result<Option<Answers>, EvaluationError> {
    let wrong = |reason: String| EvaluationError::Predictions { reason };
    let share = part.indices.len().div_ceil(sessions.len().max(1));
    if share == 0 || sessions.is_empty() {
        return Err(wrong("there are no inputs".to_owned()));
    }
    let disturbance = Disturbance::evaluation(noise, EVALUATION_SEED);
    let outcomes: Vec<Result<Option<Share>, EvaluationError>> = thread::scope(|scope| {
        let threads: Vec<_> = sessions
            .iter_mut()
            .zip(part.indices.chunks(share))
            .map(|(session, indices)| {
                let part = Part { source: part.source.clone(), indices: indices.to_vec() };
                let disturbance = disturbance.clone();
                scope.spawn(move || {
                    let batches = Batches { part: &part, input: &manifest.input, disturbance };
                    answer(session, manifest, &batches, stop)
                })
            })
            .collect();
        // A panic of a thread propagates.
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    let outcomes: Option<Vec<Share>> = outcomes.into_iter().collect::<Result<_, _>>()?;
    let Some(outcomes) = outcomes else { return Ok(None) };
    let mut all = Share::default();
    for share in outcomes {
        all.probabilities.extend(share.probabilities);
        all.shifts.extend(share.shifts);
        all.level_alarms.extend(share.level_alarms);
    }
    let inputs = part.indices.len();
    let classes = all.probabilities.len() / inputs;
    let probabilities = Array2::from_shape_vec((inputs, classes), all.probabilities)
        .map_err(|error| wrong(error.to_string()))?;
    let labels: Vec<usize> = part.indices.iter().map(|&i| part.source.label(i)).collect();
    let predictions = Predictions::new(labels, probabilities)?;
    Ok(Some(Answers { predictions, shifts: all.shifts, level_alarms: all.level_alarms }))
}

/// Runs the model on all inputs of some batches; `None` if `stop` was set.
fn answer(
    session: &mut Session,
    manifest: &Manifest,
    batches: &Batches<'_>,
    stop: &AtomicBool,
) -> Result<Option<Share>, EvaluationError> {
    let mut share = Share::default();
    let done = for_each_output(session, Names::of(manifest), batches, stop, |output| {
        if let Some(baseline) = &manifest.baseline {
            share.shifts.extend(baseline.judge_shift(&output.vectors())?);
            let level = baseline.judge_level(&output.levels, output.class);
            share.level_alarms.extend(level.map(|level| level.alarm));
        }
        share.probabilities.extend(output.probabilities);
        Ok(())
    })?;
    Ok(done.then_some(share))
}
