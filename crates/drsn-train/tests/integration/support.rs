//! Shared code of the integration tests: random networks, MNIST and ONNX Runtime if available.

use std::{env, path::PathBuf, sync::Arc};

use burn::{
    module::{Param, RunningState},
    tensor::{Device, Tensor, TensorData},
};
use drsn_bundle::{
    Architecture, Filter, Geometry, ImageSpec, InputSpec, Normalization, ShrinkageFunction,
    SignalSpec, Stage, Stem, Unit,
    runtime::{Provider, Runtime, Session},
};
use drsn_train::{
    dataset::{Data, DatasetError, DatasetSource, IDX_FILES, Part},
    model::{Drsn, Initializer},
    random::{Purpose, stream},
    recipe::{Recipe, preset},
    training::chw_shape,
};
use ndarray::{ArrayD, ArrayViewMutD, Axis};
use rand::RngExt as _;

/// A kind of network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) unit: Unit,
    pub(crate) shrinkage: ShrinkageFunction,
}

/// Every kind of network; the shrinkage function matters only for units with shrinkage.
pub(crate) fn kinds() -> Vec<Kind> {
    let soft = [Unit::Cw, Unit::Cs, Unit::Se, Unit::Resnet]
        .map(|unit| Kind { unit, shrinkage: ShrinkageFunction::Soft });
    let garrote =
        [Unit::Cw, Unit::Cs].map(|unit| Kind { unit, shrinkage: ShrinkageFunction::Garrote });
    [soft.to_vec(), garrote.to_vec()].concat()
}

/// A channel-wise network with soft thresholds.
pub(crate) const CW: Kind = Kind { unit: Unit::Cw, shrinkage: ShrinkageFunction::Soft };

/// A network with random weights, and random statistics, γ and β in every normalization.
pub(crate) fn random_network(kind: Kind, input: &InputSpec) -> Drsn {
    random_network_of(kind, chw_shape(input))
}

/// The same for inputs of `[channels, height, width]`.
pub(crate) fn random_network_of(kind: Kind, input: [usize; 3]) -> Drsn {
    let stage = |channels, blocks, stride| Stage { channels, blocks, stride };
    let architecture = Architecture {
        unit: kind.unit,
        stem: Stem { channels: 4, kernel: 5, stride: 1 },
        stages: vec![stage(4, 1, 2), stage(7, 2, 2)],
        shrinkage: kind.shrinkage,
        kernel: 3,
        threshold_reduction: 2,
        parameters: 0,
    };
    let device = Device::flex();
    let mut initializer = Initializer::new(stream(7, Purpose::Weights, 0, 0), &device);
    let mut network = Drsn::new(&architecture, input, 10, 1e-5, &mut initializer);
    let mut rng = stream(8, Purpose::Weights, 0, 0);
    let mut random = |size: usize, low: f32, high: f32| {
        let values: Vec<f32> = (0..size).map(|_| rng.random_range(low..high)).collect();
        Tensor::<1>::from_data(TensorData::from(values.as_slice()), &device)
    };
    for layer in network.normalizations_mut() {
        let size = layer.gamma.shape().num_elements();
        layer.gamma = Param::from_tensor(random(size, -1.5, 1.5));
        layer.beta = Param::from_tensor(random(size, -0.5, 0.5));
        layer.running_mean = RunningState::new(random(size, -0.5, 0.5));
        layer.running_var = RunningState::new(random(size, 0.1, 2.0));
    }
    network.stem.bias = Param::from_tensor(random(4, -0.5, 0.5));
    for unit in network.stages.iter_mut().flatten() {
        let channels = unit.channels();
        unit.conv1.bias = Param::from_tensor(random(channels, -0.5, 0.5));
        unit.conv2.bias = Param::from_tensor(random(channels, -0.5, 0.5));
    }
    network
}

/// Greyscale images without normalization.
pub(crate) fn image(side: usize) -> InputSpec {
    InputSpec::Image(ImageSpec {
        channels: 1,
        height: side,
        width: side,
        geometry: Geometry::Refuse,
        filter: Filter::Triangle,
        mean: vec![0.0],
        std: vec![1.0],
    })
}

/// Signals with two channels without normalization.
pub(crate) fn signal(window: usize) -> InputSpec {
    InputSpec::Signal(SignalSpec {
        channels: 2,
        window,
        sample_rate_hz: None,
        normalization: Normalization::None,
        source: None,
        padding: None,
    })
}

/// Inputs in memory.
#[derive(Debug, Clone)]
pub(crate) struct Memory {
    /// `[inputs, …]`.
    pub(crate) inputs: ArrayD<f32>,
    pub(crate) labels: Vec<usize>,
}

impl DatasetSource for Memory {
    fn len(&self) -> usize {
        self.inputs.len_of(Axis(0))
    }

    fn label(&self, index: usize) -> usize {
        self.labels[index]
    }

    fn name(&self, index: usize) -> String {
        format!("input {index}")
    }

    fn read(
        &self,
        index: usize,
        _: isize,
        mut values: ArrayViewMutD<'_, f32>,
    ) -> Result<(), DatasetError> {
        values.assign(&self.inputs.index_axis(Axis(0), index));
        Ok(())
    }
}

/// A data set in memory whose first inputs are held out.
pub(crate) fn data(memory: Memory, held_out: usize, input: InputSpec) -> Data {
    let count = memory.len();
    let source: Arc<dyn DatasetSource> = Arc::new(memory);
    Data {
        input,
        classes: classes(),
        description: "made up".to_owned(),
        training: Part { source: Arc::clone(&source), indices: (held_out..count).collect() },
        held_out: Part { source, indices: (0..held_out).collect() },
        test: None,
        test_name: String::new(),
        skipped: Vec::new(),
        notes: Vec::new(),
    }
}

/// A recipe for greyscale images: the preset `mnist` without noise, with other settings.
pub(crate) fn recipe(settings: &[&str]) -> Recipe {
    let mut recipe = preset("mnist").unwrap();
    recipe.noise = None;
    recipe.evaluate = Vec::new();
    recipe.set(&["augmentation.crop=0", "shards=1"]).unwrap().set(settings).unwrap()
}

/// The ten digits as labels.
pub(crate) fn classes() -> Vec<String> {
    (0..10).map(|digit| digit.to_string()).collect()
}

/// The folder of MNIST: `DRSN_MNIST`, or `target/data/mnist` in the workspace. `None` if a file is
/// missing.
pub(crate) fn mnist_folder() -> Option<PathBuf> {
    let folder = env::var_os("DRSN_MNIST").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/data/mnist"),
        PathBuf::from,
    );
    IDX_FILES.iter().all(|name| folder.join(name).is_file()).then_some(folder)
}

/// The reason to skip a test without MNIST.
pub(crate) const NEEDS_MNIST: &str =
    "requires MNIST: run `cargo run -p drsn-train -- fetch mnist --to target/data/mnist`";

/// ONNX Runtime, or the reason to skip a test without it.
pub(crate) fn runtime() -> Result<Runtime, String> {
    Runtime::start(None).map_err(|e| format!("requires ONNX Runtime: {e}"))
}

/// A session for a model.
pub(crate) fn session(runtime: &Runtime, model: &[u8], input: &InputSpec) -> Session {
    Session::open(runtime, model, &input.shape(), Provider::Cpu).unwrap()
}

/// Random inputs in [0, 1], `[count, …]`.
pub(crate) fn random_inputs(count: usize, input: &InputSpec) -> ArrayD<f32> {
    let mut rng = stream(9, Purpose::Evaluation, 0, 0);
    let values = (0..count * input.elements()).map(|_| rng.random::<f32>()).collect();
    let shape: Vec<usize> = [count].into_iter().chain(input.shape()).collect();
    ArrayD::from_shape_vec(shape, values).unwrap()
}
