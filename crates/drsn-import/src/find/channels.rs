//! Which axis of a tensor has the channels, where its threshold does not tell.

use crate::{
    graph::{Graph, attribute},
    read::inputs,
    run::Tensors,
};

/// Most nodes to go back.
const MOST_BACK: usize = 64;

/// The axis with the channels: where the nearest convolution or normalization has them, moved as
/// the tensor was since. `None` if nothing tells.
pub(super) fn axis(graph: &Graph<'_>, probe: &Tensors, tensor: &str) -> Option<usize> {
    let rank = probe.get(tensor).map_or(2, ndarray::ArrayD::ndim);
    trace(graph, probe, tensor, MOST_BACK).filter(|axis| (1..rank).contains(axis))
}

fn trace(graph: &Graph<'_>, probe: &Tensors, tensor: &str, left: usize) -> Option<usize> {
    let node = graph.node(graph.maker(tensor)?);
    let source = inputs(node).find(|name| graph.varies(name))?;
    let back = || trace(graph, probe, source, left.checked_sub(1)?);
    match node.op_type() {
        "Conv"
        | "ConvTranspose"
        | "BatchNormalization"
        | "InstanceNormalization"
        | "GroupNormalization"
        | "MaxPool"
        | "AveragePool"
        | "PRelu"
        | "QLinearConv"
        | "ConvInteger" => Some(1),
        "MatMul" | "Gemm" | "LayerNormalization" => Some(probe.get(tensor)?.ndim().checked_sub(1)?),
        // Their output has the axes in another order, and other channels.
        "LSTM" | "GRU" | "RNN" | "Einsum" | "Gather" => None,
        "Transpose" => {
            let axis = back()?;
            let perm = &attribute(node, "perm")?.ints;
            perm.iter().position(|&from| from == axis as i64)
        }
        // Sizes of one are put in or taken out: the channels are the axis of the same size before
        // which as many elements lie.
        "Reshape" | "Squeeze" | "Unsqueeze" | "Flatten" => {
            let axis = back()?;
            let (from, to) = (probe.get(source)?.shape(), probe.get(tensor)?.shape());
            let before = |shape: &[usize], axis: usize| shape[..axis].iter().product::<usize>();
            let wanted = (*from.get(axis)?, before(from, axis));
            (1..to.len()).find(|&axis| (to[axis], before(to, axis)) == wanted)
        }
        _ => back(),
    }
}
