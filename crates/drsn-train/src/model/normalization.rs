//! Batch normalization, and the ways to take its mean and variance.
//!
//! `y = γ · (x − mean) / √(variance + ε) + β` for each channel (S. Ioffe and C. Szegedy, ICML 2015).
//!
//! Where mean and variance come from depends on what a pass through the network is for: training
//! takes the batch's, an exported network has fixed ones, and the calibration measures them. The
//! network's `forward` is therefore generic over a [`Normalize`].

use std::{convert::Infallible, ops::ControlFlow};

use burn::{
    nn::{BatchNorm, BatchNormConfig},
    tensor::{Device, Tensor, module::batch_norm_train},
};

/// Weight of a new batch in the running statistics. They serve only as a first estimate:
/// the calibration replaces them by exact ones.
const MOMENTUM: f64 = 0.1;

/// A layer for `channels` channels with γ = 1 and β = 0.
pub(super) fn batch_norm(channels: usize, epsilon: f64, device: &Device) -> BatchNorm {
    BatchNormConfig::new(channels).with_epsilon(epsilon).with_momentum(MOMENTUM).init(device)
}

/// How the normalizations of one pass through the network take their statistics.
pub trait Normalize {
    /// What a pass that ends early gives; [`Infallible`] where every pass runs to the end.
    type End;

    /// Normalizes `input`, `[batch, channels, …]`, or ends the pass here.
    fn normalize<const D: usize>(
        &mut self,
        layer: &BatchNorm,
        input: Tensor<D>,
    ) -> ControlFlow<Self::End, Tensor<D>>;
}

/// Statistics of the batch while training (on a device with gradients), the layer's own ones elsewhere.
#[derive(Debug, Clone, Copy)]
pub struct LayerStatistics;

impl Normalize for LayerStatistics {
    type End = Infallible;

    fn normalize<const D: usize>(
        &mut self,
        layer: &BatchNorm,
        input: Tensor<D>,
    ) -> ControlFlow<Self::End, Tensor<D>> {
        ControlFlow::Continue(layer.forward(input))
    }
}

/// Statistics of the batch everywhere, leaving the layer's own ones as they are.
#[derive(Debug, Clone, Copy)]
pub struct BatchStatistics;

impl Normalize for BatchStatistics {
    type End = Infallible;

    fn normalize<const D: usize>(
        &mut self,
        layer: &BatchNorm,
        input: Tensor<D>,
    ) -> ControlFlow<Self::End, Tensor<D>> {
        let normalized =
            batch_norm_train(input, layer.gamma.val(), layer.beta.val(), layer.epsilon);
        ControlFlow::Continue(normalized.output)
    }
}
