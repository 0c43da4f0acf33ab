//! The bundle of a trained network: graph, manifest, golden data.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use drsn_bundle::{
    Architecture, Block, Evaluation, Golden, HeldOutAccuracy, InputSpec, Manifest, Name, Tensor,
    ThresholdKind, Training, Unit,
    manifest::FORMAT,
    onnx::{mean_abs_output, threshold_output},
    runtime::{NamedTensor, Provider, Runtime, Session},
};

use rand::RngExt as _;
use rand_distr::StandardNormal;

use super::{compare, shrunk_tensor, to_onnx};
use crate::{
    TrainError,
    baseline::{Sample, Taken, baseline},
    calibration::Calibration,
    environment::environment,
    evaluate::evaluation,
    model::Drsn,
    random::{Purpose, stream},
    recipe::{DataConfig, Noise},
    training::{Disturbance, EpochRecord, Progress, Task, in_words, planes},
};

/// Inputs in golden.json; of a public set, every second one with the first noise of the evaluation.
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

/// A network with exact statistics, and how it came to be.
#[derive(Debug)]
pub struct Trained<'a> {
    /// The network.
    pub network: &'a Drsn,
    /// How it does with which statistics.
    pub calibration: Calibration,
    /// What its epochs gave.
    pub history: &'a [EpochRecord],
}

/// Exports a calibrated network, compares it with the exported model in ONNX Runtime, evaluates that model on the
/// test set, and writes the bundle. Returns its folder, or none and writes nothing where `stop` was set meanwhile.
///
/// # Errors
/// [`TrainError::Parity`] where the model disagrees with the network, or what goes wrong on the way.
pub fn write_bundle(
    trained: &Trained<'_>,
    task: Task<'_>,
    destination: &Destination,
    progress: &mut dyn Progress,
    stop: &AtomicBool,
) -> Result<Option<PathBuf>, TrainError> {
    let Trained { network, .. } = *trained;
    let input = &task.data.input;
    let model = to_onnx(network, input, &task.data.classes, FORMAT)?;
    let runtime = Runtime::start(destination.library())?;
    let mut session = Session::open(&runtime, &model, &input.shape(), Provider::Cpu)?;
    progress.step("comparing the exported model with the network");
    compare_held_out(network, task, &mut session)?;
    let golden = golden(network, task, &mut session)?;
    let blocks = blocks(network, task.recipe.network.unit)?;
    progress.step("measuring where the training data lies");
    let sample = Sample {
        training: task.batches(&task.data.training, Disturbance::data(task.recipe)),
        held_out: task.batches(&task.data.held_out, Disturbance::data(task.recipe)),
        words: in_words(task.recipe, task.data),
    };
    let classes = task.data.classes.len();
    let baseline = match baseline(&mut session, &blocks, classes, &sample, stop)? {
        Taken::Stopped => return Ok(None),
        Taken::Impossible(reason) => {
            progress.step(&reason.told());
            None
        }
        Taken::Baseline(baseline) => Some(*baseline),
    };
    progress.step("evaluating the exported model");
    let Some(evaluations) = evaluations(task, &mut session, stop)? else { return Ok(None) };
    let manifest = Manifest {
        format: FORMAT,
        name: destination.name.clone(),
        version: destination.version.clone(),
        architecture: Architecture {
            parameters: network.parameters(),
            ..task.recipe.network.architecture()
        },
        input: input.clone(),
        classes: task.data.classes.clone(),
        blocks,
        files: BTreeMap::new(),
        training: Some(story(trained, task, evaluations)),
        baseline,
    };
    let repository = &destination.repository;
    Ok(Some(drsn_bundle::write(repository, manifest, &model, &golden, destination.replace)?))
}

fn story(trained: &Trained<'_>, task: Task<'_>, evaluations: Vec<Evaluation>) -> Training {
    let Calibration { running, fixed, batch, .. } = trained.calibration;
    Training {
        tool: format!("drsn-train {}", env!("CARGO_PKG_VERSION")),
        data: match &task.recipe.about {
            Some(about) => format!("{about}; {}", task.data.description),
            None => task.data.description.clone(),
        },
        data_digest: Some(task.digest.to_owned()),
        training_inputs: task.data.training.indices.len(),
        held_out_inputs: task.data.held_out.indices.len(),
        seed: task.recipe.seed,
        epochs: trained.history.len(),
        configuration: serde_json::json!(task.recipe),
        environment: environment(),
        history: trained.history.iter().map(|record| record.epoch).collect(),
        held_out_accuracy: Some(HeldOutAccuracy { running, exact: fixed, batch }),
        evaluations,
    }
}

/// What a manifest says of a network's blocks; none where nothing shrinks.
///
/// # Errors
/// [`TrainError::Bundle`] where a unit's name is none that a block may have.
pub fn blocks(network: &Drsn, unit: Unit) -> Result<Vec<Block>, TrainError> {
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
    let held_out = &task.data.held_out.indices;
    let inputs = task.held_out().values(&held_out[..COMPARED_INPUTS.min(held_out.len())], 0)?;
    compare(network, session, &inputs, planes(&task.data.input))?;
    Ok(())
}

fn golden(network: &Drsn, task: Task<'_>, session: &mut Session) -> Result<Golden, TrainError> {
    let input = &task.data.input;
    let inputs = match task.recipe.data {
        DataConfig::Idx(_) | DataConfig::Cifar10(_) => held_out_inputs(task)?,
        DataConfig::Images(_) | DataConfig::Signals(_) => synthetic_inputs(task)?,
    };
    let outputs = compare(network, session, &inputs, planes(input))?
        .into_iter()
        .map(|NamedTensor { name, values }| (name, Tensor(values)))
        .collect();
    let batch = inputs.len() / input.elements().max(1);
    let inputs = session.batch(&inputs, batch)?.to_owned();
    Ok(Golden::new(Tensor(inputs), outputs))
}

/// Inputs of a public set, as the model meets them.
fn held_out_inputs(task: Task<'_>) -> Result<Vec<f32>, TrainError> {
    let mut inputs = Vec::new();
    let held_out = task.data.held_out.indices.iter().take(GOLDEN_INPUTS);
    for (place, &index) in held_out.enumerate() {
        let noise = task.recipe.evaluate.first().copied().filter(|_| place % 2 == 1);
        let disturbance = Disturbance::evaluation(noise, task.recipe.seed);
        inputs.extend(task.batches(&task.data.held_out, disturbance).values(&[index], 0)?);
    }
    Ok(inputs)
}

/// Made-up inputs: whoever gets a model need not get somebody's pictures or recordings with it. Each is a tone with
/// noise, at about the middle and the spread of a picture, or of unit size.
fn synthetic_inputs(task: Task<'_>) -> Result<Vec<f32>, TrainError> {
    let input = &task.data.input;
    let [middle, size] = match input {
        InputSpec::Image(_) => [0.5, 0.2],
        InputSpec::Signal(_) => [0.0, 1.0],
    };
    let mut inputs = Vec::new();
    for place in 0..GOLDEN_INPUTS {
        let mut rng = stream(task.recipe.seed, Purpose::Golden, 0, place as u64);
        let pace = 0.02 * (1 + place) as f32;
        let mut values: Vec<f32> = (0..input.elements())
            .map(|i| {
                let tone = (pace * i as f32).sin();
                middle + size * (tone + 0.3 * rng.sample::<f32, _>(StandardNormal))
            })
            .collect();
        input.prepare(&mut values).map_err(|e| TrainError::Input {
            input: "a made-up input".to_owned(),
            reason: e.to_string(),
        })?;
        inputs.extend(values);
    }
    Ok(inputs)
}

/// How the model does on the test data, clean and with each noise of the recipe.
fn evaluations(
    task: Task<'_>,
    session: &mut Session,
    stop: &AtomicBool,
) -> Result<Option<Vec<Evaluation>>, TrainError> {
    let Some(test) = &task.data.test else { return Ok(Some(Vec::new())) };
    let noises: Vec<Option<Noise>> =
        std::iter::once(None).chain(task.recipe.evaluate.iter().copied().map(Some)).collect();
    noises
        .into_iter()
        .map(|noise| {
            let sessions = std::slice::from_mut(session);
            evaluation(sessions, test, &task.data.input, &task.data.test_name, noise, stop)
        })
        .collect()
}
