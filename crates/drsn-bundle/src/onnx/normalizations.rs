//! The batch normalisations of a graph, and graphs with other statistics in their place.

use std::collections::{HashMap, HashSet};

use prost::Message as _;

use super::{
    builder::{Attribute, attribute, stored_floats, stored_integers, value_info},
    proto::{
        AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto,
        tensor_proto::DataType,
    },
};
use crate::BundleError;

/// Outputs of [`Normalizations::measuring`]: moments of the normalisation's input over a batch,
/// `[channels]`.
pub const BATCH_MEAN: &str = "batch_mean";
/// See [`BATCH_MEAN`].
pub const BATCH_VARIANCE: &str = "batch_variance";

/// ε of a node that does not name it.
const EPSILON: f32 = 1e-5;
/// The first operator set whose `ReduceMean` takes its axes from a tensor.
const AXES_AS_INPUT: i64 = 18;
/// How the names of tensors begin that are added.
const ADDED: &str = "statistics/";
/// Positions of the statistics among a node's inputs.
const MEAN: usize = 3;
const VARIANCE: usize = 4;

/// A batch normalisation: `scale · (x − mean) / √(variance + ε) + bias`.
#[derive(Debug, Clone, PartialEq)]
pub struct Normalization {
    /// Name of the node, or of its output if it has none.
    pub name: String,
    /// Position of the node in the graph.
    pub position: usize,
    /// Running mean of each channel.
    pub mean: Vec<f32>,
    /// Running variance of each channel.
    pub variance: Vec<f32>,
    /// Added to the variance.
    pub epsilon: f32,
}

/// A model with its batch normalisations, in the order in which they are computed.
#[derive(Debug, Clone)]
pub struct Normalizations {
    model: ModelProto,
    graph: GraphProto,
    layers: Vec<Normalization>,
}

impl Normalizations {
    /// Reads a model. Only normalisations whose statistics are 32-bit weights are listed.
    ///
    /// # Errors
    /// [`BundleError::Model`] if the bytes are not an ONNX model.
    pub fn of(model: &[u8]) -> Result<Self, BundleError> {
        let wrong = |reason: &str| BundleError::Model { reason: reason.to_owned() };
        let mut model = ModelProto::decode(model).map_err(|_| wrong("it is not an ONNX model"))?;
        let graph = model.graph.take().ok_or_else(|| wrong("it has no graph"))?;
        let layers = graph.node.iter().enumerate();
        let layers = layers.filter_map(|(at, node)| layer(&graph, at, node)).collect();
        Ok(Self { model, graph, layers })
    }

    /// The normalisations.
    pub fn layers(&self) -> &[Normalization] {
        &self.layers
    }

    /// Whether a tensor is computed from a normalisation's output.
    pub fn leads_to(&self, index: usize, tensor: &str) -> bool {
        let Some(layer) = self.layers.get(index) else { return false };
        let nodes = &self.graph.node;
        let made_by: HashMap<&str, usize> = nodes
            .iter()
            .enumerate()
            .flat_map(|(at, node)| node.output.iter().map(move |name| (name.as_str(), at)))
            .collect();
        let mut seen = HashSet::new();
        let mut open: Vec<usize> = made_by.get(tensor).copied().into_iter().collect();
        while let Some(at) = open.pop() {
            if at == layer.position {
                return true;
            }
            if seen.insert(at) {
                open.extend(nodes[at].input.iter().filter_map(|name| made_by.get(name.as_str())));
            }
        }
        false
    }

    /// Replaces the statistics of one normalisation, and of no other that shares its weights.
    pub fn set(&mut self, index: usize, mean: Vec<f32>, variance: Vec<f32>) {
        let Some(layer) = self.layers.get_mut(index) else { return };
        let node = &mut self.graph.node[layer.position];
        for (place, part, values) in [(MEAN, "mean", &mean), (VARIANCE, "variance", &variance)] {
            let name = format!("{ADDED}{index}.{part}");
            self.graph.initializer.retain(|tensor| tensor.name() != name);
            self.graph.initializer.push(stored_floats(&name, &[values.len()], values));
            node.input[place] = name;
        }
        (layer.mean, layer.variance) = (mean, variance);
    }

    /// The model's bytes, with the present statistics.
    pub fn model(&self) -> Vec<u8> {
        self.encoded(self.graph.clone())
    }

    /// A model in which every normalisation uses the moments of its batch, as in training.
    pub fn with_batch_statistics(&self) -> Vec<u8> {
        let mut graph = self.graph.clone();
        let layers = self.layers.iter().enumerate();
        let mut added: Vec<(usize, Vec<NodeProto>)> = layers
            .map(|(index, layer)| (layer.position, self.moments(&mut graph, index)))
            .collect();
        for (index, layer) in self.layers.iter().enumerate() {
            let node = &mut graph.node[layer.position];
            node.input[MEAN] = moment(index, "mean");
            node.input[VARIANCE] = moment(index, "variance");
        }
        while let Some((position, nodes)) = added.pop() {
            graph.node.splice(position..position, nodes);
        }
        self.encoded(graph)
    }

    /// A model that gives [`BATCH_MEAN`] and [`BATCH_VARIANCE`] of one normalisation's input, and
    /// computes nothing else.
    pub fn measuring(&self, index: usize) -> Vec<u8> {
        let mut graph = self.graph.clone();
        if let Some(layer) = self.layers.get(index) {
            let nodes = self.moments(&mut graph, index);
            graph.node.truncate(layer.position);
            graph.node.extend(nodes);
            let named = [("mean", BATCH_MEAN), ("variance", BATCH_VARIANCE)];
            graph.output.clear();
            for (part, output) in named {
                graph.node.push(node("Identity", &[&moment(index, part)], output, &[]));
                graph.output.push(value_info(output, &[layer.mean.len() as i64]));
            }
            keep_needed(&mut graph);
        }
        self.encoded(graph)
    }

    /// Nodes that compute the moments of a normalisation's input; their weights are added.
    fn moments(&self, graph: &mut GraphProto, index: usize) -> Vec<NodeProto> {
        let part = |what: &str| moment(index, what);
        let input = &self.graph.node[self.layers[index].position].input[0];
        let (shape, flat) = (part("shape"), part("line"));
        graph.initializer.push(stored_integers(&shape, &[0, 0, -1]));
        graph.initializer.push(stored_integers(&flat, &[-1]));
        let version = self.model.opset_import.iter().map(OperatorSetIdProto::version).max();
        let as_input = version.is_some_and(|version| version >= AXES_AS_INPUT);
        let axes = part("axes");
        if as_input {
            graph.initializer.push(stored_integers(&axes, &[0, 2]));
        }
        let mean = |from: &str, to: &str| {
            if as_input {
                node("ReduceMean", &[from, &axes], to, &[])
            } else {
                let over = ("axes", Attribute::Ints(vec![0, 2]));
                node("ReduceMean", &[from], to, &[over])
            }
        };
        let [rows, centre, centred, squares, spread] =
            ["rows", "centre", "centred", "squares", "spread"].map(part);
        vec![
            node("Reshape", &[input, &shape], &rows, &[]),
            mean(&rows, &centre),
            node("Sub", &[&rows, &centre], &centred, &[]),
            node("Mul", &[&centred, &centred], &squares, &[]),
            mean(&squares, &spread),
            node("Reshape", &[&centre, &flat], &part("mean"), &[]),
            node("Reshape", &[&spread, &flat], &part("variance"), &[]),
        ]
    }

    fn encoded(&self, graph: GraphProto) -> Vec<u8> {
        ModelProto { graph: Some(graph), ..self.model.clone() }.encode_to_vec()
    }
}

fn layer(graph: &GraphProto, position: usize, node: &NodeProto) -> Option<Normalization> {
    if node.op_type() != "BatchNormalization" || !matches!(node.domain(), "" | "ai.onnx") {
        return None;
    }
    let statistics = |place: usize| floats(graph, node.input.get(place)?);
    let (mean, variance) = (statistics(MEAN)?, statistics(VARIANCE)?);
    let epsilon = node.attribute.iter().find(|attribute| attribute.name() == "epsilon");
    let name = Some(node.name()).filter(|name| !name.is_empty());
    (mean.len() == variance.len()).then(|| Normalization {
        name: name.or(node.output.first().map(String::as_str)).unwrap_or_default().to_owned(),
        position,
        mean,
        variance,
        epsilon: epsilon.map_or(EPSILON, AttributeProto::f),
    })
}

/// The numbers of a weight of 32-bit floats.
fn floats(graph: &GraphProto, name: &str) -> Option<Vec<f32>> {
    let tensor = graph.initializer.iter().find(|tensor| tensor.name() == name)?;
    if tensor.data_type() != DataType::Float as i32 {
        return None;
    }
    let Some(raw) = &tensor.raw_data else { return Some(tensor.float_data.clone()) };
    let (numbers, _) = raw.as_chunks();
    Some(numbers.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect())
}

fn moment(index: usize, what: &str) -> String {
    format!("{ADDED}{index}.batch_{what}")
}

fn node(
    operator: &str,
    inputs: &[&str],
    output: &str,
    attributes: &[(&str, Attribute)],
) -> NodeProto {
    NodeProto {
        input: inputs.iter().map(|&name| name.to_owned()).collect(),
        output: vec![output.to_owned()],
        op_type: Some(operator.to_owned()),
        attribute: attributes.iter().map(attribute).collect(),
        ..NodeProto::default()
    }
}

/// Keeps the nodes that an output needs; nodes are in the order in which they run.
fn keep_needed(graph: &mut GraphProto) {
    let mut needed: HashSet<String> =
        graph.output.iter().map(|output| output.name().to_owned()).collect();
    let mut nodes: Vec<NodeProto> = Vec::new();
    while let Some(node) = graph.node.pop() {
        if node.output.iter().any(|name| needed.contains(name)) {
            needed.extend(node.input.iter().cloned());
            nodes.push(node);
        }
    }
    nodes.reverse();
    graph.node = nodes;
    graph.initializer.retain(|tensor| needed.contains(tensor.name()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::GraphBuilder;

    /// Two normalisations with the same weights, one after the other.
    fn model() -> Vec<u8> {
        let mut graph = GraphBuilder::new("test");
        graph.input("input", &[-1, 2, 4]);
        for (name, values) in
            [("scale", [1.0, 1.0]), ("bias", [0.0, 0.0]), ("mean", [1.0, 2.0]), ("var", [4.0, 9.0])]
        {
            graph.tensor(name, &[2], &values);
        }
        let weights = |input| [input, "scale", "bias", "mean", "var"];
        let epsilon = ("epsilon", Attribute::Float(1e-3));
        graph.node("BatchNormalization", &weights("input"), "first", &[epsilon]);
        graph.node("Relu", &["first"], "kept", &[]);
        graph.node("BatchNormalization", &weights("kept"), "second", &[]);
        graph.output("second", &[-1, 2, 4]);
        graph.finish("test")
    }

    fn graph(bytes: &[u8]) -> GraphProto {
        ModelProto::decode(bytes).unwrap().graph.unwrap()
    }

    #[test]
    fn statistics_of_one_normalisation_are_replaced_and_those_of_another_stay() {
        let mut found = Normalizations::of(&model()).unwrap();
        let [first, second] = found.layers() else { panic!("two") };
        assert_eq!((first.name.as_str(), first.position, first.epsilon), ("first", 0, 1e-3));
        assert_eq!((second.mean.as_slice(), second.epsilon), (&[1.0, 2.0][..], EPSILON));
        assert!(found.leads_to(0, "second") && !found.leads_to(1, "kept"));
        found.set(0, vec![5.0, 6.0], vec![7.0, 8.0]);
        found.set(0, vec![0.5, 0.6], vec![0.7, 0.8]);
        let again = Normalizations::of(&found.model()).unwrap();
        assert_eq!(again.layers()[0].mean, [0.5, 0.6]);
        assert_eq!(again.layers()[0].variance, [0.7, 0.8]);
        assert_eq!(again.layers()[1].mean, [1.0, 2.0]);
    }

    #[test]
    fn the_graph_that_measures_a_normalisation_ends_before_it() {
        let found = Normalizations::of(&model()).unwrap();
        let measuring = graph(&found.measuring(0));
        assert!(measuring.node.iter().all(|node| node.op_type() != "BatchNormalization"));
        let measuring = graph(&found.measuring(1));
        let kinds: Vec<&str> = measuring.node.iter().map(NodeProto::op_type).collect();
        assert_eq!(kinds[..2], ["BatchNormalization", "Relu"]);
        let batch = graph(&found.with_batch_statistics());
        let last = batch.node.last().unwrap();
        assert_eq!(last.input[MEAN], "statistics/1.batch_mean");
        assert_eq!(batch.node.iter().filter(|node| node.op_type() == "ReduceMean").count(), 4);
    }
}
