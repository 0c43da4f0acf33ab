//! Adds what a block's shrinkage leaves to a model's outputs.
//!
//! A runtime computes every output of a graph, requested or not. So these outputs have their own
//! graph, which is run only for clients that request them.

use prost::Message as _;

use super::{
    Attribute,
    builder::{attribute, value_info},
    names::{mean_abs_after_output, zeroed_output},
    proto::{
        AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
        tensor_proto::DataType,
    },
};
use crate::{Block, BundleError};

/// Name of the tensor with the number 0.
const ZERO: &str = "zeroed.zero";

/// Adds two outputs for each block, `[batch, C]`: `zeroed.<block>`, the mean over the spatial axes
/// of `[y = 0]`, and `mean_abs_after.<block>`, that of `|y|`, where y is the block's tensor after
/// shrinkage.
///
/// The soft threshold returns exact zeros: within [−τ, τ] it computes x − x.
///
/// # Errors
/// [`BundleError::Model`] if the bytes are not an ONNX model.
pub fn with_shrinkage_outputs(model: &[u8], blocks: &[Block]) -> Result<Vec<u8>, BundleError> {
    let mut model = decoded(model)?;
    // Operator sets before 11 compare only integers.
    let has_equal = operator_set(&model) >= 11;
    let graph = model.graph.as_mut().ok_or_else(no_graph)?;
    graph.initializer.push(TensorProto {
        data_type: Some(DataType::Float as i32),
        name: Some(ZERO.to_owned()),
        raw_data: Some(0_f32.to_le_bytes().to_vec()),
        ..TensorProto::default()
    });
    for block in blocks {
        let (zeroed, after) =
            (zeroed_output(block.name.as_str()), mean_abs_after_output(block.name.as_str()));
        let (mask, share) = (format!("{zeroed}.mask"), format!("{zeroed}.share"));
        let to = |kind: DataType| [("to", Attribute::Int(kind as i64))];
        if has_equal {
            add(graph, "Equal", &[&block.shrunk_tensor, ZERO], &mask, &[]);
        } else {
            let nonzero = format!("{zeroed}.nonzero");
            add(graph, "Cast", &[&block.shrunk_tensor], &nonzero, &to(DataType::Bool));
            add(graph, "Not", &[&nonzero], &mask, &[]);
        }
        add(graph, "Cast", &[&mask], &share, &to(DataType::Float));
        add_mean(graph, &share, &zeroed);
        let magnitude = format!("{after}.magnitude");
        add(graph, "Abs", &[&block.shrunk_tensor], &magnitude, &[]);
        add_mean(graph, &magnitude, &after);
        for output in [&zeroed, &after] {
            graph.output.push(value_info(output, &[-1, block.channels as i64]));
        }
    }
    Ok(model.encode_to_vec())
}

/// The mean over the spatial axes, `[batch, C]`.
fn add_mean(graph: &mut GraphProto, features: &str, output: &str) {
    let mean = format!("{output}.mean");
    add(graph, "GlobalAveragePool", &[features], &mean, &[]);
    add(graph, "Flatten", &[&mean], output, &[("axis", Attribute::Int(1))]);
}

/// Adds a node with one output, after which it is named.
pub(super) fn add(
    graph: &mut GraphProto,
    operator: &str,
    inputs: &[&str],
    output: &str,
    attributes: &[(&str, Attribute)],
) {
    let attribute: Vec<AttributeProto> = attributes.iter().map(attribute).collect();
    graph.node.push(NodeProto {
        input: inputs.iter().map(|&name| name.to_owned()).collect(),
        output: vec![output.to_owned()],
        name: Some(output.to_owned()),
        op_type: Some(operator.to_owned()),
        attribute,
        ..NodeProto::default()
    });
}

/// A model's message.
pub(super) fn decoded(model: &[u8]) -> Result<ModelProto, BundleError> {
    ModelProto::decode(model).map_err(|_| wrong("it is not an ONNX model"))
}

pub(super) fn no_graph() -> BundleError {
    wrong("it has no graph")
}

fn wrong(reason: &str) -> BundleError {
    BundleError::Model { reason: reason.to_owned() }
}

/// The version of the standard operators that a model is written for.
pub(super) fn operator_set(model: &ModelProto) -> i64 {
    let standard = |set: &&OperatorSetIdProto| matches!(set.domain(), "" | "ai.onnx");
    model.opset_import.iter().find(standard).map_or(1, OperatorSetIdProto::version)
}
