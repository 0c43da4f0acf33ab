//! What the integration tests share: random networks, MNIST where it is there, ONNX Runtime where it is there.

use std::{env, path::PathBuf};

use burn::{
    module::{Param, RunningState},
    tensor::{Device, Tensor, TensorData},
};
use drsn_bundle::{
    Architecture, Stage, Stem, Unit,
    runtime::{Provider, Runtime, Session},
};
use drsn_train::{
    dataset::{FILES, Mnist},
    model::{Drsn, Initializer},
    random::{Purpose, stream},
};
use rand::RngExt as _;

/// A network with random weights, and random statistics, γ and β in every normalization.
pub(crate) fn random_network(unit: Unit) -> Drsn {
    let stage = |channels, blocks, stride| Stage { channels, blocks, stride };
    let architecture = Architecture {
        unit,
        stem: Stem { channels: 4, kernel: 5, stride: 1 },
        stages: vec![stage(4, 1, 2), stage(7, 2, 2)],
        shrinkage: drsn_bundle::ShrinkageFunction::Soft,
        kernel: 3,
        threshold_reduction: 2,
        parameters: 0,
    };
    let device = Device::flex();
    let mut initializer = Initializer::new(stream(7, Purpose::Weights, 0, 0), &device);
    let mut network = Drsn::new(&architecture, 1, 10, 1e-5, &mut initializer);
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

/// The ten digits as labels.
pub(crate) fn classes() -> Vec<String> {
    Mnist::classes()
}

/// Where MNIST is: `DRSN_MNIST`, else `target/data/mnist` in the workspace. None where a file is missing.
pub(crate) fn mnist_folder() -> Option<PathBuf> {
    let folder = env::var_os("DRSN_MNIST").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/data/mnist"),
        PathBuf::from,
    );
    FILES.iter().all(|name| folder.join(name).is_file()).then_some(folder)
}

/// The sentence for a test that needs MNIST.
pub(crate) const NEEDS_MNIST: &str =
    "it needs MNIST: run `cargo run -p drsn-train -- fetch mnist --to target/data/mnist`";

/// ONNX Runtime, or what is missing.
pub(crate) fn runtime() -> Result<Runtime, String> {
    Runtime::start(None).map_err(|e| format!("it needs ONNX Runtime: {e}"))
}

/// A session of a model for images of one grey channel.
pub(crate) fn session(runtime: &Runtime, model: &[u8], size: usize) -> Session {
    Session::open(runtime, model, &[1, size, size], Provider::Cpu).unwrap()
}

/// Random images in [0, 1], one behind another.
pub(crate) fn random_images(count: usize, size: usize) -> Vec<f32> {
    let mut rng = stream(9, Purpose::Evaluation, 0, 0);
    (0..count * size * size).map(|_| rng.random::<f32>()).collect()
}
