//! Squeeze and excitation, which scales channels instead of shrinking their features; for
//! comparison.

use burn::{
    module::Module,
    tensor::{
        Tensor,
        activation::{relu, sigmoid},
    },
};

use super::{FullyConnected, Initializer};
use crate::kernel::{ChannelWise, channel_wise};

/// Scales each channel by a factor that a small network computes from the means of all channels.
///
/// ```text
/// z_c = mean over space of x_c             [C, batch]
/// s   = sigmoid(FC(ReLU(FC(z))))           [C, batch]
/// y_c = s_c · x_c                          [C, height, width, batch]
/// ```
///
/// Source: J. Hu, L. Shen, G. Sun, "Squeeze-and-Excitation Networks", CVPR 2018, equations 2 to 4.
#[derive(Module, Debug)]
pub struct Excitation {
    /// First layer, C to the hidden width.
    pub squeeze: FullyConnected,
    /// Second layer, back to C.
    pub excite: FullyConnected,
}

impl Excitation {
    /// A module for `channels` channels with `hidden` units in the hidden layer.
    pub(crate) fn new(initializer: &mut Initializer<'_>, channels: usize, hidden: usize) -> Self {
        Self {
            squeeze: FullyConnected::he(initializer, channels, hidden),
            excite: FullyConnected::glorot(initializer, hidden, channels),
        }
    }

    /// Scales a batch of features, `[C, height, width, batch]`.
    pub(crate) fn forward(&self, features: Tensor<4>) -> Tensor<4> {
        let hidden = relu(self.squeeze.forward(mean_over_space(features.clone())));
        channel_wise(ChannelWise::Scale, features, sigmoid(self.excite.forward(hidden)))
    }
}

/// `[C, height, width, batch]` to its mean over space, `[C, batch]`.
pub(super) fn mean_over_space(features: Tensor<4>) -> Tensor<2> {
    let [channels, height, width, batch] = features.dims();
    features.reshape([channels, height * width, batch]).mean_dim(1).reshape([channels, batch])
}
