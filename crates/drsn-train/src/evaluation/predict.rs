//! Predictions of a model, computed on several threads.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use drsn_bundle::{InputSpec, onnx::PROBABILITIES, runtime::Session};

use ndarray::{Array2, Axis, concatenate};

use super::{error::EvaluationError, predictions::Predictions};
use crate::{
    dataset::Part,
    recipe::Noise,
    training::{Batches, Disturbance},
};

/// Batch size for the model.
const BATCH: usize = 100;

/// Runs a model on a part of a source, with `noise` added to each raw input; returns `None` if
/// `stop` was set.
///
/// Each of `sessions`, all of the same model, processes a share of the inputs on its own thread.
/// The noise of an input depends only on the seed and the input's index in its source, not on the
/// number of sessions or the other inputs, so it is the same for every model.
///
/// # Errors
/// [`EvaluationError`] if an input cannot be read, the model cannot be run, there are no inputs or
/// no sessions, or an input has a class that the model does not know.
pub fn predict(
    sessions: &mut [Session],
    part: &Part,
    spec: &InputSpec,
    noise: Option<&Noise>,
    seed: u64,
    stop: &AtomicBool,
) -> Result<Option<Predictions>, EvaluationError> {
    let share = part.indices.len().div_ceil(sessions.len().max(1));
    if share == 0 || sessions.is_empty() {
        return Err(EvaluationError::Predictions { reason: "there are no inputs".to_owned() });
    }
    let disturbance = Disturbance::evaluation(noise.copied(), seed);
    let worker = Worker { batches: &Batches { part, input: spec, disturbance }, stop };
    let outcomes: Vec<Result<Option<Array2<f32>>, EvaluationError>> = thread::scope(|scope| {
        let threads: Vec<_> = sessions
            .iter_mut()
            .zip(part.indices.chunks(share))
            .map(|(session, indices)| scope.spawn(move || worker.run(session, indices)))
            .collect();
        // A panic of a thread propagates.
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    let outcomes: Option<Vec<Array2<f32>>> = outcomes.into_iter().collect::<Result<_, _>>()?;
    let Some(parts) = outcomes else { return Ok(None) };
    let parts: Vec<_> = parts.iter().map(|part| part.view()).collect();
    let probabilities = concatenate(Axis(0), &parts)
        .map_err(|error| EvaluationError::Predictions { reason: error.to_string() })?;
    let labels: Vec<usize> = part.indices.iter().map(|&i| part.source.label(i)).collect();
    Ok(Some(Predictions::new(labels, probabilities)?))
}

/// What each thread needs.
#[derive(Clone, Copy)]
struct Worker<'a> {
    batches: &'a Batches<'a>,
    stop: &'a AtomicBool,
}

impl Worker<'_> {
    /// Probabilities of the inputs with these indices, `[inputs, classes]`; `None` if `stop` was
    /// set.
    fn run(
        &self,
        session: &mut Session,
        indices: &[usize],
    ) -> Result<Option<Array2<f32>>, EvaluationError> {
        let mut probabilities = Vec::new();
        let mut buffer = self.batches.buffer(BATCH.min(indices.len()));
        for batch in indices.chunks(BATCH) {
            let mut inputs = buffer.slice_axis_mut(Axis(0), (..batch.len()).into());
            for (&index, input) in batch.iter().zip(inputs.outer_iter_mut()) {
                // For each input, because Ctrl-C must not wait for a whole batch of a slow source.
                if self.stop.load(Ordering::Relaxed) {
                    return Ok(None);
                }
                self.batches.read(index, 0, input)?;
            }
            let mut outputs = session.run(inputs.view())?;
            probabilities.extend(outputs.take(PROBABILITIES)?);
        }
        let classes = probabilities.len() / indices.len().max(1);
        let probabilities = Array2::from_shape_vec((indices.len(), classes), probabilities)
            .map_err(|error| EvaluationError::Predictions { reason: error.to_string() })?;
        Ok(Some(probabilities))
    }
}
