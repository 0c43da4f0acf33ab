//! The graph for the CPU, with the features of signals as images of one row.
//!
//! ONNX Runtime computes convolutions along two axes directly, on blocks of channels, but unfolds
//! features into a matrix for those along one. The network of `bearing` takes a quarter less time with
//! a second axis (docs/decisions/0026-signals-as-rows.md).
//!
//! This graph exists only in this process: a bundle's model is not changed.

mod operators;

use std::collections::{HashMap, HashSet};

use prost::Message as _;

use super::{
    builder::stored_integers,
    proto::{GraphProto, ModelProto, NodeProto, TensorProto, attribute_proto::AttributeType},
    shrinkage::{decoded, no_graph, operator_set},
};
use crate::BundleError;

/// Ends the names of features with a second axis, and of what belongs to them.
const SUFFIX: &str = ".row";
/// The stored list with the number of that axis.
const AXES: &str = "axes.row";
/// The version of the standard operators from which axes are an input, and not an attribute.
const AXES_AS_INPUT: i64 = 13;

/// Gives the features of convolutions along one axis a second axis, of size 1, before that one, and
/// also what operators that allow it make of them; all others get features without it. Inputs and
/// outputs of the graph do not change. The model may come from [`super::with_fused_shrinkage`].
///
/// # Errors
/// [`BundleError::Model`] if the bytes are not an ONNX model.
pub fn with_signals_as_rows(model: &[u8]) -> Result<Vec<u8>, BundleError> {
    let mut changed = decoded(model)?;
    let version = operator_set(&changed);
    let graph = changed.graph.as_mut().ok_or_else(no_graph)?;
    if version < AXES_AS_INPUT || !is_plain(graph) {
        return Ok(model.to_vec());
    }
    let mut rewriting = Rewriting::of(graph);
    for node in &graph.node {
        rewriting.add(node);
    }
    for output in &graph.output {
        rewriting.without_axis(output.name());
    }
    if !rewriting.has_convolutions {
        return Ok(model.to_vec());
    }
    let Rewriting { nodes, new, kernels, .. } = rewriting;
    for tensor in &mut graph.initializer {
        if kernels.contains(tensor.name()) {
            tensor.dims.insert(2, 1);
        }
    }
    graph.initializer.extend(new);
    graph.node = nodes;
    // Shapes of inner tensors, which have changed.
    graph.value_info.clear();
    Ok(ModelProto::encode_to_vec(&changed))
}

/// Whether no node has a graph of its own, which could use tensors by their names, and no name could
/// be one of the new ones.
fn is_plain(graph: &GraphProto) -> bool {
    let has_graph =
        |node: &NodeProto| node.attribute.iter().any(|a| a.r#type() == AttributeType::Graph);
    let names = graph.node.iter().flat_map(|node| &node.output).map(String::as_str);
    let mut names = names.chain(graph.initializer.iter().map(TensorProto::name));
    !graph.node.iter().any(has_graph) && !names.any(|name| name.ends_with(SUFFIX))
}

/// What a node becomes if its features have a second axis: the node, and which of its inputs and
/// outputs are such features.
struct OnRows {
    node: NodeProto,
    inputs: Vec<bool>,
    outputs: Vec<bool>,
}

/// The nodes of a new graph, in the making.
struct Rewriting<'g> {
    stored: HashMap<&'g str, &'g TensorProto>,
    /// Kernels that only convolutions use.
    of_convolutions: HashSet<&'g str>,
    /// Tensors that exist with the second axis, by their first names.
    with_axis: HashSet<String>,
    /// Of those, the ones that exist without it, too.
    without_axis: HashSet<String>,
    nodes: Vec<NodeProto>,
    /// New stored tensors.
    new: Vec<TensorProto>,
    /// Kernels that get the second axis.
    kernels: HashSet<String>,
    has_convolutions: bool,
}

impl<'g> Rewriting<'g> {
    fn of(graph: &'g GraphProto) -> Self {
        let is_given = |name: &str| graph.input.iter().any(|input| input.name() == name);
        let stored = graph.initializer.iter().filter(|tensor| !is_given(tensor.name()));
        let mut of_convolutions = HashSet::new();
        let mut of_others = HashSet::new();
        for node in &graph.node {
            for (position, input) in node.input.iter().enumerate() {
                let is_kernel = node.op_type() == "Conv" && position == 1;
                if is_kernel { &mut of_convolutions } else { &mut of_others }
                    .insert(input.as_str());
            }
        }
        of_convolutions.retain(|name| !of_others.contains(name));
        let axes = stored_integers(AXES, &[2]);
        Self {
            stored: stored.map(|tensor| (tensor.name(), tensor)).collect(),
            of_convolutions,
            with_axis: HashSet::new(),
            without_axis: HashSet::new(),
            nodes: Vec::with_capacity(graph.node.len() + 8),
            new: vec![axes],
            kernels: HashSet::new(),
            has_convolutions: false,
        }
    }

    /// Adds a node, on features with the second axis if it can use them.
    fn add(&mut self, node: &NodeProto) {
        let Some(OnRows { mut node, inputs, outputs }) = self.on_rows(node) else {
            for input in &node.input {
                self.without_axis(input);
            }
            self.nodes.push(node.clone());
            return;
        };
        for (position, input) in node.input.iter_mut().enumerate() {
            if inputs.get(position).copied().unwrap_or(false) {
                self.with_axis(input);
                input.push_str(SUFFIX);
            } else {
                self.without_axis(input);
            }
        }
        for (position, output) in node.output.iter_mut().enumerate() {
            if outputs.get(position).copied().unwrap_or(false) && !output.is_empty() {
                self.with_axis.insert(output.clone());
                output.push_str(SUFFIX);
            }
        }
        self.nodes.push(node);
    }

    /// Adds a node that gives a tensor the second axis, unless there is one.
    fn with_axis(&mut self, name: &str) {
        if self.with_axis.insert(name.to_owned()) {
            self.without_axis.insert(name.to_owned());
            self.nodes.push(moved("Unsqueeze", name, &format!("{name}{SUFFIX}")));
        }
    }

    /// Adds a node that takes the second axis from a tensor that exists only with it.
    fn without_axis(&mut self, name: &str) {
        if self.with_axis.contains(name) && self.without_axis.insert(name.to_owned()) {
            self.nodes.push(moved("Squeeze", &format!("{name}{SUFFIX}"), name));
        }
    }
}

/// A node that adds or takes the second axis.
fn moved(operator: &str, from: &str, to: &str) -> NodeProto {
    NodeProto {
        input: vec![from.to_owned(), AXES.to_owned()],
        output: vec![to.to_owned()],
        name: Some(format!("{to}.{operator}")),
        op_type: Some(operator.to_owned()),
        ..NodeProto::default()
    }
}

#[cfg(test)]
mod tests;
