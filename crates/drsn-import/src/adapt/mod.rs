//! Makes a model's input and batch those of a bundle: `input`, 32-bit floats, `[batch, channels,
//! …]`, a batch of any size.

mod batch;
mod input;
mod shape;

use std::collections::HashMap;

use drsn_bundle::onnx::proto::{GraphProto, NodeProto, TensorProto};
use drsn_bundle::{InputSpec, onnx};

use crate::{
    ImportError, Options,
    graph::rename,
    read::{Source, outputs},
    run::Runner,
};

/// A graph with the input of a bundle, and the outputs of the model.
#[derive(Debug)]
pub(crate) struct Adapted {
    pub(crate) graph: GraphProto,
    pub(crate) input: InputSpec,
    /// What was changed, in sentences.
    pub(crate) notes: Vec<String>,
    /// Whether the model computes with 16-bit floats.
    pub(crate) is_half: bool,
    /// Whether it rounds features to integers of a few bits.
    pub(crate) is_quantised: bool,
}

impl Adapted {
    /// Whether its results differ from one processor, or one optimisation, to the next.
    pub(crate) fn is_rough(&self) -> bool {
        self.is_half || self.is_quantised
    }
}

/// Adapts a model.
///
/// # Errors
/// [`ImportError::Refused`] if the input is none that the server can prepare, or the batch cannot be
/// made variable.
pub(crate) fn adapt(
    source: &Source,
    runner: Runner<'_>,
    options: &Options,
) -> Result<Adapted, ImportError> {
    let mut graph = source.graph.clone();
    free_names(&mut graph);
    let (is_half, is_quantised) = (has_halves(&graph), quantises(&graph));
    let shape = shape::read(&graph, options)?;
    let (input, of_input) = input::put_in_front(&mut graph, &shape, options)?;
    let mut notes = [source.notes.clone(), of_input].concat();
    for output in &mut graph.output {
        output.r#type = None;
    }
    let tolerance = tolerance(is_half || is_quantised);
    if let Some(note) = batch::make_variable(&mut graph, runner, &input, shape.batch, tolerance)? {
        notes.push(note);
    }
    Ok(Adapted { graph, input, notes, is_half, is_quantised })
}

/// The largest difference between two runs that is rounding, relative to the largest number.
pub(crate) fn tolerance(is_rough: bool) -> f32 {
    if is_rough { 4e-3 } else { 1e-4 }
}

/// Gives other names to tensors that have the names of a bundle's.
fn free_names(graph: &mut GraphProto) {
    let is_taken = |name: &str| {
        let starts =
            ["threshold.", "mean_abs.", "mean_abs_after.", "zeroed.", "class_map", "import/"];
        matches!(name, onnx::INPUT | onnx::PROBABILITIES | onnx::LOGITS)
            || starts.iter().any(|start| name.starts_with(start))
    };
    let inputs = graph.input.iter().map(|value| value.name().to_owned());
    let weights = graph.initializer.iter().map(|tensor| tensor.name().to_owned());
    let made = graph.node.iter().flat_map(outputs).cloned();
    let names: Vec<String> = inputs.chain(weights).chain(made).collect();
    let clashing = names.iter().filter(|name| is_taken(name));
    let renamed: HashMap<String, String> = clashing
        .map(|name| {
            let mut other = format!("model/{name}");
            while names.contains(&other) {
                other.insert(0, '_');
            }
            (name.clone(), other)
        })
        .collect();
    if !renamed.is_empty() {
        rename(graph, &renamed);
    }
}

/// Whether nodes round to integers: where two ways to compute a feature are on both sides of a step, the
/// results differ by one.
fn quantises(graph: &GraphProto) -> bool {
    let mut operators = graph.node.iter().map(NodeProto::op_type);
    operators.any(|name| name == "QuantizeLinear" || name.starts_with("QLinear"))
}

/// Whether weights are 16-bit floats.
fn has_halves(graph: &GraphProto) -> bool {
    graph.initializer.iter().map(TensorProto::data_type).any(|kind| matches!(kind, 10 | 16))
}
