//! The graph as a processor runs it, with two operators of our own for what follows the last convolution of a block: in
//! standard operators it takes ten nodes, most of which go through all features.
//!
//! It is a graph for this process only: a bundle's model has none but the standard operators.

use prost::Message as _;

use super::{
    builder::{self, Attribute},
    proto::{
        AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto,
        tensor_proto::DataType,
    },
    zeroed_output,
};
use crate::{Block, BundleError};

/// Domain of the operators.
pub const DOMAIN: &str = "drsn";
/// Features `[batch, C, …]` to the mean magnitude A of each channel, `[batch, C]`.
pub const MEAN_MAGNITUDE: &str = "MeanMagnitude";
/// Features x, thresholds τ and shortcut s to the sum `x − max(min(x, τ), −τ) + s`, and to what the next unit makes of it
/// first, `relu(scale · sum + bias)`, with a scale and a bias for each channel. A third output, where it is named, is the
/// share of each channel's features that are zero after shrinkage, `[batch, C]`.
pub const SHRINK_AND_ADD: &str = "ShrinkAndAdd";
/// Name of both operators' attribute with the number of axes of space, 1 for signals and 2 for images.
pub const SPACE: &str = "space";
/// Name of [`SHRINK_AND_ADD`]'s attribute with the scale of each channel.
pub const SCALE: &str = "scale";
/// Name of [`SHRINK_AND_ADD`]'s attribute with the bias of each channel.
pub const BIAS: &str = "bias";

/// Puts [`MEAN_MAGNITUDE`] and [`SHRINK_AND_ADD`] in the place of what they do, in each block with a soft threshold
/// that is written as `drsn-train` writes it; other blocks stay as they are. The model may be one that
/// [`super::with_zeroed_outputs`] gave.
///
/// # Errors
/// [`BundleError::Model`] where the bytes are no ONNX model.
pub fn with_fused_shrinkage(model: &[u8], blocks: &[Block]) -> Result<Vec<u8>, BundleError> {
    let wrong = |reason: &str| BundleError::Model { reason: reason.to_owned() };
    let mut fused = ModelProto::decode(model).map_err(|_| wrong("it is no ONNX model"))?;
    let graph = fused.graph.as_mut().ok_or_else(|| wrong("it has no graph"))?;
    let nodes = graph.node.len();
    for block in blocks {
        if let Some(fusion) = Fusion::of(graph, block) {
            fusion.apply(graph);
        }
    }
    if graph.node.len() == nodes {
        return Ok(model.to_vec());
    }
    let domain = Some(DOMAIN.to_owned());
    fused.opset_import.push(OperatorSetIdProto { domain, version: Some(1) });
    Ok(fused.encode_to_vec())
}

/// What is to be replaced in a block: nodes by their positions in the graph.
struct Fusion {
    /// The last node of the mean magnitudes.
    mean: usize,
    mean_magnitude: NodeProto,
    /// The sum of branch and shortcut.
    add: usize,
    shrink_and_add: NodeProto,
    /// The nodes that the two do not replace, but make superfluous.
    superfluous: Vec<usize>,
}

impl Fusion {
    fn of(graph: &GraphProto, block: &Block) -> Option<Self> {
        let search = Search { graph };
        let magnitude = search.mean_magnitude(block)?;
        let shrinkage = search.soft_threshold(block, magnitude.features)?;
        if magnitude.space.is_some_and(|space| space != shrinkage.space) {
            return None;
        }
        let zeroed = search.zeroed(block);
        let consumers = 1 + usize::from(zeroed.is_some());
        search.sole(&block.shrunk_tensor, "Sub", consumers)?;

        let add = search.consumer(&block.shrunk_tensor, "Add")?;
        let shortcut = graph.node[add].input.iter().find(|&term| *term != block.shrunk_tensor)?;
        if search.is_stored(shortcut) {
            return None;
        }
        let sum = search.output(add)?;
        let norm = search.consumer(sum, "BatchNormalization")?;
        let normalized = search.output(norm)?;
        search.sole(normalized, "BatchNormalization", 1)?;
        let relu = search.consumer(normalized, "Relu")?;
        let (scale, bias) = search.affine(norm, block.channels)?;

        let inputs = [magnitude.features, &block.threshold_output, shortcut];
        let mut outputs = vec![sum, search.output(relu)?];
        let mut superfluous =
            [magnitude.inner, shrinkage.nodes.to_vec(), vec![norm, relu]].concat();
        if let Some(chain) = zeroed {
            outputs.push(search.output(chain[3])?);
            superfluous.extend(chain);
        }
        let space = (SPACE, Attribute::Int(shrinkage.space));
        let (scale, bias) = ((SCALE, Attribute::Floats(scale)), (BIAS, Attribute::Floats(bias)));
        let attributes = [space, scale, bias];
        let means = [block.mean_abs_output.as_str()];
        Some(Self {
            mean: magnitude.mean,
            mean_magnitude: node(MEAN_MAGNITUDE, &[magnitude.features], &means, &attributes[..1]),
            add,
            shrink_and_add: node(SHRINK_AND_ADD, &inputs, &outputs, &attributes),
            superfluous,
        })
    }

    fn apply(self, graph: &mut GraphProto) {
        graph.node[self.mean] = self.mean_magnitude;
        graph.node[self.add] = self.shrink_and_add;
        let mut positions = 0..;
        graph.node.retain(|_| positions.next().is_none_or(|at| !self.superfluous.contains(&at)));
    }
}

fn node(
    operator: &str,
    inputs: &[&str],
    outputs: &[&str],
    attributes: &[(&str, Attribute)],
) -> NodeProto {
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    NodeProto {
        input: owned(inputs),
        output: owned(outputs),
        name: outputs.first().map(|&name| name.to_owned()),
        op_type: Some(operator.to_owned()),
        domain: Some(DOMAIN.to_owned()),
        attribute: attributes.iter().map(builder::attribute).collect(),
        ..NodeProto::default()
    }
}

fn attribute<'n>(node: &'n NodeProto, name: &str) -> Option<&'n AttributeProto> {
    node.attribute.iter().find(|attribute| attribute.name() == name)
}

/// The nodes of a block's mean magnitudes, and the features that they are of.
struct Magnitude<'g> {
    inner: Vec<usize>,
    /// The last one.
    mean: usize,
    features: &'g str,
    /// Axes of space, where the nodes tell how many there are.
    space: Option<i64>,
}

/// The nodes of a soft threshold, and the number of axes that it adds to the thresholds.
struct Shrinkage {
    nodes: [usize; 5],
    space: i64,
}

/// Finds nodes by the tensors between them.
struct Search<'g> {
    graph: &'g GraphProto,
}

impl<'g> Search<'g> {
    /// The mean over space of `|x|`: of signals one node gives it, of images two.
    fn mean_magnitude(&self, block: &Block) -> Option<Magnitude<'g>> {
        if let Some(mean) = self.producer(&block.mean_abs_output, "ReduceMean") {
            let abs = self.sole(self.input(mean, 0)?, "Abs", 1)?;
            let node = &self.graph.node[mean];
            let is_over_samples = attribute(node, "axes").is_some_and(|axes| axes.ints == [2])
                && attribute(node, "keepdims").is_some_and(|keepdims| keepdims.i() == 0);
            let features = self.input(abs, 0)?;
            let (inner, space) = (vec![abs], Some(1));
            return is_over_samples.then_some(Magnitude { inner, mean, features, space });
        }
        let mean = self.producer(&block.mean_abs_output, "Flatten")?;
        let pool = self.sole(self.input(mean, 0)?, "GlobalAveragePool", 1)?;
        let abs = self.sole(self.input(pool, 0)?, "Abs", 1)?;
        let keeps_channels = attribute(&self.graph.node[mean], "axis").is_none_or(|a| a.i() == 1);
        let features = self.input(abs, 0)?;
        let inner = vec![abs, pool];
        keeps_channels.then_some(Magnitude { inner, mean, features, space: None })
    }

    /// The nodes of `x − max(min(x, τ), −τ)`.
    fn soft_threshold(&self, block: &Block, features: &str) -> Option<Shrinkage> {
        let sub = self.producer(&block.shrunk_tensor, "Sub")?;
        let max = self.sole(self.input(sub, 1)?, "Max", 1)?;
        let [low, minus_tau] = self.inputs(max) else { return None };
        let min = self.sole(low, "Min", 1)?;
        let neg = self.sole(minus_tau, "Neg", 1)?;
        let tau = self.input(neg, 0)?;
        let unsqueeze = self.sole(tau, "Unsqueeze", 2)?;
        let axes = self.integers(self.input(unsqueeze, 1)?)?;
        let is_it = self.input(sub, 0)? == features
            && self.inputs(min) == [features, tau]
            && self.input(unsqueeze, 0)? == block.threshold_output
            && matches!(axes[..], [2] | [2, 3]);
        let nodes = [sub, max, min, neg, unsqueeze];
        is_it.then_some(Shrinkage { nodes, space: axes.len() as i64 })
    }

    /// The nodes that [`super::with_zeroed_outputs`] adds.
    fn zeroed(&self, block: &Block) -> Option<[usize; 4]> {
        let equal = self.consumer(&block.shrunk_tensor, "Equal")?;
        let cast = self.consumer(self.output(equal)?, "Cast")?;
        let pool = self.consumer(self.output(cast)?, "GlobalAveragePool")?;
        let flatten = self.consumer(self.output(pool)?, "Flatten")?;
        let is_it = self.output(flatten)? == zeroed_output(block.name.as_str());
        is_it.then_some([equal, cast, pool, flatten])
    }

    /// The node of this kind that gives a tensor.
    fn producer(&self, tensor: &str, operator: &str) -> Option<usize> {
        let is_it = |node: &NodeProto| {
            is_standard(node, operator) && node.output.iter().any(|output| output == tensor)
        };
        self.graph.node.iter().position(is_it)
    }

    /// The same, where the tensor is no output of the graph and is taken by exactly so many inputs of nodes.
    fn sole(&self, tensor: &str, operator: &str, consumers: usize) -> Option<usize> {
        let inputs = self.graph.node.iter().flat_map(|node| &node.input);
        let is_inner = self.graph.output.iter().all(|output| output.name() != tensor);
        let is_so = is_inner && inputs.filter(|input| *input == tensor).count() == consumers;
        if is_so { self.producer(tensor, operator) } else { None }
    }

    /// The node of this kind that takes a tensor.
    fn consumer(&self, tensor: &str, operator: &str) -> Option<usize> {
        let is_it = |node: &NodeProto| {
            is_standard(node, operator) && node.input.iter().any(|input| input == tensor)
        };
        self.graph.node.iter().position(is_it)
    }

    fn inputs(&self, node: usize) -> &'g [String] {
        &self.graph.node[node].input
    }

    fn input(&self, node: usize, position: usize) -> Option<&'g str> {
        self.inputs(node).get(position).map(String::as_str)
    }

    /// The one output of a node.
    fn output(&self, node: usize) -> Option<&'g str> {
        match &self.graph.node[node].output[..] {
            [output] => Some(output),
            _ => None,
        }
    }

    /// What a normalization with stored statistics does to each channel: scale γ / √(σ² + ε), bias β − μ · scale.
    fn affine(&self, norm: usize, channels: usize) -> Option<(Vec<f32>, Vec<f32>)> {
        let stored = |position| self.floats(self.input(norm, position)?, channels);
        let (gamma, beta, mean, variance) = (stored(1)?, stored(2)?, stored(3)?, stored(4)?);
        let node = &self.graph.node[norm];
        if attribute(node, "training_mode").is_some_and(|mode| mode.i() != 0) {
            return None;
        }
        let epsilon = attribute(node, "epsilon").map_or(1e-5, AttributeProto::f);
        let scale: Vec<f32> = gamma
            .iter()
            .zip(&variance)
            .map(|(gamma, variance)| gamma / (variance + epsilon).sqrt())
            .collect();
        let parts = beta.iter().zip(&mean).zip(&scale);
        let bias = parts.map(|((beta, mean), scale)| beta - mean * scale).collect();
        Some((scale, bias))
    }

    /// The numbers of a stored tensor `[C]`.
    fn floats(&self, name: &str, channels: usize) -> Option<Vec<f32>> {
        let (numbers, _) = self.stored(name, DataType::Float)?.as_chunks();
        let is_one_each = numbers.len() == channels;
        is_one_each.then(|| numbers.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect())
    }

    fn integers(&self, name: &str) -> Option<Vec<i64>> {
        let (numbers, _) = self.stored(name, DataType::Int64)?.as_chunks();
        Some(numbers.iter().map(|&bytes| i64::from_le_bytes(bytes)).collect())
    }

    /// The bytes of a stored tensor, where no other has its name.
    fn stored(&self, name: &str, kind: DataType) -> Option<&'g [u8]> {
        let is_given = self.graph.node.iter().any(|node| node.output.iter().any(|o| o == name));
        let mut tensors = self.graph.initializer.iter().filter(|tensor| tensor.name() == name);
        let (tensor, another) = (tensors.next()?, tensors.next());
        let is_it = tensor.data_type() == kind as i32 && another.is_none() && !is_given;
        is_it.then(|| tensor.raw_data())
    }

    fn is_stored(&self, name: &str) -> bool {
        self.graph.initializer.iter().any(|tensor| tensor.name() == name)
    }
}

fn is_standard(node: &NodeProto, operator: &str) -> bool {
    node.op_type() == operator && matches!(node.domain(), "" | "ai.onnx")
}

#[cfg(test)]
mod tests;
