//! Weights: what they claim against what they are, and constants that are written as nodes.

use drsn_bundle::onnx::proto::{
    AttributeProto, GraphProto, NodeProto, TensorProto, tensor_proto::DataType,
};

use super::is_standard;
use crate::{ImportError, error::refuse};

/// Bits of an element of a type of ONNX; `None` for text and types that are not known.
fn bits(data_type: i32) -> Option<u64> {
    Some(match data_type {
        1 | 6 | 12 => 32,
        2 | 3 | 9 | 17..=20 => 8,
        4 | 5 | 10 | 16 => 16,
        7 | 11 | 13 | 14 => 64,
        15 => 128,
        21..=23 => 4,
        _ => return None,
    })
}

/// Number of elements of a tensor.
fn elements(tensor: &TensorProto) -> Option<u64> {
    let sizes = tensor.dims.iter().map(|&size| u64::try_from(size).ok());
    sizes.into_iter().try_fold(1_u64, |product, size| product.checked_mul(size?))
}

/// Number of bytes that a tensor has by its shape and type.
///
/// # Errors
/// [`ImportError::Refused`] if the shape is impossible or the type is unknown.
pub(super) fn bytes(tensor: &TensorProto) -> Result<u64, ImportError> {
    let size = bits(tensor.data_type()).and_then(|bits| elements(tensor)?.checked_mul(bits));
    let Some(size) = size else {
        return refuse(format!(
            "the weight \"{}\" has an impossible shape ({:?}) or a type that is not supported ({})",
            tensor.name(),
            tensor.dims,
            tensor.data_type()
        ));
    };
    Ok(size.div_ceil(8))
}

/// Compares each weight's shape with its values, before a runtime takes memory for the shape.
///
/// # Errors
/// [`ImportError::Refused`] with the first weight that claims what it does not have.
pub(super) fn check(graph: &GraphProto) -> Result<(), ImportError> {
    if !graph.sparse_initializer.is_empty() {
        return refuse("the model has sparse weights: export it with dense ones");
    }
    let in_nodes = graph.node.iter().flat_map(|node| &node.attribute);
    let in_nodes = in_nodes.filter_map(|attribute| attribute.t.as_ref());
    for tensor in graph.initializer.iter().chain(in_nodes) {
        check_values(tensor)?;
    }
    Ok(())
}

fn check_values(tensor: &TensorProto) -> Result<(), ImportError> {
    let lists = [
        tensor.float_data.len(),
        tensor.int32_data.len(),
        tensor.string_data.len(),
        tensor.int64_data.len(),
        tensor.double_data.len(),
        tensor.uint64_data.len(),
    ];
    let listed: u64 = lists.iter().map(|&length| length as u64).sum();
    let fits = if let Some(raw) = &tensor.raw_data {
        listed == 0 && raw.len() as u64 == bytes(tensor)?
    } else if tensor.data_type() == DataType::String as i32 {
        elements(tensor) == Some(listed)
    } else {
        let size = bytes(tensor)?;
        let complex = matches!(tensor.data_type(), 14 | 15);
        let packed = matches!(tensor.data_type(), 21..=23);
        let expected = if complex { elements(tensor).map(|n| 2 * n) } else { elements(tensor) };
        expected == Some(listed) || (packed && size == listed)
    };
    if fits {
        return Ok(());
    }
    refuse(format!(
        "the weight \"{}\" claims the shape {:?} and has other values: the file is damaged",
        tensor.name(),
        tensor.dims
    ))
}

/// Moves the values of Constant nodes to the weights.
pub(super) fn constants_to_weights(graph: &mut GraphProto) {
    let weights = &mut graph.initializer;
    graph.node.retain(|node| {
        let is_constant = node.op_type() == "Constant" && is_standard(node.domain());
        let constant = if is_constant { constant(node) } else { None };
        let is_kept = constant.is_none();
        weights.extend(constant);
        is_kept
    });
}

fn constant(node: &NodeProto) -> Option<TensorProto> {
    let ([attribute], [output]) = (&node.attribute[..], &node.output[..]) else { return None };
    let mut tensor = value(attribute)?;
    tensor.name = Some(output.clone());
    Some(tensor)
}

fn value(attribute: &AttributeProto) -> Option<TensorProto> {
    let tensor = |kind: DataType, dims: Vec<i64>, raw: Vec<u8>| TensorProto {
        dims,
        data_type: Some(kind as i32),
        raw_data: Some(raw),
        ..TensorProto::default()
    };
    let length = |n: usize| vec![n as i64];
    let floats = |values: &[f32]| values.iter().flat_map(|v| v.to_le_bytes()).collect();
    let integers = |values: &[i64]| values.iter().flat_map(|v| v.to_le_bytes()).collect();
    Some(match attribute.name() {
        "value" => attribute.t.clone()?,
        "value_float" => tensor(DataType::Float, Vec::new(), floats(&[attribute.f()])),
        "value_int" => tensor(DataType::Int64, Vec::new(), integers(&[attribute.i()])),
        "value_floats" => {
            tensor(DataType::Float, length(attribute.floats.len()), floats(&attribute.floats))
        }
        "value_ints" => {
            tensor(DataType::Int64, length(attribute.ints.len()), integers(&attribute.ints))
        }
        _ => return None,
    })
}
