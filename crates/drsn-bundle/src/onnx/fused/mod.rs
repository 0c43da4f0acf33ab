//! The graph for the CPU, with two custom operators for everything after the last convolution of a
//! block. In standard operators that takes ten nodes, most of which pass over all features.
//!
//! This graph exists only in this process: a bundle's model has only standard operators.

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
/// Features x, thresholds τ and shortcut s to the sum `x − max(min(x, τ), −τ) + s`, and to the
/// first step of the next unit, `relu(scale · sum + bias)`, with a scale and a bias for each
/// channel. The shortcut may have a stride (every n-th feature of a signal) and padding (channels
/// of zeros around it). Two optional outputs are, after shrinkage, the share of each channel's
/// features that are zero, and their mean magnitude, `[batch, C]`.
pub(crate) const SHRINK_AND_ADD: &str = "ShrinkAndAdd";
/// Name of both operators' attribute with the number of spatial axes, 1 for signals and 2 for
/// images.
pub(crate) const SPACE: &str = "space";
/// Name of [`SHRINK_AND_ADD`]'s attribute with the shortcut's stride along a signal.
pub(crate) const STRIDE: &str = "stride";
/// Name of [`SHRINK_AND_ADD`]'s attribute with the channels of zeros before and after the
/// shortcut's.
pub(crate) const PADS: &str = "pads";
/// Name of [`SHRINK_AND_ADD`]'s attribute with the scale of each channel.
pub(crate) const SCALE: &str = "scale";
/// Name of [`SHRINK_AND_ADD`]'s attribute with the bias of each channel.
pub(crate) const BIAS: &str = "bias";

/// Replaces nodes by the operators `MeanMagnitude` and `ShrinkAndAdd` of the domain `drsn`, in each
/// block whose soft threshold has the form that `drsn-train` writes; other blocks do not change.
/// The model may come from [`super::with_shrinkage_outputs`]. A CPU `runtime::Session` can
/// run the result.
///
/// # Errors
/// [`BundleError::Model`] if the bytes are not an ONNX model.
pub fn with_fused_shrinkage(model: &[u8], blocks: &[Block]) -> Result<Vec<u8>, BundleError> {
    let wrong = |reason: &str| BundleError::Model { reason: reason.to_owned() };
    let mut fused = ModelProto::decode(model).map_err(|_| wrong("it is not an ONNX model"))?;
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

/// The replacement in one block; nodes are given by their positions in the graph.
struct Fusion {
    /// The last node of the mean magnitude.
    mean: usize,
    mean_magnitude: NodeProto,
    /// The sum of branch and shortcut.
    add: usize,
    shrink_and_add: NodeProto,
    /// The other nodes, which become superfluous.
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
        let remains = search.remains(block);
        let consumers = 1 + remains.as_ref().map_or(0, |chains| chains.len());
        search.sole(&block.shrunk_tensor, "Sub", consumers)?;

        let add = search.consumer(&block.shrunk_tensor, "Add")?;
        let term = graph.node[add].input.iter().find(|&term| *term != block.shrunk_tensor)?;
        let shortcut = search.shortcut(term, shrinkage.space)?;
        let sum = search.output(add)?;
        let norm = search.consumer(sum, "BatchNormalization")?;
        let normalized = search.output(norm)?;
        search.sole(normalized, "BatchNormalization", 1)?;
        let relu = search.consumer(normalized, "Relu")?;
        let inputs = [magnitude.features, &block.threshold_output, shortcut.source];
        let mut outputs = vec![sum, search.output(relu)?];
        let shrunk = shrinkage.nodes.to_vec();
        let mut superfluous = [magnitude.inner, shrunk, shortcut.nodes, vec![norm, relu]].concat();
        for chain in remains.into_iter().flatten() {
            outputs.push(search.output(*chain.last()?)?);
            superfluous.extend(chain);
        }
        let space = [(SPACE, Attribute::Int(shrinkage.space))];
        let affine = search.affine(norm, block.channels)?;
        let attributes = attributes(shrinkage.space, (shortcut.stride, shortcut.pads), affine);
        let means = [block.mean_abs_output.as_str()];
        Some(Self {
            mean: magnitude.mean,
            mean_magnitude: node(MEAN_MAGNITUDE, &[magnitude.features], &means, &space),
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

/// The attributes of [`SHRINK_AND_ADD`], from stride and padding of the shortcut and the scale and bias
/// of each channel.
fn attributes(
    space: i64,
    (stride, pads): (i64, [i64; 2]),
    (scale, bias): (Vec<f32>, Vec<f32>),
) -> [(&'static str, Attribute); 5] {
    [
        (SPACE, Attribute::Int(space)),
        (STRIDE, Attribute::Int(stride)),
        (PADS, Attribute::Ints(pads.to_vec())),
        (SCALE, Attribute::Floats(scale)),
        (BIAS, Attribute::Floats(bias)),
    ]
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
