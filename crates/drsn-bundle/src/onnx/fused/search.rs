//! Finds the nodes to replace, by their operators and the tensors between them.

use crate::{
    Block,
    onnx::{
        mean_abs_after_output,
        proto::{AttributeProto, GraphProto, NodeProto, tensor_proto::DataType},
        zeroed_output,
    },
};

/// The nodes of a block's mean magnitude, and its features.
pub(super) struct Magnitude<'g> {
    pub(super) inner: Vec<usize>,
    /// The last node.
    pub(super) mean: usize,
    pub(super) features: &'g str,
    /// Number of spatial axes, if the nodes determine it.
    pub(super) space: Option<i64>,
}

/// The nodes of a soft threshold, and the number of axes that they add to the thresholds.
pub(super) struct Shrinkage {
    pub(super) nodes: [usize; 5],
    pub(super) space: i64,
}

/// The origin of a shortcut.
pub(super) struct Shortcut<'g> {
    /// The nodes of stride and padding.
    pub(super) nodes: Vec<usize>,
    pub(super) source: &'g str,
    /// Stride along a signal; 1 for images, whose strides ONNX Runtime computes as fast.
    pub(super) stride: i64,
    /// Channels of zeros before and after.
    pub(super) pads: [i64; 2],
}

/// Finds nodes by the tensors between them.
pub(super) struct Search<'g> {
    pub(super) graph: &'g GraphProto,
}

impl<'g> Search<'g> {
    /// The mean of `|x|` over the spatial axes: one node after Abs for signals, two for images.
    pub(super) fn mean_magnitude(&self, block: &Block) -> Option<Magnitude<'g>> {
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
    pub(super) fn soft_threshold(&self, block: &Block, features: &str) -> Option<Shrinkage> {
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

    /// The way of a shortcut from the sum of the previous unit: with the stride of the unit's first
    /// convolution, and padded with channels of zeros if it has fewer. `None` if it is a stored
    /// tensor, which may be for one input only.
    pub(super) fn shortcut(&self, tensor: &'g str, space: i64) -> Option<Shortcut<'g>> {
        let mut shortcut = Shortcut { nodes: Vec::new(), source: tensor, stride: 1, pads: [0; 2] };
        if let Some((node, pads)) = self.padding(shortcut.source, space) {
            (shortcut.source, shortcut.pads) = (self.input(node, 0)?, pads);
            shortcut.nodes.push(node);
        }
        if space == 1
            && let Some((node, stride)) = self.stride(shortcut.source)
        {
            (shortcut.source, shortcut.stride) = (self.input(node, 0)?, stride);
            shortcut.nodes.push(node);
        }
        let is_stored = self.graph.initializer.iter().any(|t| t.name() == shortcut.source);
        (!is_stored).then_some(shortcut)
    }

    /// A node that pads a tensor with channels of zeros, and their numbers before and after.
    fn padding(&self, tensor: &str, space: i64) -> Option<(usize, [i64; 2])> {
        let pad = self.sole(tensor, "Pad", 1)?;
        let (_, [pads, rest @ ..]) = self.inputs(pad).split_first()? else { return None };
        let pads = self.integers(pads)?;
        let is_usual = |mode: &AttributeProto| mode.name() == "mode" && mode.s() == b"constant";
        // Sizes before each axis, then after each axis; channels are the second axis.
        let axes = 2 + usize::try_from(space).ok()?;
        let (before, after) = (1, axes + 1);
        let is_of_channels = pads.len() == 2 * axes
            && pads.iter().enumerate().all(|(at, &size)| size == 0 || at == before || at == after)
            && pads.iter().all(|&size| size >= 0)
            && rest.iter().all(String::is_empty)
            && self.graph.node[pad].attribute.iter().all(is_usual);
        is_of_channels.then(|| (pad, [pads[before], pads[after]]))
    }

    /// A node that takes every n-th feature of a signal, from the first, and n.
    fn stride(&self, tensor: &str) -> Option<(usize, i64)> {
        let slice = self.sole(tensor, "Slice", 1)?;
        let [_, start, end, axis, step] = self.inputs(slice) else { return None };
        let part = |name| match self.integers(name)?[..] {
            [number] => Some(number),
            _ => None,
        };
        let is_whole = part(start)? == 0 && part(end)? == i64::MAX && part(axis)? == 2;
        let step = part(step)?;
        (is_whole && step > 0).then_some((slice, step))
    }

    /// The nodes that [`super::with_shrinkage_outputs`] adds; the last of each list makes the output.
    pub(super) fn remains(&self, block: &Block) -> Option<[Vec<usize>; 2]> {
        let name = block.name.as_str();
        let zeroed = ["Equal", "Cast", "GlobalAveragePool", "Flatten"];
        let after = ["Abs", "GlobalAveragePool", "Flatten"];
        Some([
            self.chain(&block.shrunk_tensor, &zeroed, &zeroed_output(name))?,
            self.chain(&block.shrunk_tensor, &after, &mean_abs_after_output(name))?,
        ])
    }

    /// The nodes of these operators from one tensor to another, each with one output.
    fn chain(&self, from: &str, operators: &[&str], to: &str) -> Option<Vec<usize>> {
        let mut tensor = from;
        let mut nodes = Vec::with_capacity(operators.len());
        for operator in operators {
            let node = self.consumer(tensor, operator)?;
            tensor = self.output(node)?;
            nodes.push(node);
        }
        (tensor == to).then_some(nodes)
    }

    /// The node of this operator that produces a tensor.
    fn producer(&self, tensor: &str, operator: &str) -> Option<usize> {
        let is_it = |node: &NodeProto| {
            is_standard(node, operator) && node.output.iter().any(|output| output == tensor)
        };
        self.graph.node.iter().position(is_it)
    }

    /// The same, if the tensor is not an output of the graph and has exactly this number of
    /// consumers.
    pub(super) fn sole(&self, tensor: &str, operator: &str, consumers: usize) -> Option<usize> {
        let inputs = self.graph.node.iter().flat_map(|node| &node.input);
        let is_inner = self.graph.output.iter().all(|output| output.name() != tensor);
        let is_so = is_inner && inputs.filter(|input| *input == tensor).count() == consumers;
        if is_so { self.producer(tensor, operator) } else { None }
    }

    /// A node of this operator that consumes a tensor.
    pub(super) fn consumer(&self, tensor: &str, operator: &str) -> Option<usize> {
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

    /// The output of a node that has only one.
    pub(super) fn output(&self, node: usize) -> Option<&'g str> {
        match &self.graph.node[node].output[..] {
            [output] => Some(output),
            _ => None,
        }
    }

    /// Scale γ / √(σ² + ε) and bias β − μ · scale of each channel, of a normalization with stored
    /// statistics.
    pub(super) fn affine(&self, norm: usize, channels: usize) -> Option<(Vec<f32>, Vec<f32>)> {
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

    /// The values of a stored tensor `[C]`.
    fn floats(&self, name: &str, channels: usize) -> Option<Vec<f32>> {
        let (numbers, _) = self.stored(name, DataType::Float)?.as_chunks();
        let is_one_each = numbers.len() == channels;
        is_one_each.then(|| numbers.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect())
    }

    fn integers(&self, name: &str) -> Option<Vec<i64>> {
        let (numbers, _) = self.stored(name, DataType::Int64)?.as_chunks();
        Some(numbers.iter().map(|&bytes| i64::from_le_bytes(bytes)).collect())
    }

    /// The bytes of a stored tensor, if no other tensor has its name.
    fn stored(&self, name: &str, kind: DataType) -> Option<&'g [u8]> {
        let is_given = self.graph.node.iter().any(|node| node.output.iter().any(|o| o == name));
        let mut tensors = self.graph.initializer.iter().filter(|tensor| tensor.name() == name);
        let (tensor, another) = (tensors.next()?, tensors.next());
        let is_it = tensor.data_type() == kind as i32 && another.is_none() && !is_given;
        is_it.then(|| tensor.raw_data())
    }
}

pub(super) fn attribute<'n>(node: &'n NodeProto, name: &str) -> Option<&'n AttributeProto> {
    node.attribute.iter().find(|attribute| attribute.name() == name)
}

fn is_standard(node: &NodeProto, operator: &str) -> bool {
    node.op_type() == operator && matches!(node.domain(), "" | "ai.onnx")
}
