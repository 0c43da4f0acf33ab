//! The bundle of a trained network: graph, manifest, golden data.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use drsn_bundle::{
    Architecture, Block, Evaluation, Golden, Manifest, Name, Tensor, ThresholdKind, Training, Unit,
    manifest::FORMAT,
    onnx::{mean_abs_output, threshold_output},
    runtime::{NamedTensor, Provider, Runtime, Session},
};

use super::{compare, shrunk_tensor, to_onnx};
use crate::{
    TrainError,
    dataset::{DESCRIPTION, Dataset, Mnist, TEST_NAME},
    environment::environment,
    evaluate::{EVALUATION_SEED, accuracy, evaluation},
    model::Drsn,
    training::{Batches, Disturbance, Progress, Task, planes},
};

/// Held-out inputs in golden.json; every second one with the strongest noise of the training.
const GOLDEN_INPUTS: usize = 4;
/// Held-out inputs on which the exported model is compared with the network.
const COMPARED_INPUTS: usize = 256;

/// Where a bundle is written to.
#[derive(Debug, Clone)]
pub struct Destination {
    /// The repository, a folder of models.
    pub repository: PathBuf,
    /// Name of the model.
    pub name: Name,
    /// Version of the model.
    pub version: Name,
    /// Whether a version that is there already is replaced.
    pub replace: bool,
    /// The ONNX Runtime library, where it is not to be searched for.
    pub onnxruntime: Option<PathBuf>,
}

impl Destination {
    /// The bundle's folder.
    pub fn folder(&self) -> PathBuf {
        self.repository.join(self.name.as_str()).join(self.version.as_str())
    }

    /// The ONNX Runtime library that is asked for.
    pub fn library(&self) -> Option<&Path> {
        self.onnxruntime.as_deref()
    }
}

/// Exports a calibrated network, compares it with the exported model in ONNX Runtime, evaluates that model on the
/// test set, and writes the bundle. Returns its folder, or none and writes nothing where `stop` was set meanwhile.
///
/// # Errors
/// [`TrainError::Parity`] where the model disagrees with the network, or what goes wrong on the way.
pub fn write_bundle(
    network: &Drsn,
    task: Task<'_>,
    epochs: usize,
    test: &Dataset,
    destination: &Destination,
    progress: &mut dyn Progress,
    stop: &AtomicBool,
) -> Result<Option<PathBuf>, TrainError> {
    let classes = Mnist::classes();
    let shape = planes(task.spec);
    let model = to_onnx(network, shape, &classes, FORMAT)?;
    let runtime = Runtime::start(destination.library())?;
    let mut session = Session::open(&runtime, &model, &task.spec.shape(), Provider::Cpu)?;
    progress.step("comparing the exported model with the network");
    compare_held_out(network, task, &mut session)?;
    let golden = golden(network, task, &mut session)?;
    progress.step("evaluating the exported model");
    let Some(evaluations) = evaluations(task, test, &mut session, stop)? else { return Ok(None) };
    let manifest = Manifest {
        format: FORMAT,
        name: destination.name.clone(),
        version: destination.version.clone(),
        architecture: Architecture {
            parameters: network.parameters(),
            ..task.config.architecture()
        },
        input: task.spec.clone(),
        classes,
        blocks: blocks(network, task.config.unit)?,
        files: BTreeMap::new(),
        training: Some(story(task, epochs, evaluations)),
        baseline: None,
    };
    let repository = &destination.repository;
    Ok(Some(drsn_bundle::write(repository, manifest, &model, &golden, destination.replace)?))
}

fn story(task: Task<'_>, epochs: usize, evaluations: Vec<Evaluation>) -> Training {
    let config = task.config;
    Training {
        tool: format!("drsn-train {}", env!("CARGO_PKG_VERSION")),
        data: DESCRIPTION.to_owned(),
        training_inputs: task.split.training.len(),
        held_out_inputs: task.split.held_out.len(),
        seed: config.seed,
        epochs,
        configuration: serde_json::json!(config),
        environment: environment(config),
        evaluations,
    }
}

fn blocks(network: &Drsn, unit: Unit) -> Result<Vec<Block>, TrainError> {
    let threshold = match unit {
        Unit::Cw => ThresholdKind::ChannelWise,
        Unit::Cs => ThresholdKind::ChannelShared,
        Unit::Se | Unit::Resnet => return Ok(Vec::new()),
    };
    let block = |name: String, channels| {
        Ok(Block {
            channels,
            threshold,
            threshold_output: threshold_output(&name),
            mean_abs_output: mean_abs_output(&name),
            shrunk_tensor: shrunk_tensor(&name),
            name: Name::new(name)?,
        })
    };
    network.units().map(|(name, unit)| block(name, unit.channels())).collect()
}

fn compare_held_out(
    network: &Drsn,
    task: Task<'_>,
    session: &mut Session,
) -> Result<(), TrainError> {
    let count = COMPARED_INPUTS.min(task.split.held_out.len());
    let batches = Batches {
        dataset: task.dataset,
        spec: task.spec,
        disturbance: Disturbance::calibration(task.config),
    };
    let inputs = batches.values(&task.split.held_out[..count], 0)?;
    compare(network, session, &inputs, planes(task.spec))?;
    Ok(())
}

fn golden(network: &Drsn, task: Task<'_>, session: &mut Session) -> Result<Golden, TrainError> {
    let held_out = &task.split.held_out;
    let mut inputs = Vec::new();
    for (place, &index) in held_out.iter().take(GOLDEN_INPUTS).enumerate() {
        let amplitude = if place % 2 == 0 { 0.0 } else { task.config.noise as f32 };
        let batches = Batches {
            dataset: task.dataset,
            spec: task.spec,
            disturbance: Disturbance::evaluation(amplitude, task.config.seed),
        };
        inputs.extend(batches.values(&[index], 0)?);
    }
    let outputs = compare(network, session, &inputs, planes(task.spec))?
        .into_iter()
        .map(|NamedTensor { name, shape, data }| (name, Tensor { shape, data }))
        .collect();
    let batch = GOLDEN_INPUTS.min(held_out.len());
    let shape = std::iter::once(batch).chain(task.spec.shape()).collect();
    Ok(Golden::new(Tensor { shape, data: inputs }, outputs))
}

fn evaluations(
    task: Task<'_>,
    test: &Dataset,
    session: &mut Session,
    stop: &AtomicBool,
) -> Result<Option<Vec<Evaluation>>, TrainError> {
    let mut amplitudes = vec![0.0];
    amplitudes.extend(Some(task.config.noise as f32).filter(|&noise| noise > 0.0));
    amplitudes
        .into_iter()
        .map(|amplitude| {
            let batches = Batches {
                dataset: test,
                spec: task.spec,
                disturbance: Disturbance::evaluation(amplitude, EVALUATION_SEED),
            };
            let accuracy = accuracy(session, batches, test.len(), stop)?;
            Ok(accuracy.map(|a| evaluation(TEST_NAME, amplitude, test.len(), a)))
        })
        .collect()
}
