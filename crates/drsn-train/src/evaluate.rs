//! Accuracy of an exported model, measured through ONNX Runtime as the server runs it.

use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use drsn_bundle::{
    Bundle, Evaluation,
    onnx::PROBABILITIES,
    runtime::{Provider, Runtime, RuntimeError, Session},
};

use crate::{
    TrainError,
    dataset::{Mnist, TEST_NAME},
    training::{Batches, Disturbance, count_right},
};

/// Seed of the noise in evaluations: the same for every model, so that they can be compared.
pub const EVALUATION_SEED: u64 = 0;

/// Inputs that go through the model together.
const BATCH: usize = 100;

/// Share of the first `count` inputs whose most probable class is the right one, in [0, 1]; none where `stop`
/// was set meanwhile.
///
/// # Errors
/// [`TrainError::Runtime`] or [`TrainError::Prepare`].
pub fn accuracy(
    session: &mut Session,
    batches: Batches<'_>,
    count: usize,
    stop: &AtomicBool,
) -> Result<Option<f64>, TrainError> {
    let indices: Vec<usize> = (0..count).collect();
    let mut right = 0;
    for indices in indices.chunks(BATCH) {
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let outputs = session.run(&batches.values(indices, 0)?, indices.len())?;
        let labels: Vec<usize> = indices.iter().map(|&i| batches.dataset.label(i)).collect();
        let probabilities = outputs
            .iter()
            .find(|tensor| tensor.name == PROBABILITIES)
            .ok_or_else(|| RuntimeError::MissingOutput { output: PROBABILITIES.to_owned() })?;
        right += count_right(&probabilities.data, &labels);
    }
    Ok(Some(right as f64 / count as f64))
}

/// Evaluates a bundle on the first `limit` inputs of the MNIST test set, with `noise` · U(0, 1) added to each pixel.
///
/// # Errors
/// What is wrong with bundle, data or runtime.
pub fn evaluate(
    bundle: &Path,
    data: &Path,
    noise: f32,
    limit: Option<usize>,
    onnxruntime: Option<&Path>,
) -> Result<Evaluation, TrainError> {
    let bundle = Bundle::open(bundle)?;
    let spec = &bundle.manifest.input;
    let runtime = Runtime::start(onnxruntime)?;
    let mut session = Session::open(&runtime, &bundle.model, &spec.shape(), Provider::Cpu)?;
    let test = Mnist::load(data)?.test;
    check_fit(&bundle)?;
    let count = limit.unwrap_or(test.len()).min(test.len());
    if count == 0 {
        return Err(TrainError::Config {
            reason: "there is nothing to evaluate: the test set or the limit is empty".to_owned(),
        });
    }
    let batches = Batches {
        dataset: &test,
        spec,
        disturbance: Disturbance::evaluation(noise, EVALUATION_SEED),
    };
    // Nothing sets this one: Ctrl-C ends an evaluation at once, for there is nothing to save.
    let accuracy = accuracy(&mut session, batches, count, &AtomicBool::new(false))?;
    Ok(evaluation(TEST_NAME, noise, count, accuracy.unwrap_or_default()))
}

fn check_fit(bundle: &Bundle) -> Result<(), TrainError> {
    let manifest = &bundle.manifest;
    if manifest.input.shape() != Mnist::input().shape() || manifest.classes != Mnist::classes() {
        return Err(TrainError::Config {
            reason: format!(
                "model {} takes inputs of {} and knows {} classes; MNIST has 1 x 28 x 28 and the digits 0 to 9",
                manifest.name,
                manifest.input.shape_in_words(),
                manifest.classes.len()
            ),
        });
    }
    Ok(())
}

/// An evaluation as the manifest holds it.
pub(crate) fn evaluation(data: &str, noise: f32, inputs: usize, accuracy: f64) -> Evaluation {
    Evaluation {
        data: data.to_owned(),
        noise: (noise > 0.0).then(|| format!("{noise} * U(0, 1) added to each pixel in [0, 1]")),
        inputs,
        accuracy,
    }
}
