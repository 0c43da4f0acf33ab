//! Whether a tensor can have negative values, from the operators that make it.

use drsn_bundle::onnx::proto::NodeProto;

use crate::{
    graph::{Graph, floats},
    read::inputs,
};

/// Most nodes on the way from a tensor to those that show its sign.
const MOST: usize = 24;
/// Operators whose values are never negative.
const NEVER: [&str; 11] = [
    "Abs",
    "Exp",
    "HardSigmoid",
    "ReduceL1",
    "ReduceL2",
    "ReduceSumSquare",
    "Relu",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Sqrt",
];
/// Operators that give no negative value if none of their inputs has one.
const KEEPING: [&str; 7] = ["Add", "Concat", "Div", "Max", "Mean", "Min", "Mul"];
/// Operators whose first input alone has the values.
const MOVING: [&str; 16] = [
    "AveragePool",
    "Cast",
    "Expand",
    "Flatten",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "Identity",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceSum",
    "Reshape",
    "Squeeze",
    "Tile",
    "Transpose",
    "Unsqueeze",
];

/// Whether the operators before a tensor show that none of its values is negative.
pub(super) fn is_never_negative(graph: &Graph<'_>, tensor: &str) -> bool {
    let mut open = vec![tensor.to_owned()];
    let mut seen: Vec<String> = Vec::new();
    while let Some(name) = open.pop() {
        if seen.contains(&name) {
            continue;
        }
        let Some(at) = graph.maker(&name) else {
            // A weight; the input of the model may have any values.
            if floats(graph.proto, &name)
                .is_some_and(|values| values.iter().all(|v| v.is_sign_positive()))
            {
                continue;
            }
            return false;
        };
        match sources(graph.node(at)) {
            Some(sources) if seen.len() < MOST => open.extend(sources),
            _ => return false,
        }
        seen.push(name);
    }
    true
}

/// The inputs that must not be negative so that the output is not; `None` if it may be anyway.
fn sources(node: &NodeProto) -> Option<Vec<String>> {
    let operator = node.op_type();
    if NEVER.contains(&operator) {
        return Some(Vec::new());
    }
    if KEEPING.contains(&operator) {
        return Some(inputs(node).cloned().collect());
    }
    MOVING.contains(&operator).then(|| inputs(node).take(1).cloned().collect())
}
