//! Writes proved soft thresholds in the form that `drsn-train` writes, for which the server has
//! operators of its own: `x − max(min(x, τ), −τ)` with τ and A from the outputs of the block.
//!
//! It is the same function of x and τ where τ ≥ 0, so only thresholds that cannot be negative are
//! rewritten. The importer compares the answers with the model's own afterwards.

mod sign;

use std::collections::HashMap;

use drsn_bundle::{
    Block,
    onnx::proto::{GraphProto, NodeProto, TensorProto, tensor_proto::DataType},
};

use self::sign::is_never_negative;
use crate::{
    ImportError,
    find::{Found, Shrunk},
    graph::{Graph, attribute, integers, keep_needed, node, stored_integers},
    read::{inputs, sort},
    report::Form,
};

/// The first operator set whose `Unsqueeze` takes its axes from a tensor.
const OLDEST: i64 = 13;

/// How the names of tensors begin that the importer adds.
const ADDED: &str = "import/";

/// Rewrites the blocks of an instrumented graph that have the same function in the standard form;
/// `None` if there are none.
///
/// # Errors
/// [`ImportError::Refused`] if the nodes cannot be ordered.
pub(crate) fn standard(
    graph: &GraphProto,
    operator_set: i64,
    found: &[Found],
    blocks: &[Block],
) -> Result<Option<GraphProto>, ImportError> {
    let index = Graph::new(graph);
    let usual: Vec<(&Found, &Block)> = found
        .iter()
        .zip(blocks)
        .filter(|(found, block)| operator_set >= OLDEST && is_usual(&index, found, block))
        .collect();
    if usual.is_empty() {
        return Ok(None);
    }
    // New nodes by the tensor that they make in place of an old one.
    let mut new: HashMap<&str, Vec<NodeProto>> = HashMap::new();
    let mut weights: Vec<TensorProto> = Vec::new();
    for (found, block) in usual {
        new.insert(&block.shrunk_tensor, shrinkage(found, block, &mut weights));
        for mean in own_means(&index, found) {
            let output = index.node(mean).output[0].as_str();
            let shape = format!("{ADDED}{output}.shape");
            let sizes = sizes(index.node(mean), found);
            let mean = block.mean_abs_output.as_str();
            if sizes.len() == 2 {
                new.insert(output, vec![node("Identity", &[mean], output, vec![])]);
            } else {
                new.insert(output, vec![node("Reshape", &[mean, &shape], output, vec![])]);
                weights.push(stored_integers(&shape, &sizes));
            }
        }
    }
    let mut rewritten = graph.clone();
    rewritten.node.retain(|node| !node.output.iter().any(|name| new.contains_key(name.as_str())));
    let mut added: Vec<_> = new.into_iter().collect();
    added.sort_by_key(|(name, _)| *name);
    rewritten.node.extend(added.into_iter().flat_map(|(_, nodes)| nodes));
    rewritten.initializer.extend(weights);
    sort(&mut rewritten)?;
    keep_needed(&mut rewritten);
    Ok(Some(rewritten))
}

/// Whether a block shrinks 32-bit floats of one or two spatial axes, channels first, in place, by a
/// threshold of each channel that is never negative.
fn is_usual(graph: &Graph<'_>, found: &Found, block: &Block) -> bool {
    let Shrunk { tensor, is_in_place, .. } = &found.shrunk;
    let is_exact = found.form == Form::Soft && !found.fails_at_zero && !found.is_rounded;
    let is_first = found.axis == 1 && matches!(found.shape.len(), 3 | 4) && *is_in_place;
    let has_floats = [tensor, &found.features]
        .iter()
        .all(|name| graph.element_type(name) == DataType::Float as i32);
    let numbers = found.tau.numbers();
    // Otherwise the threshold's constant axes were only measured to be constant.
    let is_one_each = (numbers == block.channels || numbers == 1)
        && found.tau.shape[1..].iter().product::<usize>() == numbers;
    let is_sole = graph.maker(tensor).is_some_and(|at| graph.node(at).output.len() == 1);
    is_exact
        && is_first
        && has_floats
        && is_one_each
        && is_sole
        && block.shrunk_tensor == *tensor
        && found.tau.factor > 0.0
        && is_never_negative(graph, &found.tau.tensor)
}

/// The nodes that make the shrunk features.
fn shrinkage(found: &Found, block: &Block, weights: &mut Vec<TensorProto>) -> Vec<NodeProto> {
    let part = |what: &str| format!("{ADDED}{}.{what}", block.name);
    let [axes, tau, minus, low, middle] =
        ["axes", "tau", "minus_tau", "at_most_tau", "middle"].map(part);
    weights.push(stored_integers(&axes, &spatial_axes(found)));
    let x = found.features.as_str();
    vec![
        node("Unsqueeze", &[&block.threshold_output, &axes], &tau, vec![]),
        node("Neg", &[&tau], &minus, vec![]),
        node("Min", &[x, &tau], &low, vec![]),
        node("Max", &[&low, &minus], &middle, vec![]),
        node("Sub", &[x, &middle], &block.shrunk_tensor, vec![]),
    ]
}

fn spatial_axes(found: &Found) -> Vec<i64> {
    (2..found.shape.len() as i64).collect()
}

/// The nodes of the model itself that compute the mean magnitude of a block's features.
fn own_means(graph: &Graph<'_>, found: &Found) -> Vec<usize> {
    let is_magnitude = |name: &str| {
        graph.maker(name).is_some_and(|at| {
            let maker = graph.node(at);
            maker.op_type() == "Abs" && maker.input[0] == found.features
        })
    };
    let is_mean = |node: &NodeProto| match node.op_type() {
        "GlobalAveragePool" => true,
        "ReduceMean" => axes(graph, node, found.shape.len()) == Some(spatial_axes(found)),
        _ => false,
    };
    let nodes = graph.proto.node.iter().enumerate();
    let means = nodes.filter(|(_, node)| is_mean(node) && is_magnitude(&node.input[0]));
    // The block's output is computed by another one.
    means.filter(|(_, node)| !node.input[0].starts_with(ADDED)).map(|(at, _)| at).collect()
}

/// The axes of a reduction, sorted and from the front.
fn axes(graph: &Graph<'_>, node: &NodeProto, rank: usize) -> Option<Vec<i64>> {
    let mut axes = match attribute(node, "axes") {
        Some(axes) => axes.ints.clone(),
        None => integers(graph.proto, inputs(node).nth(1)?)?,
    };
    for axis in &mut axes {
        *axis += if *axis < 0 { rank as i64 } else { 0 };
    }
    axes.sort_unstable();
    Some(axes)
}

/// The shape of a mean of the model.
fn sizes(node: &NodeProto, found: &Found) -> Vec<i64> {
    let keeps = node.op_type() == "GlobalAveragePool"
        || attribute(node, "keepdims").is_none_or(|keeps| keeps.i() != 0);
    let ones = if keeps { found.shape.len() - 2 } else { 0 };
    let of_row = [-1, found.shape[1] as i64];
    of_row.into_iter().chain(std::iter::repeat_n(1, ones)).collect()
}
