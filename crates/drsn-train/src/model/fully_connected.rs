//! Fully connected layer.

use burn::{
    module::{Module, Param},
    tensor::Tensor,
};

use super::Initializer;

/// A fully connected layer: `y = weightᵀ · x + bias`.
///
/// * `weight`: `[inputs, outputs]`
/// * input: `[inputs, batch]`, output: `[outputs, batch]`
#[derive(Module, Debug)]
pub struct FullyConnected {
    /// Weights, `[inputs, outputs]`.
    pub weight: Param<Tensor<2>>,
    /// Bias of each output, `[outputs]`.
    pub bias: Param<Tensor<1>>,
}

impl FullyConnected {
    /// A layer with He-normal weights, to be followed by ReLU or the loss.
    pub(crate) fn he(initializer: &mut Initializer<'_>, inputs: usize, outputs: usize) -> Self {
        Self {
            weight: initializer.he_normal([inputs, outputs], inputs),
            bias: initializer.zeros(outputs),
        }
    }

    /// A layer with Glorot-uniform weights, to be followed by a sigmoid.
    pub(crate) fn glorot(initializer: &mut Initializer<'_>, inputs: usize, outputs: usize) -> Self {
        Self {
            weight: initializer.glorot_uniform(inputs, outputs),
            bias: initializer.zeros(outputs),
        }
    }

    /// Applies the layer to a batch.
    pub(crate) fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        self.weight.val().transpose().matmul(input) + self.bias.val().unsqueeze_dim(1)
    }
}
