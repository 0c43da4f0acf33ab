//! Adds the class activation map to a model's outputs, for networks that end in a global mean and
//! one linear layer (Zhou et al. 2016, "Learning deep features for discriminative localization").
//!
//! Then a class's logit is `b_k + Σ_c w_kc · mean_p f_c(p) = b_k + mean_p Σ_c w_kc · f_c(p)`: a mean
//! over the positions p of the last feature map, and the map has what each of them adds to it.

use prost::Message as _;

use super::{
    Attribute, CLASS_MAP, LOGITS,
    proto::{
        AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto,
        tensor_proto::DataType,
    },
    shrinkage::{add, decoded, no_graph, operator_set},
};
use crate::BundleError;

/// Adds the output [`CLASS_MAP`], `[batch, classes, …]` with the spatial axes of the last feature
/// map; `None` if no global mean and linear layer before the logits are found.
///
/// Whether they are what they seem can depend on shapes that the graph does not have: the map's
/// mean over the positions must differ from the logits by the same numbers for every input, which
/// callers check.
///
/// # Errors
/// [`BundleError::Model`] if the bytes are not an ONNX model.
pub fn with_class_map(model: &[u8]) -> Result<Option<Vec<u8>>, BundleError> {
    let mut model = decoded(model)?;
    let has_slice_inputs = operator_set(&model) >= 10;
    let graph = model.graph.as_mut().ok_or_else(no_graph)?;
    let Some(ending) = Ending::of(graph) else { return Ok(None) };
    ending.add_map(graph, has_slice_inputs);
    graph.output.push(ValueInfoProto {
        name: Some(CLASS_MAP.to_owned()),
        r#type: Some(floats_of_any_shape()),
        ..ValueInfoProto::default()
    });
    Ok(Some(ModelProto::encode_to_vec(&model)))
}

/// The last layers of a network.
struct Ending {
    /// The tensor before the global mean.
    features: String,
    /// The number of its axes if its channels are the last of them; `None` if they are the second.
    channels_last: Option<usize>,
    /// The tensor with the weights of the linear layer.
    weights: String,
    /// Whether it is `[classes, C]`, and not `[C, classes]`.
    is_transposed: bool,
}

impl Ending {
    fn of(graph: &GraphProto) -> Option<Self> {
        let search = Search(graph);
        let mut tensor = search.behind(LOGITS, &["Identity", "Reshape", "Cast"])?;
        // Logarithms of probabilities are logits, less one number for all classes.
        let logarithm = search.maker(tensor)?;
        match logarithm.op_type() {
            "LogSoftmax" => tensor = logarithm.input.first()?,
            "Log" => {
                let probabilities = search.behind(logarithm.input.first()?, &["Max", "Reshape"])?;
                let softmax = search.maker(probabilities).filter(|n| n.op_type() == "Softmax")?;
                tensor = softmax.input.first()?;
            }
            _ => {}
        }
        let (mean, weights, is_transposed) = search.linear(tensor)?;
        let (features, channels_last) = search.global_mean(mean)?;
        let (features, weights) = (features.to_owned(), weights.to_owned());
        Some(Self { features, channels_last, weights, is_transposed })
    }

    /// Applies the linear layer, without its bias, to every position.
    fn add_map(&self, graph: &mut GraphProto, has_slice_inputs: bool) {
        let (weights, map) = (part("weights"), part("ordered"));
        let is_last = self.channels_last.is_some();
        // [C, classes] after the features, or [classes, C] before them.
        if self.is_transposed == is_last {
            let order = ("perm", Attribute::Ints(vec![1, 0]));
            add(graph, "Transpose", &[&self.weights], &weights, &[order]);
        } else {
            add(graph, "Identity", &[&self.weights], &weights, &[]);
        }
        if let Some(axes) = self.channels_last {
            let product = part("product");
            add(graph, "MatMul", &[&self.features, &weights], &product, &[]);
            let classes = axes as i64 - 1;
            let order: Vec<i64> = [0, classes].into_iter().chain(1..classes).collect();
            add(graph, "Transpose", &[&product], &map, &[("perm", Attribute::Ints(order))]);
        } else {
            self.add_channels_first(graph, has_slice_inputs, &weights, &map);
        }
        // Networks may compute with 16-bit floats.
        let to = ("to", Attribute::Int(DataType::Float as i64));
        add(graph, "Cast", &[&map], CLASS_MAP, &[to]);
    }

    /// The product with the positions in one axis, which then becomes those of the features again.
    fn add_channels_first(
        &self,
        graph: &mut GraphProto,
        has_slice_inputs: bool,
        weights: &str,
        map: &str,
    ) {
        let (rows, product) = (part("rows"), part("product"));
        let (shape, space, grid) = (part("shape"), part("space"), part("grid"));
        let flat = integers(graph, "rows.shape", &[0, 0, -1]);
        add(graph, "Reshape", &[&self.features, &flat], &rows, &[]);
        add(graph, "MatMul", &[weights, &rows], &product, &[]);
        add(graph, "Shape", &[&self.features], &shape, &[]);
        if has_slice_inputs {
            let start = integers(graph, "space.start", &[2]);
            let end = integers(graph, "space.end", &[i64::MAX]);
            add(graph, "Slice", &[&shape, &start, &end], &space, &[]);
        } else {
            let bounds = [("starts", 2), ("ends", i64::MAX)]
                .map(|(name, at)| (name, Attribute::Ints(vec![at])));
            add(graph, "Slice", &[&shape], &space, &bounds);
        }
        let first = integers(graph, "grid.first", &[0, -1]);
        add(graph, "Concat", &[&first, &space], &grid, &[("axis", Attribute::Int(0))]);
        add(graph, "Reshape", &[&product, &grid], map, &[]);
    }
}

/// The name of a tensor on the way to the map.
fn part(name: &str) -> String {
    format!("{CLASS_MAP}.{name}")
}

/// Stores integers; returns their name.
fn integers(graph: &mut GraphProto, name: &str, values: &[i64]) -> String {
    graph.initializer.push(TensorProto {
        dims: vec![values.len() as i64],
        data_type: Some(DataType::Int64 as i32),
        name: Some(part(name)),
        raw_data: Some(values.iter().flat_map(|value| value.to_le_bytes()).collect()),
        ..TensorProto::default()
    });
    part(name)
}

/// Finds nodes by the tensors between them.
struct Search<'g>(&'g GraphProto);

impl<'g> Search<'g> {
    /// The standard operator that makes a tensor.
    fn maker(&self, tensor: &str) -> Option<&'g NodeProto> {
        let makes = |node: &&NodeProto| {
            matches!(node.domain(), "" | "ai.onnx")
                && node.output.first().is_some_and(|output| output == tensor)
        };
        self.0.node.iter().find(makes)
    }

    /// The tensor from which a tensor comes through such operators only.
    fn behind(&self, tensor: &'g str, operators: &[&str]) -> Option<&'g str> {
        let mut tensor = tensor;
        // A graph without cycles has no longer way than its nodes.
        for _ in 0..=self.0.node.len() {
            match self.maker(tensor).filter(|node| operators.contains(&node.op_type())) {
                Some(node) => tensor = node.input.first()?,
                None => return Some(tensor),
            }
        }
        None
    }

    /// Input and weights of the linear layer that makes a tensor, and whether the weights are
    /// `[classes, C]`.
    fn linear(&self, tensor: &str) -> Option<(&'g str, &'g str, bool)> {
        let mut node = self.maker(tensor)?;
        if node.op_type() == "Add" {
            let product = |input: &String| self.maker(input).filter(|n| n.op_type() == "MatMul");
            node = node.input.iter().find_map(product)?;
        }
        let [input, weights, ..] = &node.input[..] else { return None };
        match node.op_type() {
            "MatMul" => Some((input, weights, false)),
            "Gemm" => {
                let is_plain = float(node, "alpha").is_none_or(|alpha| alpha == 1.0)
                    && integer(node, "transA").is_none_or(|transposed| transposed == 0);
                let is_transposed =
                    integer(node, "transB").is_some_and(|transposed| transposed != 0);
                is_plain.then_some((input, weights, is_transposed))
            }
            _ => None,
        }
    }

    /// The features of which a tensor is the mean over all positions, and how many axes they have
    /// if the channels are the last.
    fn global_mean(&self, tensor: &'g str) -> Option<(&'g str, Option<usize>)> {
        let moves = ["Flatten", "Reshape", "Squeeze", "Identity", "Dropout", "Transpose", "Cast"];
        let pool = self.maker(self.behind(tensor, &moves)?)?;
        let features = pool.input.first()?;
        match pool.op_type() {
            "GlobalAveragePool" | "AveragePool" => Some((features, None)),
            "ReduceMean" => {
                let axes = self.axes(pool)?;
                let is_last = axes.contains(&1) || (axes.contains(&-2) && !axes.contains(&-1));
                Some((features, is_last.then_some(axes.len() + 2)))
            }
            _ => None,
        }
    }

    /// The axes of a reduction: an attribute, or from operator set 18 a stored tensor.
    fn axes(&self, node: &'g NodeProto) -> Option<Vec<i64>> {
        if let Some(axes) = node.attribute.iter().find(|attribute| attribute.name() == "axes") {
            return Some(axes.ints.clone());
        }
        let name = node.input.get(1)?;
        let stored = |tensor: &&TensorProto| {
            tensor.name() == name && tensor.data_type() == DataType::Int64 as i32
        };
        let constant = self.maker(name).filter(|node| node.op_type() == "Constant");
        let given = constant.and_then(|node| node.attribute.iter().find_map(|a| a.t.as_ref()));
        let tensor = self.0.initializer.iter().find(stored).or(given)?;
        let (raw, _) = tensor.raw_data().as_chunks();
        let raw = raw.iter().map(|&bytes| i64::from_le_bytes(bytes));
        Some(tensor.int64_data.iter().copied().chain(raw).collect())
    }
}

fn integer(node: &NodeProto, name: &str) -> Option<i64> {
    node.attribute.iter().find(|attribute| attribute.name() == name).map(AttributeProto::i)
}

fn float(node: &NodeProto, name: &str) -> Option<f32> {
    node.attribute.iter().find(|attribute| attribute.name() == name).map(AttributeProto::f)
}

/// The type of 32-bit floats whose shape the runtime finds out.
fn floats_of_any_shape() -> super::proto::TypeProto {
    use super::proto::{TypeProto, type_proto};

    let tensor =
        type_proto::Tensor { elem_type: Some(DataType::Float as i32), ..Default::default() };
    TypeProto { value: Some(type_proto::Value::TensorType(tensor)) }
}
