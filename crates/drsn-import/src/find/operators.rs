//! The operators of which soft thresholds are made.

use drsn_bundle::onnx::proto::NodeProto;

/// Operators that compute each element of their output from one element of each input.
const ELEMENT_WISE: [&str; 37] = [
    "Abs",
    "Add",
    "And",
    "Cast",
    "CastLike",
    "Ceil",
    "Clip",
    "Div",
    "Dropout",
    "Equal",
    "Exp",
    "Floor",
    "Greater",
    "GreaterOrEqual",
    "Identity",
    "IsInf",
    "IsNaN",
    "LeakyRelu",
    "Less",
    "LessOrEqual",
    "Log",
    "Max",
    "Mean",
    "Min",
    "Mul",
    "Neg",
    "Not",
    "Or",
    "PRelu",
    "Pow",
    "Reciprocal",
    "Relu",
    "Sign",
    "Sqrt",
    "Sub",
    "Sum",
    "Where",
];
/// Rarer ones.
const ELEMENT_WISE_TOO: [&str; 5] = ["Shrink", "Sigmoid", "Tanh", "ThresholdedRelu", "Xor"];
/// Operators that only move elements.
const MOVING: [&str; 5] = ["Flatten", "Reshape", "Squeeze", "Transpose", "Unsqueeze"];
/// Operators that repeat elements.
const REPEATING: [&str; 2] = ["Expand", "Tile"];

/// Whether an operator may be between x and y.
pub(super) fn is_between(node: &NodeProto) -> bool {
    is_element_wise(node) || MOVING.contains(&node.op_type())
}

/// Whether an operator may be between a threshold's tensor and where it meets the features.
pub(super) fn is_before(node: &NodeProto) -> bool {
    is_between(node) || REPEATING.contains(&node.op_type())
}

/// Whether an operator computes each element of its output from one element of each input.
pub(super) fn is_element_wise(node: &NodeProto) -> bool {
    let operator = node.op_type();
    ELEMENT_WISE.contains(&operator) || ELEMENT_WISE_TOO.contains(&operator)
}
