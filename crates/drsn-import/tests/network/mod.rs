//! Networks written node by node, with random weights.

use std::path::Path;

use drsn_bundle::{
    Name,
    onnx::{Attribute, GraphBuilder, proto::ModelProto},
    runtime::Runtime,
};
use drsn_import::{ImportError, Imported, Options, import};
use prost::Message as _;

/// Channels of the features.
pub(crate) const CHANNELS: usize = 6;
/// Samples of a signal.
pub(crate) const WINDOW: usize = 48;

/// A network under construction, with a generator of random numbers (`xorshift`).
pub(crate) struct Network {
    pub(crate) graph: GraphBuilder,
    /// Version of the operators that the model says it is written for.
    pub(crate) operator_set: i64,
    state: u64,
    names: usize,
}

impl Network {
    /// A network with a signal of one channel as its input.
    pub(crate) fn new(seed: u64) -> Self {
        let mut graph = GraphBuilder::new("network");
        graph.input("signal", &[-1, 1, WINDOW as i64]);
        let state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        Self { graph, operator_set: 17, state, names: 0 }
    }

    /// A number from 0 to 1.
    pub(crate) fn uniform(&mut self) -> f32 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state >> 40) as f32 / (1_u64 << 24) as f32
    }

    fn name(&mut self) -> String {
        self.names += 1;
        format!("t{}", self.names)
    }

    /// A node of an operator; returns its output.
    pub(crate) fn op(&mut self, operator: &str, inputs: &[&str]) -> String {
        self.with(operator, inputs, &[])
    }

    /// A node with attributes.
    pub(crate) fn with(
        &mut self,
        operator: &str,
        inputs: &[&str],
        attributes: &[(&str, Attribute)],
    ) -> String {
        let name = self.name();
        self.graph.node(operator, inputs, &name, attributes)
    }

    /// A weight with the same number everywhere.
    pub(crate) fn number(&mut self, value: f32) -> String {
        let name = self.name();
        self.graph.tensor(&name, &[], &[value])
    }

    /// A weight of random numbers around a mean.
    pub(crate) fn weight(&mut self, shape: &[usize], mean: f32, spread: f32) -> String {
        let count = shape.iter().product();
        let values: Vec<f32> =
            (0..count).map(|_| mean + spread * (2.0 * self.uniform() - 1.0)).collect();
        let name = self.name();
        self.graph.tensor(&name, shape, &values)
    }

    /// A list of integers.
    pub(crate) fn integers(&mut self, values: &[i64]) -> String {
        let name = self.name();
        self.graph.integers(&name, values)
    }

    /// A convolution of `from` to the usual number of channels.
    pub(crate) fn conv(&mut self, input: &str, from: usize) -> String {
        let kernel = self.weight(&[CHANNELS, from, 3], 0.0, 0.9);
        let bias = self.weight(&[CHANNELS], 0.0, 0.2);
        self.with("Conv", &[input, &kernel, &bias], &[("pads", Attribute::Ints(vec![1, 1]))])
    }

    /// The mean over the samples, `[batch, C, 1]`.
    pub(crate) fn mean(&mut self, input: &str) -> String {
        let axes = ("axes", Attribute::Ints(vec![2]));
        self.with("ReduceMean", &[input], &[axes, ("keepdims", Attribute::Int(1))])
    }

    /// A gate in (0, 1) for each of `to` channels, `[batch, to, 1]`, from `[batch, C, 1]`.
    pub(crate) fn gate(&mut self, pooled: &str, to: usize) -> String {
        let first = self.weight(&[CHANNELS, CHANNELS, 1], 0.0, 0.9);
        let second = self.weight(&[to, CHANNELS, 1], 0.0, 0.9);
        let hidden = self.op("Conv", &[pooled, &first]);
        let hidden = self.op("Relu", &[&hidden]);
        let gate = self.op("Conv", &[&hidden, &second]);
        self.op("Sigmoid", &[&gate])
    }

    /// The threshold of a DRSN for features, `[batch, C, 1]`.
    pub(crate) fn threshold(&mut self, features: &str) -> String {
        let magnitude = self.op("Abs", &[features]);
        let mean = self.mean(&magnitude);
        let gate = self.gate(&mean, CHANNELS);
        self.op("Mul", &[&gate, &mean])
    }

    /// Ends the network with a classifier of three classes and imports it.
    pub(crate) fn import(
        mut self,
        runtime: &Runtime,
        features: &str,
        folder: &Path,
        allow_plain: bool,
    ) -> Result<Imported, ImportError> {
        let pooled = self.mean(features);
        let flat = self.with("Flatten", &[&pooled], &[("axis", Attribute::Int(1))]);
        let weights = self.weight(&[CHANNELS, 3], 0.0, 1.0);
        self.graph.node("MatMul", &[&flat, &weights], "scores", &[]);
        self.graph.output("scores", &[-1, 3]);
        let path = folder.join("model.onnx");
        let mut model = ModelProto::decode(&self.graph.finish("a network for tests")[..]).unwrap();
        model.opset_import[0].version = Some(self.operator_set);
        std::fs::write(&path, model.encode_to_vec()).unwrap();
        let labels = ["a", "b", "c"].map(str::to_owned).to_vec();
        let name = |name: &str| Name::new(name).unwrap();
        let mut options = Options::new(name("network"), name("1"), labels);
        options.allow_plain = allow_plain;
        import(runtime, &path, &options)
    }
}
