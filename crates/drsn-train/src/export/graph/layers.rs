//! The layers of a graph.

use burn::nn::BatchNorm;
use drsn_bundle::onnx::{Attribute, GraphBuilder};

use crate::{
    export::fold::Affine,
    model::{Convolution, FullyConnected},
    tensor::{TensorError, read, read_matrix},
};

/// A graph under construction.
pub(super) struct Graph {
    pub(super) builder: GraphBuilder,
    /// Whether inputs are signals, whose tensors have no height axis.
    pub(super) is_signal: bool,
}

impl Graph {
    /// Adds a convolution with an optional normalization folded in; updates `size`, height and
    /// width, to that of the output.
    pub(super) fn convolution(
        &mut self,
        name: &str,
        layer: &Convolution,
        folded: Option<&BatchNorm>,
        input: &str,
        size: &mut [usize; 2],
    ) -> Result<String, TensorError> {
        let shape: [usize; 4] = layer.weight.shape().dims();
        let mut weight = read_matrix(layer.weight.val())?;
        let mut bias = read(layer.bias.val())?;
        if let Some(norm) = folded {
            Affine::of(norm)?.fold(weight.view_mut(), &mut bias);
        }
        let (weight, _) = weight.into_raw_vec_and_offset();
        let sizes = [&shape[..2], self.spatial(&shape[2..])].concat();
        let weight = self.builder.tensor(&format!("{name}.weight"), &sizes, &weight);
        let bias = self.builder.tensor(&format!("{name}.bias"), &[shape[0]], &bias);
        let [(top, bottom), (left, right)] = layer.padding(*size);
        for (size, stride) in size.iter_mut().zip(layer.stride) {
            *size = size.div_ceil(stride);
        }
        let attributes = [
            ("kernel_shape", ints(self.spatial(&shape[2..]))),
            ("strides", ints(self.spatial(&layer.stride))),
            ("pads", ints(&[self.spatial(&[top, left]), self.spatial(&[bottom, right])].concat())),
        ];
        Ok(self.builder.node("Conv", &[input, &weight, &bias], name, &attributes))
    }

    /// Adds a fully connected layer with an optional normalization folded in.
    pub(super) fn fully_connected(
        &mut self,
        name: &str,
        layer: &FullyConnected,
        folded: Option<&BatchNorm>,
        input: &str,
    ) -> Result<String, TensorError> {
        let shape: [usize; 2] = layer.weight.shape().dims();
        let mut weight = read_matrix(layer.weight.val())?;
        let mut bias = read(layer.bias.val())?;
        if let Some(norm) = folded {
            Affine::of(norm)?.fold(weight.view_mut().reversed_axes(), &mut bias);
        }
        let (weight, _) = weight.into_raw_vec_and_offset();
        let weight = self.builder.tensor(&format!("{name}.weight"), &shape, &weight);
        let bias = self.builder.tensor(&format!("{name}.bias"), &[shape[1]], &bias);
        Ok(self.builder.node("Gemm", &[input, &weight, &bias], name, &[]))
    }

    /// Adds a normalization as a separate node.
    pub(super) fn batch_norm(
        &mut self,
        name: &str,
        layer: &BatchNorm,
        input: &str,
    ) -> Result<String, TensorError> {
        let parameters = [
            ("gamma", read(layer.gamma.val())?),
            ("beta", read(layer.beta.val())?),
            ("mean", read(layer.running_mean.value())?),
            ("variance", read(layer.running_var.value())?),
        ];
        let names = parameters.map(|(parameter, values)| {
            self.builder.tensor(&format!("{name}.{parameter}"), &[values.len()], &values)
        });
        let inputs: Vec<&str> =
            std::iter::once(input).chain(names.iter().map(String::as_str)).collect();
        let epsilon = [("epsilon", Attribute::Float(layer.epsilon as f32))];
        Ok(self.builder.node("BatchNormalization", &inputs, name, &epsilon))
    }

    /// Adds the mean over space, `[batch, C, height, width]` to `[batch, C]`. For a signal one node
    /// is enough; for images ONNX Runtime uses another memory layout internally, which only pooling
    /// supports.
    pub(super) fn mean_over_space(&mut self, input: &str, output: &str) -> String {
        if self.is_signal {
            let mean = [("axes", Attribute::Ints(vec![2])), ("keepdims", Attribute::Int(0))];
            return self.builder.node("ReduceMean", &[input], output, &mean);
        }
        let means = format!("{output}.means");
        self.builder.node("GlobalAveragePool", &[input], &means, &[]);
        self.builder.node("Flatten", &[&means], output, &[("axis", Attribute::Int(1))])
    }

    /// Selects from values for height and width: for a signal, only the latter.
    pub(super) fn spatial<'a, T>(&self, axes: &'a [T]) -> &'a [T] {
        if self.is_signal { &axes[1..] } else { axes }
    }

    /// Adds a constant with the spatial axes of `[batch, C, …]`.
    pub(super) fn spatial_axes(&mut self, name: &str) -> String {
        let axes: &[i64] = if self.is_signal { &[2] } else { &[2, 3] };
        self.builder.integers(&format!("{name}.axes"), axes)
    }
}

/// An attribute of integers.
pub(super) fn ints(values: &[usize]) -> Attribute {
    Attribute::Ints(values.iter().map(|&value| value as i64).collect())
}
