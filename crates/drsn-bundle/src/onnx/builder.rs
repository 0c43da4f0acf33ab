//! Builds an ONNX model node by node, with stable names.

use prost::Message as _;

use super::proto::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto,
    TensorProto, TensorShapeProto, TypeProto, ValueInfoProto, attribute_proto::AttributeType,
    tensor_proto::DataType, tensor_shape_proto, type_proto,
};

/// IR version 8 and operator set 17, which ONNX Runtime supports since 1.12.
const IR_VERSION: i64 = 8;
const OPERATOR_SET: i64 = 17;

/// An attribute of a node.
#[derive(Debug, Clone, PartialEq)]
pub enum Attribute {
    /// An integer.
    Int(i64),
    /// A list of integers.
    Ints(Vec<i64>),
    /// A float.
    Float(f32),
    /// A list of floats.
    Floats(Vec<f32>),
}

/// A model under construction. A node's inputs must exist before it is added.
///
/// ```
/// use drsn_bundle::onnx::GraphBuilder;
/// let mut graph = GraphBuilder::new("double");
/// graph.input("input", &[-1, 2]);
/// let two = graph.tensor("two", &[], &[2.0]);
/// graph.node("Mul", &["input", &two], "doubled", &[]);
/// graph.output("doubled", &[-1, 2]);
/// assert!(!graph.finish("an example").is_empty());
/// ```
#[derive(Debug)]
pub struct GraphBuilder {
    graph: GraphProto,
    metadata: Vec<StringStringEntryProto>,
}

impl GraphBuilder {
    /// An empty graph.
    pub fn new(name: &str) -> Self {
        Self {
            graph: GraphProto { name: Some(name.to_owned()), ..GraphProto::default() },
            metadata: Vec::new(),
        }
    }

    /// Declares an input of 32-bit floats; −1 stands for the batch size.
    pub fn input(&mut self, name: &str, shape: &[i64]) {
        self.graph.input.push(value_info(name, shape));
    }

    /// Declares an output of 32-bit floats; −1 stands for the batch size.
    pub fn output(&mut self, name: &str, shape: &[i64]) {
        self.graph.output.push(value_info(name, shape));
    }

    /// Stores 32-bit floats in the model and returns the tensor's name.
    pub fn tensor(&mut self, name: &str, shape: &[usize], values: &[f32]) -> String {
        self.graph.initializer.push(stored_floats(name, shape, values));
        name.to_owned()
    }

    /// Stores 64-bit integers in the model and returns the tensor's name.
    pub fn integers(&mut self, name: &str, values: &[i64]) -> String {
        self.graph.initializer.push(stored_integers(name, values));
        name.to_owned()
    }

    /// Adds a node of a standard operator with one output, and returns the output's name.
    pub fn node(
        &mut self,
        operator: &str,
        inputs: &[&str],
        output: &str,
        attributes: &[(&str, Attribute)],
    ) -> String {
        self.graph.node.push(NodeProto {
            input: inputs.iter().map(|&name| name.to_owned()).collect(),
            output: vec![output.to_owned()],
            name: Some(output.to_owned()),
            op_type: Some(operator.to_owned()),
            attribute: attributes.iter().map(attribute).collect(),
            ..NodeProto::default()
        });
        output.to_owned()
    }

    /// Adds an entry to the model's metadata.
    pub fn metadata(&mut self, key: &str, value: &str) {
        self.metadata.push(StringStringEntryProto {
            key: Some(key.to_owned()),
            value: Some(value.to_owned()),
        });
    }

    /// The model's bytes, which are the same for the same graph.
    pub fn finish(self, description: &str) -> Vec<u8> {
        ModelProto {
            ir_version: Some(IR_VERSION),
            opset_import: vec![OperatorSetIdProto {
                domain: Some(String::new()),
                version: Some(OPERATOR_SET),
            }],
            producer_name: Some("drsn".to_owned()),
            producer_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            doc_string: Some(description.to_owned()),
            graph: Some(self.graph),
            metadata_props: self.metadata,
            ..ModelProto::default()
        }
        .encode_to_vec()
    }
}

/// 32-bit floats that a graph stores, as a message.
pub fn stored_floats(name: &str, shape: &[usize], values: &[f32]) -> TensorProto {
    TensorProto {
        dims: shape.iter().map(|&size| size as i64).collect(),
        data_type: Some(DataType::Float as i32),
        name: Some(name.to_owned()),
        raw_data: Some(values.iter().flat_map(|value| value.to_le_bytes()).collect()),
        ..TensorProto::default()
    }
}

/// A list of 64-bit integers that a graph stores, as a message.
pub fn stored_integers(name: &str, values: &[i64]) -> TensorProto {
    TensorProto {
        dims: vec![values.len() as i64],
        data_type: Some(DataType::Int64 as i32),
        name: Some(name.to_owned()),
        raw_data: Some(values.iter().flat_map(|value| value.to_le_bytes()).collect()),
        ..TensorProto::default()
    }
}

/// An attribute with its name, as a message.
pub fn attribute((name, value): &(&str, Attribute)) -> AttributeProto {
    let mut proto = AttributeProto { name: Some((*name).to_owned()), ..AttributeProto::default() };
    match value {
        Attribute::Int(i) => {
            proto.set_type(AttributeType::Int);
            proto.i = Some(*i);
        }
        Attribute::Ints(ints) => {
            proto.set_type(AttributeType::Ints);
            proto.ints.clone_from(ints);
        }
        Attribute::Float(f) => {
            proto.set_type(AttributeType::Float);
            proto.f = Some(*f);
        }
        Attribute::Floats(floats) => {
            proto.set_type(AttributeType::Floats);
            proto.floats.clone_from(floats);
        }
    }
    proto
}

/// A tensor of 32-bit floats; a negative size is the symbolic dimension `batch`.
pub fn value_info(name: &str, shape: &[i64]) -> ValueInfoProto {
    use tensor_shape_proto::{Dimension, dimension::Value};

    let dim = shape
        .iter()
        .map(|&size| Dimension {
            value: Some(if size < 0 {
                Value::DimParam("batch".to_owned())
            } else {
                Value::DimValue(size)
            }),
        })
        .collect();
    ValueInfoProto {
        name: Some(name.to_owned()),
        r#type: Some(TypeProto {
            value: Some(type_proto::Value::TensorType(type_proto::Tensor {
                elem_type: Some(DataType::Float as i32),
                shape: Some(TensorShapeProto { dim }),
            })),
        }),
        doc_string: None,
    }
}
