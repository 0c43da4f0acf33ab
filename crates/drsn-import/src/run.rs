//! Running a graph, with inner tensors as outputs where they are asked for.

use std::collections::HashMap;

use drsn_bundle::{
    onnx::proto::{
        GraphProto, ModelProto, OperatorSetIdProto, ValueInfoProto, tensor_proto::DataType,
    },
    runtime::{Runtime, RuntimeError, Session},
};
use ndarray::{ArrayD, ArrayViewD, Axis};
use prost::Message as _;

use crate::graph::{Graph, cast, keep_needed};

/// Tensors by name, as 32-bit floats whatever their type in the graph.
pub(crate) type Tensors = HashMap<String, ArrayD<f32>>;

/// Oldest version of the format in which weights need not be inputs, and newer than what the oldest
/// operator sets need.
const IR_VERSION: i64 = 8;
/// Newest version that is written: later ones add what an imported graph does not have, and older
/// runtimes refuse them.
const NEWEST_IR_VERSION: i64 = 10;

/// What is needed beside a graph to run it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Runner<'r> {
    pub(crate) runtime: &'r Runtime,
    pub(crate) operator_set: i64,
    pub(crate) ir_version: i64,
}

impl Runner<'_> {
    /// Opens a graph with these tensors as its outputs, and computes it as it is written.
    ///
    /// # Errors
    /// [`RuntimeError`] if the runtime rejects it.
    pub(crate) fn open(&self, graph: &GraphProto, names: &[&str]) -> Result<Probe, RuntimeError> {
        let index = Graph::new(graph);
        let mut probed = graph.clone();
        probed.output.clear();
        let mut aliases = Vec::with_capacity(names.len());
        for (position, &name) in names.iter().enumerate() {
            // A weight or the input itself cannot be an output under its own name.
            let is_plain = index.element_type(name) == DataType::Float as i32;
            let output = if is_plain && index.maker(name).is_some() {
                name.to_owned()
            } else {
                let output = format!("import/probe{position}");
                probed.node.push(cast(name, &output, DataType::Float as i32));
                output
            };
            aliases.push((output.clone(), name.to_owned()));
            probed.output.push(ValueInfoProto { name: Some(output), ..ValueInfoProto::default() });
        }
        keep_needed(&mut probed);
        let model = self.model(probed);
        let session = Session::open_as_written(self.runtime, &model, &[])?;
        Ok(Probe { session, aliases })
    }

    /// The bytes of a model with this graph.
    pub(crate) fn model(&self, graph: GraphProto) -> Vec<u8> {
        self.message(graph).encode_to_vec()
    }

    /// A model with this graph.
    pub(crate) fn message(&self, graph: GraphProto) -> ModelProto {
        ModelProto {
            ir_version: Some(self.ir_version.clamp(IR_VERSION, NEWEST_IR_VERSION)),
            opset_import: vec![OperatorSetIdProto {
                domain: Some(String::new()),
                version: Some(self.operator_set),
            }],
            graph: Some(graph),
            ..ModelProto::default()
        }
    }

    /// Runs a graph once for these tensors.
    ///
    /// # Errors
    /// [`RuntimeError`] if the runtime rejects the graph or fails.
    pub(crate) fn run(
        &self,
        graph: &GraphProto,
        names: &[&str],
        input: ArrayViewD<'_, f32>,
    ) -> Result<Tensors, RuntimeError> {
        self.open(graph, names)?.run(input)
    }
}

/// A graph that is open for some of its tensors.
#[derive(Debug)]
pub(crate) struct Probe {
    session: Session,
    /// Names of outputs, and of the tensors that they are.
    aliases: Vec<(String, String)>,
}

impl Probe {
    /// Runs one batch.
    ///
    /// # Errors
    /// [`RuntimeError::Run`] if the runtime fails.
    pub(crate) fn run(&mut self, input: ArrayViewD<'_, f32>) -> Result<Tensors, RuntimeError> {
        let mut values: HashMap<String, ArrayD<f32>> = self
            .session
            .run(input)?
            .into_iter()
            .map(|tensor| (tensor.name, tensor.values))
            .collect();
        let named = self.aliases.iter();
        Ok(named.filter_map(|(from, to)| Some((to.clone(), values.remove(from)?))).collect())
    }
}

/// One row of a batch, as a batch of its own.
pub(crate) fn row(batch: &ArrayD<f32>, row: usize) -> ArrayD<f32> {
    batch.index_axis(Axis(0), row).insert_axis(Axis(0)).to_owned()
}
