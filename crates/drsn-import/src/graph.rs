//! A graph with what is asked of it all the time: who makes a tensor, what depends on the input,
//! the types of tensors.

use std::collections::{HashMap, HashSet};

use drsn_bundle::onnx::proto::{
    AttributeProto, GraphProto, NodeProto, TensorProto, ValueInfoProto, tensor_proto::DataType,
    type_proto,
};
pub(crate) use drsn_bundle::onnx::{stored_floats, stored_integers};

use crate::read::{inputs, outputs};

/// A sorted graph and its indices.
#[derive(Debug)]
pub(crate) struct Graph<'g> {
    pub(crate) proto: &'g GraphProto,
    made_by: HashMap<&'g str, usize>,
    varies: HashSet<&'g str>,
    types: HashMap<&'g str, i32>,
}

impl<'g> Graph<'g> {
    pub(crate) fn new(proto: &'g GraphProto) -> Self {
        let mut graph = Self {
            proto,
            made_by: HashMap::new(),
            varies: proto.input.iter().map(ValueInfoProto::name).collect(),
            types: HashMap::new(),
        };
        for input in &proto.input {
            graph.types.insert(input.name(), element_type(input));
        }
        for tensor in &proto.initializer {
            graph.types.insert(tensor.name(), tensor.data_type());
        }
        for (at, node) in proto.node.iter().enumerate() {
            let only_sizes = matches!(node.op_type(), "Shape" | "Size");
            let varies = !only_sizes && inputs(node).any(|name| graph.varies(name));
            for (position, name) in node.output.iter().enumerate() {
                graph.made_by.insert(name, at);
                let data_type = graph.type_of_output(node, position);
                graph.types.insert(name, data_type);
                if varies {
                    graph.varies.insert(name);
                }
            }
        }
        graph
    }

    /// The position of the node that makes a tensor; `None` for weights and inputs.
    pub(crate) fn maker(&self, tensor: &str) -> Option<usize> {
        self.made_by.get(tensor).copied()
    }

    pub(crate) fn node(&self, at: usize) -> &'g NodeProto {
        &self.proto.node[at]
    }

    /// Whether a tensor's values depend on the input's; its sizes may do so anyway.
    pub(crate) fn varies(&self, tensor: &str) -> bool {
        self.varies.contains(tensor)
    }

    /// The type of a tensor's elements, a number of ONNX.
    pub(crate) fn element_type(&self, tensor: &str) -> i32 {
        self.types.get(tensor).copied().unwrap_or(DataType::Float as i32)
    }

    fn type_of_output(&self, node: &NodeProto, position: usize) -> i32 {
        let of_input = |at: usize| node.input.get(at).map(|name| self.element_type(name));
        let (bool, int64) = (DataType::Bool as i32, DataType::Int64 as i32);
        let float = DataType::Float as i32;
        match node.op_type() {
            "Cast" => attribute(node, "to").map_or(float, |a| a.i() as i32),
            "Equal" | "Less" | "LessOrEqual" | "Greater" | "GreaterOrEqual" | "Not" | "And"
            | "Or" | "Xor" | "IsNaN" | "IsInf" => bool,
            "Shape" | "Size" | "NonZero" | "ArgMax" | "ArgMin" => int64,
            "MaxPool" | "TopK" if position == 1 => int64,
            "Dropout" if position == 1 => bool,
            "Where" | "CastLike" | "DequantizeLinear" => of_input(1).unwrap_or(float),
            "QuantizeLinear" => of_input(2).unwrap_or(DataType::Uint8 as i32),
            "ConstantOfShape" => attribute(node, "value")
                .and_then(|a| a.t.as_ref())
                .map_or(float, TensorProto::data_type),
            _ => of_input(0).unwrap_or(float),
        }
    }
}

/// A node's attribute of this name.
pub(crate) fn attribute<'n>(node: &'n NodeProto, name: &str) -> Option<&'n AttributeProto> {
    node.attribute.iter().find(|attribute| attribute.name() == name)
}

/// The type of an input's elements, a number of ONNX.
pub(crate) fn element_type(value: &ValueInfoProto) -> i32 {
    match value.r#type.as_ref().and_then(|t| t.value.as_ref()) {
        Some(type_proto::Value::TensorType(tensor)) => tensor.elem_type(),
        None => DataType::Undefined as i32,
    }
}

/// The name of a type of elements.
pub(crate) fn type_name(data_type: i32) -> String {
    DataType::try_from(data_type)
        .map_or_else(|_| format!("type {data_type}"), |known| known.as_str_name().to_lowercase())
}

/// Whether tensors of this type hold numbers with fractions.
pub(crate) fn is_float(data_type: i32) -> bool {
    let known = [DataType::Float, DataType::Float16, DataType::Double, DataType::Bfloat16];
    known.iter().any(|&known| known as i32 == data_type)
}

/// The numbers of a weight of 64-bit integers.
pub(crate) fn integers(graph: &GraphProto, name: &str) -> Option<Vec<i64>> {
    let (numbers, _) = stored(graph, name, DataType::Int64)?.as_chunks();
    Some(numbers.iter().map(|&bytes| i64::from_le_bytes(bytes)).collect())
}

/// The numbers of a weight of 32-bit floats.
pub(crate) fn floats(graph: &GraphProto, name: &str) -> Option<Vec<f32>> {
    let (numbers, _) = stored(graph, name, DataType::Float)?.as_chunks();
    Some(numbers.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect())
}

fn stored<'g>(graph: &'g GraphProto, name: &str, data_type: DataType) -> Option<&'g [u8]> {
    let weight = graph.initializer.iter().find(|tensor| tensor.name() == name)?;
    (weight.data_type() == data_type as i32).then(|| weight.raw_data())
}

/// A node of a standard operator with one output.
pub(crate) fn node(
    operator: &str,
    inputs: &[&str],
    output: &str,
    attributes: Vec<AttributeProto>,
) -> NodeProto {
    NodeProto {
        input: inputs.iter().map(|&name| name.to_owned()).collect(),
        output: vec![output.to_owned()],
        name: Some(output.to_owned()),
        op_type: Some(operator.to_owned()),
        attribute: attributes,
        ..NodeProto::default()
    }
}

/// The node that turns numbers of any type into those of another.
pub(crate) fn cast(input: &str, output: &str, to: i32) -> NodeProto {
    use drsn_bundle::onnx::{Attribute, attribute};
    node("Cast", &[input], output, vec![attribute(&("to", Attribute::Int(to.into())))])
}

/// Keeps only the nodes and weights that the outputs need.
pub(crate) fn keep_needed(graph: &mut GraphProto) {
    let mut needed: HashSet<String> =
        graph.output.iter().map(|output| output.name().to_owned()).collect();
    let mut nodes = std::mem::take(&mut graph.node);
    nodes.reverse();
    nodes.retain(|node| {
        let is_needed = outputs(node).any(|name| needed.contains(name));
        if is_needed {
            needed.extend(inputs(node).cloned());
        }
        is_needed
    });
    nodes.reverse();
    graph.node = nodes;
    graph.initializer.retain(|tensor| needed.contains(tensor.name()));
}

/// Adds the weights that the nodes of a part take from the whole graph.
pub(crate) fn add_weights(part: &mut GraphProto, whole: &GraphProto) {
    let taken: HashSet<&String> = part.node.iter().flat_map(inputs).collect();
    let weights = whole.initializer.iter();
    let weights: Vec<TensorProto> = weights
        .filter(|tensor| tensor.name.as_ref().is_some_and(|name| taken.contains(name)))
        .cloned()
        .collect();
    part.initializer.extend(weights);
}

/// Renames tensors wherever they are made, taken or returned.
pub(crate) fn rename(graph: &mut GraphProto, names: &HashMap<String, String>) {
    let change = |name: &mut String| {
        if let Some(new) = names.get(name.as_str()) {
            name.clone_from(new);
        }
    };
    for node in &mut graph.node {
        node.input.iter_mut().for_each(change);
        node.output.iter_mut().for_each(change);
    }
    let values = graph.input.iter_mut().chain(&mut graph.output);
    let values = values.filter_map(|value| value.name.as_mut());
    let weights = graph.initializer.iter_mut().filter_map(|tensor| tensor.name.as_mut());
    values.chain(weights).for_each(change);
}
