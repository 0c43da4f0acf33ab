//! The graph as a processor runs it, with two operators of our own for what follows the last convolution of a block: in
//! standard operators it takes ten nodes, most of which go through all features.
//!
//! It is a graph for this process only: a bundle's model has none but the standard operators.

mod search;

use prost::Message as _;

use self::search::Search;
use super::{
    builder::{self, Attribute},
    proto::{GraphProto, ModelProto, NodeProto, OperatorSetIdProto},
};
use crate::{Block, BundleError};

/// Domain of the operators.
pub(crate) const DOMAIN: &str = "drsn";
/// Features `[batch, C, …]` to the mean magnitude A of each channel, `[batch, C]`.
pub(crate) const MEAN_MAGNITUDE: &str = "MeanMagnitude";
/// Features x, thresholds τ and shortcut s to the sum `x − max(min(x, τ), −τ) + s`, and to what the next unit makes of it
/// first, `relu(scale · sum + bias)`, with a scale and a bias for each channel. Of a signal's shortcut every so many-th feature
/// is taken, and channels of zeros are put around a shortcut. A third output, where it is named, is the share of each channel's
/// features that are zero after shrinkage, `[batch, C]`.
pub(crate) const SHRINK_AND_ADD: &str = "ShrinkAndAdd";
/// Name of both operators' attribute with the number of axes of space, 1 for signals and 2 for images.
pub(crate) const SPACE: &str = "space";
/// Name of [`SHRINK_AND_ADD`]'s attribute with the shortcut's stride along a signal.
pub(crate) const STRIDE: &str = "stride";
/// Name of [`SHRINK_AND_ADD`]'s attribute with the channels of zeros before and after the shortcut's.
pub(crate) const PADS: &str = "pads";
/// Name of [`SHRINK_AND_ADD`]'s attribute with the scale of each channel.
pub(crate) const SCALE: &str = "scale";
/// Name of [`SHRINK_AND_ADD`]'s attribute with the bias of each channel.
pub(crate) const BIAS: &str = "bias";

/// Puts two operators in the place of what they do, `MeanMagnitude` and `ShrinkAndAdd` of the domain `drsn`, in each block
/// with a soft threshold that is written as `drsn-train` writes it; other blocks stay as they are. The model may be one that
/// [`super::with_zeroed_outputs`] gave. What it returns can be run by `runtime::Session`, on a processor.
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
        let term = graph.node[add].input.iter().find(|&term| *term != block.shrunk_tensor)?;
        let shortcut = search.shortcut(term, shrinkage.space)?;
        let sum = search.output(add)?;
        let norm = search.consumer(sum, "BatchNormalization")?;
        let normalized = search.output(norm)?;
        search.sole(normalized, "BatchNormalization", 1)?;
        let relu = search.consumer(normalized, "Relu")?;
        let (scale, bias) = search.affine(norm, block.channels)?;

        let inputs = [magnitude.features, &block.threshold_output, shortcut.source];
        let mut outputs = vec![sum, search.output(relu)?];
        let shrunk = shrinkage.nodes.to_vec();
        let mut superfluous = [magnitude.inner, shrunk, shortcut.nodes, vec![norm, relu]].concat();
        if let Some(chain) = zeroed {
            outputs.push(search.output(chain[3])?);
            superfluous.extend(chain);
        }
        let attributes = [
            (SPACE, Attribute::Int(shrinkage.space)),
            (STRIDE, Attribute::Int(shortcut.stride)),
            (PADS, Attribute::Ints(shortcut.pads.to_vec())),
            (SCALE, Attribute::Floats(scale)),
            (BIAS, Attribute::Floats(bias)),
        ];
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

#[cfg(test)]
mod tests;
