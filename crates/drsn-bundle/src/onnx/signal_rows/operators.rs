//! What operators become whose features have a second axis, of size 1 before the axis of time.

use super::{OnRows, Rewriting, SUFFIX};
use crate::onnx::{
    builder::stored_integers,
    fused,
    proto::{
        AttributeProto, NodeProto, TensorProto, attribute_proto::AttributeType,
        tensor_proto::DataType,
    },
};

/// Operators of one tensor, element by element, whatever its axes.
const OF_ELEMENTS: [&str; 21] = [
    "Abs",
    "Cast",
    "Celu",
    "Clip",
    "Elu",
    "Erf",
    "Exp",
    "Gelu",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "LeakyRelu",
    "Log",
    "Mish",
    "Neg",
    "Relu",
    "Selu",
    "Sigmoid",
    "Sign",
    "Sqrt",
    "Tanh",
];
/// Operators of several tensors, element by element; a number is repeated for all elements.
const OF_PAIRS: [&str; 13] = [
    "Add",
    "Div",
    "Equal",
    "Greater",
    "GreaterOrEqual",
    "Less",
    "LessOrEqual",
    "Max",
    "Min",
    "Mul",
    "PRelu",
    "Sub",
    "Where",
];

impl Rewriting<'_> {
    /// The node on features with the second axis; `None` if its operator does not allow that, or its
    /// features do not have it.
    pub(super) fn on_rows(&mut self, node: &NodeProto) -> Option<OnRows> {
        let has_axis = |position: usize| {
            node.input.get(position).is_some_and(|name| self.with_axis.contains(name))
        };
        let first = |node: NodeProto, is_output: bool| {
            Some(OnRows { node, inputs: vec![true], outputs: vec![is_output] })
        };
        let operator = node.op_type();
        match (node.domain(), operator) {
            ("" | "ai.onnx", "Conv") => self.convolution(node),
            (fused::DOMAIN, fused::MEAN_MAGNITUDE) if has_axis(0) => first(in_plane(node), false),
            (fused::DOMAIN, fused::SHRINK_AND_ADD) if has_axis(0) => Some(OnRows {
                node: in_plane(node),
                inputs: vec![true, false, true],
                outputs: vec![true, true, false, false],
            }),
            ("" | "ai.onnx", _) if operator == "BatchNormalization" && has_axis(0) => {
                first(node.clone(), true)
            }
            ("" | "ai.onnx", _) if OF_ELEMENTS.contains(&operator) && has_axis(0) => {
                first(node.clone(), true)
            }
            ("" | "ai.onnx", _) if OF_PAIRS.contains(&operator) => self.pair(node),
            ("" | "ai.onnx", "GlobalAveragePool" | "GlobalMaxPool") if has_axis(0) => {
                first(node.clone(), true)
            }
            // Of [N, C, 1, 1] and of [N, C, 1] it makes the same.
            ("" | "ai.onnx", "Flatten") if has_axis(0) => {
                let axis = attribute(node, "axis").map_or(1, AttributeProto::i);
                if axis == 1 { first(node.clone(), false) } else { None }
            }
            ("" | "ai.onnx", "ReduceMean") if has_axis(0) => mean(node),
            ("" | "ai.onnx", "Slice") if has_axis(0) => self.slice(node),
            ("" | "ai.onnx", "Pad") if has_axis(0) => self.padding(node),
            _ => None,
        }
    }

    /// A convolution along one axis with a stored kernel, `[O, I, K]`, becomes one along two.
    fn convolution(&mut self, node: &NodeProto) -> Option<OnRows> {
        let kernel = node.input.get(1)?;
        let stored = self.stored.get(kernel.as_str())?;
        if stored.dims.len() != 3 || !self.of_convolutions.contains(kernel.as_str()) {
            return None;
        }
        let mut node = node.clone();
        for attribute in &mut node.attribute {
            match (attribute.name(), &attribute.ints[..]) {
                ("kernel_shape" | "strides" | "dilations", &[along]) => {
                    attribute.ints = vec![1, along];
                }
                ("pads", &[before, after]) => attribute.ints = vec![0, before, 0, after],
                ("kernel_shape" | "strides" | "dilations" | "pads", _) => return None,
                _ => {}
            }
        }
        self.kernels.insert(kernel.clone());
        self.has_convolutions = true;
        Some(OnRows { node, inputs: vec![true], outputs: vec![true] })
    }

    /// Element by element, if all inputs have the second axis or are stored.
    fn pair(&mut self, node: &NodeProto) -> Option<OnRows> {
        let has_axis = |name: &String| self.with_axis.contains(name);
        let is_stored = |name: &String| {
            self.stored.get(name.as_str()).is_some_and(|tensor| tensor.dims.len() <= 3)
        };
        let fits = node.input.iter().any(has_axis)
            && node.input.iter().all(|name| has_axis(name) || is_stored(name));
        if !fits {
            return None;
        }
        let inputs = node.input.iter().map(has_axis).collect();
        let mut node = node.clone();
        for input in &mut node.input {
            if let Some(&stored) = self.stored.get(input.as_str()) {
                *input = self.spread(stored);
            }
        }
        Some(OnRows { node, inputs, outputs: vec![true] })
    }

    /// The name of a stored tensor that is repeated along features with the second axis as this one is
    /// along those without it: `[C, 1]` becomes `[C, 1, 1]`.
    fn spread(&mut self, tensor: &TensorProto) -> String {
        let Some(last) = tensor.dims.len().checked_sub(1) else { return tensor.name().to_owned() };
        let name = format!("{}.spread{SUFFIX}", tensor.name());
        if self.new.iter().all(|other| other.name() != name) {
            let mut spread = tensor.clone();
            spread.name = Some(name.clone());
            spread.dims.insert(last, 1);
            self.new.push(spread);
        }
        name
    }

    /// A part along one axis.
    fn slice(&mut self, node: &NodeProto) -> Option<OnRows> {
        let along = match self.numbers(node.input.get(3)?)?[..] {
            [2] => 3,
            [other @ -1..=1] => other,
            _ => return None,
        };
        Some(self.with_numbers(node, 3, &[along]))
    }

    /// Padding, with sizes before each axis and then after each.
    fn padding(&mut self, node: &NodeProto) -> Option<OnRows> {
        let is_of_all = node.input.get(3).is_none_or(String::is_empty);
        let &[batch, channels, time, ref after @ ..] = &self.numbers(node.input.get(1)?)?[..]
        else {
            return None;
        };
        let &[after_batch, after_channels, after_time] = after else { return None };
        let pads = [batch, channels, 0, time, after_batch, after_channels, 0, after_time];
        is_of_all.then(|| self.with_numbers(node, 1, &pads))
    }

    /// The node with other integers as one of its inputs.
    fn with_numbers(&mut self, node: &NodeProto, position: usize, numbers: &[i64]) -> OnRows {
        let mut node = node.clone();
        let name = format!("{}.{position}{SUFFIX}", node.output.first().map_or("", String::as_str));
        self.new.push(stored_integers(&name, numbers));
        if let Some(input) = node.input.get_mut(position) {
            *input = name;
        }
        OnRows { node, inputs: vec![true], outputs: vec![true] }
    }

    /// The integers of a stored tensor.
    fn numbers(&self, name: &str) -> Option<Vec<i64>> {
        let tensor: &TensorProto = self.stored.get(name)?;
        let (raw, rest) = tensor.raw_data().as_chunks();
        let is_whole = tensor.data_type() == DataType::Int64 as i32
            && rest.is_empty()
            && tensor.external_data.is_empty();
        let raw = raw.iter().map(|&bytes| i64::from_le_bytes(bytes));
        is_whole.then(|| tensor.int64_data.iter().copied().chain(raw).collect())
    }
}

/// The mean over the axis of time.
fn mean(node: &NodeProto) -> Option<OnRows> {
    let axes = &attribute(node, "axes")?.ints;
    if node.input.len() != 1 || !matches!(axes[..], [2 | -1]) {
        return None;
    }
    let keeps = attribute(node, "keepdims").is_none_or(|keeps| keeps.i() != 0);
    let mut node = node.clone();
    for attribute in node.attribute.iter_mut().filter(|attribute| attribute.name() == "axes") {
        attribute.ints = vec![2, 3];
    }
    Some(OnRows { node, inputs: vec![true], outputs: vec![keeps] })
}

/// One of our operators, on two spatial axes.
fn in_plane(node: &NodeProto) -> NodeProto {
    let mut node = node.clone();
    for attribute in &mut node.attribute {
        if attribute.name() == fused::SPACE && attribute.r#type() == AttributeType::Int {
            attribute.i = Some(2);
        }
    }
    node
}

fn attribute<'n>(node: &'n NodeProto, name: &str) -> Option<&'n AttributeProto> {
    node.attribute.iter().find(|attribute| attribute.name() == name)
}
