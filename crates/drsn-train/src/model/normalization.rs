//! Batch normalization with the rectifier behind it, and the ways to take its mean and variance.
//!
//! `y = max(γ · (x − mean) / √(variance + ε) + β, 0)` for each channel (S. Ioffe and C. Szegedy, ICML 2015). Every
//! normalization of these networks has a rectifier behind it, so the two are one operation.
//!
//! Where mean and variance come from depends on what a pass through the network is for: training takes the batch's,
//! an exported network has fixed ones, and the calibration measures them. The network's `forward` is therefore
//! generic over a [`Normalize`].

use std::{convert::Infallible, ops::ControlFlow};

use burn::{
    nn::{BatchNorm, BatchNormConfig},
    tensor::{Device, Tensor, activation::relu},
};

use crate::kernel;

/// A layer for `channels` channels with γ = 1 and β = 0. Its statistics are kept by what trains the network.
pub(super) fn batch_norm(channels: usize, epsilon: f64, device: &Device) -> BatchNorm {
    BatchNormConfig::new(channels).with_epsilon(epsilon).init(device)
}

/// How the normalizations of one pass through the network take their statistics.
pub trait Normalize {
    /// What a pass that ends early gives; [`Infallible`] where every pass runs to the end.
    type End;

    /// Normalizes and rectifies `input`, `[channels, …]`, or ends the pass here.
    fn normalize<const D: usize>(
        &mut self,
        layer: &BatchNorm,
        input: Tensor<D>,
    ) -> ControlFlow<Self::End, Tensor<D>>;
}

/// The layer's own statistics.
#[derive(Debug, Clone, Copy)]
pub struct LayerStatistics;

impl Normalize for LayerStatistics {
    type End = Infallible;

    fn normalize<const D: usize>(
        &mut self,
        layer: &BatchNorm,
        input: Tensor<D>,
    ) -> ControlFlow<Self::End, Tensor<D>> {
        let shape = std::array::from_fn(|axis| if axis == 0 { layer.gamma.dims()[0] } else { 1 });
        let deviation = (layer.running_var.value() + layer.epsilon).sqrt();
        let factor = layer.gamma.val() / deviation;
        let offset = layer.beta.val() - factor.clone() * layer.running_mean.value();
        let (factor, offset) = (factor.reshape::<D, _>(shape), offset.reshape::<D, _>(shape));
        ControlFlow::Continue(relu(input * factor + offset))
    }
}

/// Statistics of the batch, which are noted, and nothing else is changed.
#[derive(Debug, Clone, Default)]
pub struct BatchStatistics {
    /// Mean and population variance of each normalization's input, in the order in which data meets them.
    pub noted: Vec<[Tensor<1>; 2]>,
}

impl Normalize for BatchStatistics {
    type End = Infallible;

    fn normalize<const D: usize>(
        &mut self,
        layer: &BatchNorm,
        input: Tensor<D>,
    ) -> ControlFlow<Self::End, Tensor<D>> {
        let (gamma, beta) = (layer.gamma.val(), layer.beta.val());
        let normalized = kernel::normalize(input, gamma, beta, layer.epsilon);
        self.noted.push([normalized.mean, normalized.variance]);
        ControlFlow::Continue(normalized.output)
    }
}
