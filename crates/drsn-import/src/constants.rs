//! Sizes that are computed from stored numbers alone are stored themselves, and padding becomes part of
//! the convolution behind it, which need not copy the features then.
//!
//! `PyTorch`'s older exporter writes the sizes of `functional.pad` as six operators.

use std::collections::{HashMap, HashSet};

use drsn_bundle::onnx::{
    self, Attribute,
    proto::{AttributeProto, GraphProto, NodeProto, TensorProto, tensor_proto::DataType},
};
use ndarray::ArrayViewD;

use crate::{
    graph::{Graph, attribute, floats, integers, keep_needed, stored_integers},
    read::inputs,
    run::Runner,
};

/// Integers up to this are the same as 32-bit floats, as which tensors are read.
const EXACT: f32 = 16_777_216.0;

/// Stores each list of 64-bit integers that the rest of the graph takes and that depends on weights
/// only. The graph stays as it is if the runtime cannot compute them; `input` is any batch.
pub(crate) fn store(graph: &mut GraphProto, runner: Runner<'_>, input: ArrayViewD<'_, f32>) {
    let lists = computed_lists(graph);
    let names: Vec<&str> = lists.iter().map(String::as_str).collect();
    if names.is_empty() {
        return;
    }
    let Ok(values) = runner.run(graph, &names, input) else { return };
    let mut weights: Vec<TensorProto> = Vec::new();
    for name in names {
        let Some(list) = values.get(name).filter(|list| list.ndim() == 1) else { continue };
        if list.iter().all(|number| number.abs() <= EXACT && number.fract() == 0.0) {
            let numbers: Vec<i64> = list.iter().map(|&number| number as i64).collect();
            weights.push(stored_integers(name, &numbers));
        }
    }
    let stored: HashSet<&str> = weights.iter().map(TensorProto::name).collect();
    graph.node.retain(|node| !matches!(&node.output[..], [one] if stored.contains(one.as_str())));
    graph.initializer.extend(weights);
    keep_needed(graph);
}

/// Makes padding with zeros around the positions a part of the convolution that alone takes it.
pub(crate) fn merge_padding(graph: &mut GraphProto) {
    let is_output = |name: &str| graph.output.iter().any(|output| output.name() == name);
    let mut merged: HashMap<usize, (String, AttributeProto)> = HashMap::new();
    for pad in graph.node.iter().filter(|node| node.op_type() == "Pad") {
        let [padded] = &pad.output[..] else { continue };
        let mut takers = graph
            .node
            .iter()
            .enumerate()
            .filter(|(_, node)| inputs(node).any(|name| name == padded));
        let (Some((at, taker)), None) = (takers.next(), takers.next()) else { continue };
        let takes_features = taker.op_type() == "Conv" && taker.input.first() == Some(padded);
        if !is_output(padded)
            && takes_features
            && let Some(pads) = zeros_around(graph, pad).and_then(|zeros| with_zeros(taker, &zeros))
        {
            merged.insert(at, (pad.input[0].clone(), pads));
        }
    }
    for (at, (features, pads)) in merged {
        let convolution = &mut graph.node[at];
        convolution.input[0] = features;
        convolution.attribute.retain(|attribute| attribute.name() != "pads");
        convolution.attribute.push(pads);
    }
    keep_needed(graph);
}

/// How many zeros a node puts before each position's axis and then after each; `None` if it does
/// something else, too.
fn zeros_around(graph: &GraphProto, pad: &NodeProto) -> Option<Vec<i64>> {
    let is_usual = |mode: &AttributeProto| mode.name() == "mode" && mode.s() == b"constant";
    let is_zero = |value: &String| {
        value.is_empty()
            || floats(graph, value).is_some_and(|of| of.iter().all(|&zero| zero == 0.0))
    };
    let sizes = integers(graph, pad.input.get(1)?)?;
    let axes = sizes.len() / 2;
    let (before, after) = sizes.split_at_checked(axes).filter(|_| axes > 2)?;
    let is_so = pad.attribute.iter().all(is_usual)
        && pad.input.get(2).is_none_or(is_zero)
        && pad.input.get(3).is_none_or(String::is_empty)
        && [before, after].iter().all(|sizes| sizes[..2] == [0, 0])
        && sizes.iter().all(|&size| size >= 0);
    is_so.then(|| [&before[2..], &after[2..]].concat())
}

/// The padding of a convolution with more zeros.
fn with_zeros(convolution: &NodeProto, zeros: &[i64]) -> Option<AttributeProto> {
    let is_explicit = |mode: &AttributeProto| mode.s() == b"NOTSET";
    let own = attribute(convolution, "pads").map_or(vec![0; zeros.len()], |pads| pads.ints.clone());
    if own.len() != zeros.len() || !attribute(convolution, "auto_pad").is_none_or(is_explicit) {
        return None;
    }
    let pads =
        own.iter().zip(zeros).map(|(own, more)| own.checked_add(*more)).collect::<Option<_>>()?;
    Some(onnx::attribute(&("pads", Attribute::Ints(pads))))
}

/// The tensors of 64-bit integers that are computed from weights only, and taken by a node that is not.
fn computed_lists(graph: &GraphProto) -> Vec<String> {
    let index = Graph::new(graph);
    let mut fixed: HashSet<&str> = graph.initializer.iter().map(TensorProto::name).collect();
    let is_random = |node: &NodeProto| {
        ["Random", "Multinomial", "Bernoulli"].iter().any(|start| node.op_type().starts_with(start))
    };
    let mut lists = Vec::new();
    for node in &graph.node {
        if !is_random(node) && inputs(node).all(|name| fixed.contains(name.as_str())) {
            fixed.extend(node.output.iter().map(String::as_str));
            continue;
        }
        let of_integers = |name: &&String| {
            fixed.contains(name.as_str())
                && index.maker(name).is_some_and(|at| index.node(at).output.len() == 1)
                && index.element_type(name) == DataType::Int64 as i32
        };
        lists.extend(inputs(node).filter(of_integers).cloned());
    }
    lists.sort_unstable();
    lists.dedup();
    lists
}
