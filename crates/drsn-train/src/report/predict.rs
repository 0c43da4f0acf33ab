//! Predictions of an exported model, through ONNX Runtime as the server runs it.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use drsn_bundle::{InputSpec, onnx::PROBABILITIES, runtime::Session};

use super::{Predictions, ReportError};
use crate::{
    TrainError,
    dataset::Part,
    recipe::Noise,
    training::{Batches, Disturbance},
};

/// Inputs that go through the model together.
const BATCH: usize = 100;

/// Runs a model on a part of a source, with `noise` added to each raw input; none where `stop` was set meanwhile.
///
/// Each of `sessions`, all of the same model, works on a share of the inputs on a thread of its own. The noise of an
/// input depends on the seed and the input's index in its source alone: neither on the number of sessions nor on
/// which other inputs are looked at, so that every model meets the same one.
///
/// # Errors
/// [`TrainError::Dataset`], [`TrainError::Input`] or [`TrainError::Runtime`]; [`TrainError::Report`] where there is
/// no input or no session, or an input has a class that the model does not know.
pub fn predict(
    sessions: &mut [Session],
    part: &Part,
    spec: &InputSpec,
    noise: Option<&Noise>,
    seed: u64,
    stop: &AtomicBool,
) -> Result<Option<Predictions>, TrainError> {
    let nothing = || ReportError::Predictions { reason: "there is no input".to_owned() };
    let share = part.indices.len().div_ceil(sessions.len().max(1));
    if share == 0 || sessions.is_empty() {
        return Err(nothing().into());
    }
    let disturbance = Disturbance::evaluation(noise.copied(), seed);
    let task = Task { batches: &Batches { part, input: spec, disturbance }, stop };
    let outcomes: Vec<Result<Option<Vec<f32>>, TrainError>> = thread::scope(|scope| {
        let workers: Vec<_> = sessions
            .iter_mut()
            .zip(part.indices.chunks(share))
            .map(|(session, indices)| scope.spawn(move || task.run(session, indices)))
            .collect();
        // A panic of a worker goes on here as it would without threads.
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    let mut probabilities = Vec::new();
    for outcome in outcomes {
        let Some(values) = outcome? else {
            return Ok(None);
        };
        probabilities.extend(values);
    }
    let labels: Vec<usize> = part.indices.iter().map(|&i| part.source.label(i)).collect();
    let classes = probabilities.len() / labels.len();
    Ok(Some(Predictions::new(labels, probabilities, classes)?))
}

/// What each thread is asked for.
#[derive(Clone, Copy)]
struct Task<'a> {
    batches: &'a Batches<'a>,
    stop: &'a AtomicBool,
}

impl Task<'_> {
    /// Probabilities of the inputs with these indices, one behind another; none where `stop` was set.
    fn run(
        &self,
        session: &mut Session,
        indices: &[usize],
    ) -> Result<Option<Vec<f32>>, TrainError> {
        let mut probabilities = Vec::new();
        let mut inputs = Vec::with_capacity(BATCH * self.batches.input.elements());
        for batch in indices.chunks(BATCH) {
            inputs.clear();
            for &index in batch {
                // Within a batch too: an input of a slow source must not keep Ctrl-C waiting for a hundred others.
                if self.stop.load(Ordering::Relaxed) {
                    return Ok(None);
                }
                self.push(index, &mut inputs)?;
            }
            let mut outputs = session.run(session.batch(&inputs, batch.len())?)?;
            probabilities.extend(outputs.take(PROBABILITIES)?);
        }
        Ok(Some(probabilities))
    }

    /// Reads one input, adds its noise and prepares it, behind what is in `inputs`.
    fn push(&self, index: usize, inputs: &mut Vec<f32>) -> Result<(), TrainError> {
        let begin = inputs.len();
        inputs.resize(begin + self.batches.input.elements(), 0.0);
        let input = &mut inputs[begin..];
        self.batches.raw(index, 0, input)?;
        self.batches.prepare(index, input)
    }
}
