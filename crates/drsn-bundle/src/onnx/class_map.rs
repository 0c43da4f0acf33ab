//! Adds the class activation map to a model's outputs, for networks that end in a global mean and
//! one linear layer (Zhou et al. 2016, "Learning deep features for discriminative localization").
//!
//! Then a class's logit is `b_k + Σ_c w_kc · mean_p f_c(p) = b_k + mean_p Σ_c w_kc · f_c(p)`: a mean
//! over the positions p of the last feature map, and the map has what each of them adds to it.

use prost::Message as _;

use super::{
    Attribute, CLASS_MAP, LOGITS,
    builder::stored_integers,
    proto::{
        AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto,
        tensor_proto::DataType,
    },
    shrinkage::{add, decoded, no_graph},
};
use crate::BundleError;

/// Adds the output [`CLASS_MAP`], `[batch, classes, …]` with the spatial axes of the last feature
/// map; `None` if no global mean and linear layer before the logits are found. `space` is the
/// number of these axes, if the mean does not tell.
///
/// Whether they are what they seem can depend on shapes that the graph does not have: the map's
/// mean over the positions must differ from the logits by the same numbers for every input, which
/// callers check.
///
/// # Errors
/// [`BundleError::Model`] if the bytes are not an ONNX model.
pub fn with_class_map(model: &[u8], space: usize) -> Result<Option<Vec<u8>>, BundleError> {
    let mut model = decoded(model)?;
    let graph = model.graph.as_mut().ok_or_else(no_graph)?;
    let Some(ending) = Ending::of(graph, space) else { return Ok(None) };
    ending.add_map(graph);
    graph.output.push(ValueInfoProto {
        name: Some(CLASS_MAP.to_owned()),
        r#type: Some(floats_of_any_shape()),
        ..ValueInfoProto::default()
    });
    Ok(Some(ModelProto::encode_to_vec(&model)))
}

/// Where the axis of the channels is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Channels {
    /// After the batch.
    First,
    /// After the spatial axes.
    Last,
}

/// The last layers of a network.
struct Ending {
    /// The tensor before the global mean.
    features: String,
    /// Where its channels are.
    channels: Channels,
    /// Number of its spatial axes.
    space: usize,
    /// The tensor with the weights of the linear layer.
    weights: String,
    /// Whether it is `[classes, C]`, and not `[C, classes]`.
    is_transposed: bool,
}

impl Ending {
    fn of(graph: &GraphProto, space: usize) -> Option<Self> {
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
        let (features, channels, axes) = search.global_mean(mean)?;
        let (features, weights) = (features.to_owned(), weights.to_owned());
        let space = axes.unwrap_or(space);
        Some(Self { features, channels, space, weights, is_transposed })
    }

    /// Applies the linear layer, without its bias, to every position.
    fn add_map(&self, graph: &mut GraphProto) {
        let part = |name: &str| format!("{CLASS_MAP}.{name}");
        let (weights, map) = (part("weights"), part("ordered"));
        let is_last = self.channels == Channels::Last;
        // [C, classes] after the features, or [classes, C] before them.
        if self.is_transposed == is_last {
            let order = ("perm", Attribute::Ints(vec![1, 0]));
            add(graph, "Transpose", &[&self.weights], &weights, &[order]);
        } else {
            add(graph, "Identity", &[&self.weights], &weights, &[]);
        }
        if is_last {
            let product = part("product");
            add(graph, "MatMul", &[&self.features, &weights], &product, &[]);
            let classes = self.space as i64 + 1;
            let order: Vec<i64> = [0, classes].into_iter().chain(1..classes).collect();
            add(graph, "Transpose", &[&product], &map, &[("perm", Attribute::Ints(order))]);
        } else {
            // A convolution of one tap keeps the axes and is one operator.
            let (sizes, kernel) = (part("kernel.shape"), part("kernel"));
            let shape: Vec<i64> = [0, 0].into_iter().chain(vec![1; self.space]).collect();
            graph.initializer.push(stored_integers(&sizes, &shape));
            add(graph, "Reshape", &[&weights, &sizes], &kernel, &[]);
            add(graph, "Conv", &[&self.features, &kernel], &map, &[]);
        }
        // Networks may compute with 16-bit floats.
        let to = ("to", Attribute::Int(DataType::Float as i64));
        add(graph, "Cast", &[&map], CLASS_MAP, &[to]);
    }
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
                let is_plain = float(node, "alpha")
                    .is_none_or(|alpha| (alpha - 1.0).abs() < f32::EPSILON)
                    && integer(node, "transA").is_none_or(|transposed| transposed == 0);
                let is_transposed =
                    integer(node, "transB").is_some_and(|transposed| transposed != 0);
                is_plain.then_some((input, weights, is_transposed))
            }
            _ => None,
        }
    }

    /// The features of which a tensor is the mean over all positions, where their channels are, and
    /// the number of their spatial axes if the mean tells.
    fn global_mean(&self, tensor: &'g str) -> Option<(&'g str, Channels, Option<usize>)> {
        let moves = ["Flatten", "Reshape", "Squeeze", "Identity", "Dropout", "Transpose", "Cast"];
        let pool = self.maker(self.behind(tensor, &moves)?)?;
        let features = pool.input.first()?;
        match pool.op_type() {
            "GlobalAveragePool" | "AveragePool" => Some((features, Channels::First, None)),
            "ReduceMean" => {
                let axes = self.axes(pool)?;
                let is_last = axes.contains(&1) || (axes.contains(&-2) && !axes.contains(&-1));
                let channels = if is_last { Channels::Last } else { Channels::First };
                Some((features, channels, Some(axes.len())))
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
