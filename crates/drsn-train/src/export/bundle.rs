//! The bundle of a trained network: graph, manifest, golden data.

use std::{collections::BTreeMap, path::PathBuf, sync::atomic::AtomicBool};

use drsn_bundle::{
    Architecture, Baseline, Evaluation, Features, Manifest, Training,
    manifest::FORMAT,
    onnx::FEATURES,
    runtime::{Provider, Runtime, Session},
};

use super::{
    blocks::blocks, destination::Destination, environment::environment, error::ExportError,
    golden::golden, graph::to_onnx, parity::compare, temperature::calibrated,
};
use crate::{
    batch_norm_reestimation::StatisticsCheck,
    evaluation::{BaselineOutcome, BaselineSample, Names, accuracy, calibrate, measure_baseline},
    model::Drsn,
    recipe::Noise,
    training::{Disturbance, EpochRecord, Progress, StepMeter, TrainingContext, describe_data},
};

/// Held-out inputs on which the exported model is compared with the network.
const COMPARED_INPUTS: usize = 256;

/// A network with exact statistics, and the results of its training.
#[derive(Debug)]
pub(crate) struct Trained<'a> {
    /// The network.
    pub(crate) network: &'a Drsn,
    /// How well it works with its statistics.
    pub(crate) check: StatisticsCheck,
    /// How well its positions alone are classified, if it was trained to do so.
    pub(crate) position_accuracy: Option<f64>,
    /// What a user should know before relying on it.
    pub(crate) warnings: Vec<String>,
    /// Results of its epochs.
    pub(crate) history: &'a [EpochRecord],
    /// Where its training started, if not from random weights.
    pub(crate) origin: Option<&'a str>,
}

/// Exports a network, compares it with the exported model in ONNX Runtime, evaluates that model on
/// the test set, and writes the bundle. Returns the bundle's folder, or `None` without writing
/// anything if `stop` was set.
///
/// # Errors
/// [`ExportError::Parity`] if the model differs from the network, or the error of another step.
pub(crate) fn write_bundle(
    trained: &Trained<'_>,
    context: TrainingContext<'_>,
    destination: &Destination,
    progress: &mut dyn Progress,
    stop: &AtomicBool,
) -> Result<Option<PathBuf>, ExportError> {
    let network = trained.network;
    let input = &context.data.input;
    let mut model = to_onnx(network, input, &context.data.classes, FORMAT)?;
    let runtime = Runtime::start(destination.library())?;
    let mut session = Session::open(&runtime, &model, &input.shape(), Provider::Cpu)?;
    progress.step("comparing the exported model with the network");
    compare_held_out(network, context, &mut session)?;
    let mut golden = golden(network, context, &mut session)?;
    let blocks = blocks(network, context.recipe.network.unit)?;
    let features = Features { output: FEATURES.to_owned(), width: network.features() };
    progress.step("measuring the baseline");
    let names = Names { blocks: &blocks, features: Some(&features) };
    let Some(baseline) = baseline(context, &mut session, names, progress, stop)? else {
        return Ok(None);
    };
    progress.step("calibrating the probabilities");
    let held_out = context.batches(&context.data.held_out, Disturbance::data(context.recipe));
    let classes = context.data.classes.len();
    let mut calibration = calibrate(&mut session, &held_out, classes, stop)?;
    if let Some(calibration) = &mut calibration {
        (model, session) = calibrated(&model, &mut golden, calibration, &runtime, &input.shape())?;
        progress.note(&format!("temperature {:.3}", calibration.temperature));
    }
    progress.step("evaluating the exported model");
    let Some(evaluations) = evaluations(context, &mut session, progress, stop)? else {
        return Ok(None);
    };
    let manifest = Manifest {
        format: FORMAT,
        name: destination.name.clone(),
        version: destination.version.clone(),
        architecture: Some(Architecture {
            parameters: network.parameters(),
            ..context.recipe.network.architecture()
        }),
        origin: None,
        input: input.clone(),
        classes: context.data.classes.clone(),
        blocks,
        features: Some(features),
        files: BTreeMap::new(),
        training: Some(story(trained, context, evaluations)),
        baseline,
        calibration,
    };
    let repository = &destination.repository;
    Ok(Some(drsn_bundle::write(repository, manifest, &model, &golden, destination.replace)?))
}

/// The manifest's account of the training.
fn story(
    trained: &Trained<'_>,
    context: TrainingContext<'_>,
    evaluations: Vec<Evaluation>,
) -> Training {
    Training {
        tool: format!("drsn-train {}", env!("CARGO_PKG_VERSION")),
        data: match &context.recipe.about {
            Some(about) => format!("{about}; {}", context.data.description),
            None => context.data.description.clone(),
        },
        data_notes: context.data.notes.iter().map(ToString::to_string).collect(),
        data_digest: Some(context.digest.to_owned()),
        training_inputs: context.data.training.indices.len(),
        held_out_inputs: context.data.held_out.indices.len(),
        seed: context.recipe.seed,
        epochs: trained.history.len(),
        started_from: trained.origin.map(str::to_owned),
        configuration: serde_json::json!(context.recipe),
        environment: environment(),
        history: trained.history.iter().map(|record| record.epoch).collect(),
        held_out_accuracy: Some(trained.check.held_out.accuracy),
        held_out_macro_recall: Some(trained.check.held_out_macro_recall),
        held_out_loss: Some(trained.check.held_out_loss),
        training_accuracy: Some(trained.check.training.accuracy),
        position_accuracy: trained.position_accuracy,
        warnings: trained.warnings.clone(),
        evaluations,
    }
}

fn compare_held_out(
    network: &Drsn,
    context: TrainingContext<'_>,
    session: &mut Session,
) -> Result<(), ExportError> {
    let held_out = &context.data.held_out.indices;
    let compared = &held_out[..COMPARED_INPUTS.min(held_out.len())];
    let inputs = context.held_out().values(compared, 0)?;
    compare(network, session, inputs.view())?;
    Ok(())
}

/// Measures the baseline, `Some(None)` if the model cannot have one; `None` if `stop` was set.
#[expect(clippy::option_option, reason = "stopped, without a baseline, and with one")]
fn baseline(
    context: TrainingContext<'_>,
    session: &mut Session,
    names: Names<'_>,
    progress: &mut dyn Progress,
    stop: &AtomicBool,
) -> Result<Option<Option<Baseline>>, ExportError> {
    let data = context.data;
    let batches = |part| context.batches(part, Disturbance::data(context.recipe));
    let sample = BaselineSample {
        training: batches(&data.training),
        held_out: batches(&data.held_out),
        description: describe_data(context.recipe, data),
    };
    Ok(match measure_baseline(session, names, data.classes.len(), &sample, stop)? {
        BaselineOutcome::Stopped => None,
        BaselineOutcome::Unavailable(reason) => {
            progress.note(&reason.warning());
            Some(None)
        }
        BaselineOutcome::Measured(baseline) => Some(Some(*baseline)),
    })
}

/// Accuracy of the model on the test data, clean and with each noise of the recipe.
fn evaluations(
    context: TrainingContext<'_>,
    session: &mut Session,
    progress: &mut dyn Progress,
    stop: &AtomicBool,
) -> Result<Option<Vec<Evaluation>>, ExportError> {
    let data = context.data;
    let Some(test) = &data.test else { return Ok(Some(Vec::new())) };
    let noises: Vec<Option<Noise>> =
        std::iter::once(None).chain(context.recipe.evaluate.iter().copied().map(Some)).collect();
    let total = noises.len();
    let meter = StepMeter::new(1.0, 0.0);
    let mut evaluations = Vec::with_capacity(total);
    for (noise, done) in noises.into_iter().zip(1..) {
        let sessions = std::slice::from_mut(session);
        let measured = accuracy(sessions, test, &data.input, &data.test_name, noise, stop)?;
        let Some(evaluation) = measured else { return Ok(None) };
        evaluations.push(evaluation);
        progress.part(&meter.report(done, total, done as f64 / total as f64));
    }
    Ok(Some(evaluations))
}
