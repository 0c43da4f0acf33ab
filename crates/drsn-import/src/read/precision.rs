//! Models of 64-bit floats and of bfloat16, for which ONNX Runtime has no convolutions.

use drsn_bundle::onnx::proto::{
    GraphProto, TensorProto, ValueInfoProto, tensor_proto::DataType, type_proto,
};

use crate::graph::{element_type, type_name};

const SINGLE: i32 = DataType::Float as i32;

/// Makes a model of such numbers one of 32-bit floats, and says so; `None` if it is not of them. The
/// type of its input is the type in which it computes.
pub(super) fn to_single(graph: &mut GraphProto) -> Option<String> {
    let of_input = graph.input.iter().map(element_type).find(|&kind| is_unusual(kind))?;
    for value in graph.input.iter_mut().chain(&mut graph.output) {
        retype(value);
    }
    let in_nodes = graph.node.iter_mut().flat_map(|node| &mut node.attribute);
    for attribute in in_nodes {
        let is_type = matches!(attribute.name(), "to" | "dtype" | "output_dtype" | "stash_type");
        if is_type && attribute.i.is_some_and(|kind| is_unusual(kind as i32)) {
            attribute.i = Some(i64::from(SINGLE));
        }
        attribute.t.iter_mut().for_each(convert);
    }
    graph.initializer.iter_mut().for_each(convert);
    Some(format!("the model's numbers of type {} became 32-bit floats", type_name(of_input)))
}

fn is_unusual(kind: i32) -> bool {
    kind == DataType::Double as i32 || kind == DataType::Bfloat16 as i32
}

fn retype(value: &mut ValueInfoProto) {
    let kind = value.r#type.as_mut().and_then(|kind| kind.value.as_mut());
    if let Some(type_proto::Value::TensorType(tensor)) = kind
        && is_unusual(tensor.elem_type())
    {
        tensor.elem_type = Some(SINGLE);
    }
}

fn convert(tensor: &mut TensorProto) {
    if !is_unusual(tensor.data_type()) {
        return;
    }
    let is_double = tensor.data_type() == DataType::Double as i32;
    let brain = |bits: u16| f32::from_bits(u32::from(bits) << 16);
    let raw = tensor.raw_data.take();
    let values: Vec<f32> = match (raw, is_double) {
        (Some(raw), true) => {
            raw.as_chunks().0.iter().map(|&bytes| f64::from_le_bytes(bytes) as f32).collect()
        }
        (Some(raw), false) => {
            raw.as_chunks().0.iter().map(|&bytes| brain(u16::from_le_bytes(bytes))).collect()
        }
        (None, true) => tensor.double_data.drain(..).map(|value| value as f32).collect(),
        (None, false) => tensor.int32_data.drain(..).map(|bits| brain(bits as u16)).collect(),
    };
    tensor.data_type = Some(SINGLE);
    tensor.raw_data = Some(values.iter().flat_map(|value| value.to_le_bytes()).collect());
}

#[cfg(test)]
mod tests {
    use drsn_bundle::onnx::value_info;

    use super::*;

    fn tensor(kind: DataType) -> TensorProto {
        TensorProto { data_type: Some(kind as i32), dims: vec![2], ..TensorProto::default() }
    }

    fn values(tensor: &TensorProto) -> Vec<f32> {
        assert_eq!(tensor.data_type(), SINGLE);
        let (numbers, _) = tensor.raw_data.as_deref().unwrap().as_chunks();
        numbers.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
    }

    #[test]
    fn weights_become_32_bit_floats_however_they_are_stored() {
        let raw = |bytes: Vec<u8>, kind| TensorProto { raw_data: Some(bytes), ..tensor(kind) };
        let doubles = [1.5_f64, -2.0].iter().flat_map(|value| value.to_le_bytes()).collect();
        let mut input = value_info("input", &[-1, 2]);
        let kind = input.r#type.as_mut().and_then(|kind| kind.value.as_mut());
        let Some(type_proto::Value::TensorType(of_input)) = kind else { panic!("no tensor") };
        of_input.elem_type = Some(DataType::Double as i32);
        let mut graph = GraphProto {
            input: vec![input],
            initializer: vec![
                raw(doubles, DataType::Double),
                TensorProto { double_data: vec![1.5, -2.0], ..tensor(DataType::Double) },
                raw(vec![0xc0, 0x3f, 0x00, 0xc0], DataType::Bfloat16),
                TensorProto { int32_data: vec![0x3fc0, 0xc000], ..tensor(DataType::Bfloat16) },
            ],
            ..GraphProto::default()
        };
        assert!(to_single(&mut graph).is_some_and(|note| note.contains("type double")));
        for weight in &graph.initializer {
            assert_eq!(values(weight), [1.5, -2.0]);
        }
        assert_eq!(to_single(&mut graph), None);
    }
}
