//! The second graph of a model, which also has the share of features that each block sets to zero.
//!
//! A runtime computes every output of a graph, requested or not. So these outputs have their own
//! graph, which is run only for clients that request them.

use prost::Message as _;

use super::{
    builder::value_info,
    proto::{
        AttributeProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
        attribute_proto::AttributeType, tensor_proto::DataType,
    },
};
use crate::{Block, BundleError};

/// Name of the output with the share of a block's features that are exactly zero, `[batch, C]`.
pub fn zeroed_output(block: &str) -> String {
    format!("zeroed.{block}")
}

/// Adds an output `zeroed.<block>`, `[batch, C]`, for each block: the mean over the spatial axes of
/// `[y = 0]`, where y is the block's tensor after shrinkage.
///
/// The soft threshold returns exact zeros: within [−τ, τ] it computes x − x.
///
/// # Errors
/// [`BundleError::Model`] if the bytes are not an ONNX model.
pub fn with_zeroed_outputs(model: &[u8], blocks: &[Block]) -> Result<Vec<u8>, BundleError> {
    let wrong = |reason: &str| BundleError::Model { reason: reason.to_owned() };
    let mut model = ModelProto::decode(model).map_err(|_| wrong("it is not an ONNX model"))?;
    // Operator sets before 11 compare only integers.
    let has_equal = operator_set(&model) >= 11;
    let graph = model.graph.as_mut().ok_or_else(|| wrong("it has no graph"))?;
    let zero = "zeroed.zero";
    graph.initializer.push(TensorProto {
        data_type: Some(DataType::Float as i32),
        name: Some(zero.to_owned()),
        raw_data: Some(0_f32.to_le_bytes().to_vec()),
        ..TensorProto::default()
    });
    for block in blocks {
        let output = zeroed_output(block.name.as_str());
        let part = |name: &str| format!("{output}.{name}");
        let mut add =
            |operator: &str, inputs: &[&str], output: &str, attribute: Option<(&str, i64)>| {
                graph.node.push(NodeProto {
                    input: inputs.iter().map(|&name| name.to_owned()).collect(),
                    output: vec![output.to_owned()],
                    name: Some(output.to_owned()),
                    op_type: Some(operator.to_owned()),
                    attribute: attribute.map(integer).into_iter().collect(),
                    ..NodeProto::default()
                });
            };
        let (mask, share, mean) = (part("mask"), part("share"), part("mean"));
        if has_equal {
            add("Equal", &[&block.shrunk_tensor, zero], &mask, None);
        } else {
            let nonzero = part("nonzero");
            add("Cast", &[&block.shrunk_tensor], &nonzero, Some(("to", DataType::Bool as i64)));
            add("Not", &[&nonzero], &mask, None);
        }
        add("Cast", &[&mask], &share, Some(("to", DataType::Float as i64)));
        add("GlobalAveragePool", &[&share], &mean, None);
        add("Flatten", &[&mean], &output, Some(("axis", 1)));
        graph.output.push(value_info(&output, &[-1, block.channels as i64]));
    }
    Ok(model.encode_to_vec())
}

/// The version of the standard operators that a model is written for.
fn operator_set(model: &ModelProto) -> i64 {
    let standard = |set: &&OperatorSetIdProto| matches!(set.domain(), "" | "ai.onnx");
    model.opset_import.iter().find(standard).map_or(1, OperatorSetIdProto::version)
}

fn integer((name, value): (&str, i64)) -> AttributeProto {
    AttributeProto {
        name: Some(name.to_owned()),
        r#type: Some(AttributeType::Int as i32),
        i: Some(value),
        ..AttributeProto::default()
    }
}
