//! Batch normalization followed by ReLU, with different sources of mean and variance.
//!
//! `y = max(γ · (x − mean) / √(variance + ε) + β, 0)` for each channel (S. Ioffe and C. Szegedy,
//! ICML 2015). Every normalization of these networks is followed by ReLU, so both are one
//! operation.
//!
//! Training uses the mean and variance of the batch, an exported network has fixed ones, and
//! reestimation measures them. The network's forward pass is therefore generic over a
//! [`Normalize`].

use std::{convert::Infallible, ops::ControlFlow};

use burn::{
    nn::{BatchNorm, BatchNormConfig},
    tensor::{Device, Tensor, activation::relu},
};

use crate::kernel;

/// A layer for `channels` channels with γ = 1 and β = 0. The trainer maintains its statistics.
pub(super) fn batch_norm(channels: usize, epsilon: f64, device: &Device) -> BatchNorm {
    BatchNormConfig::new(channels).with_epsilon(epsilon).init(device)
}

/// Source of the statistics of all normalizations in one forward pass.
pub trait Normalize {
    /// Result of a pass that ends early; [`Infallible`] if no pass does.
    type End;

    /// Normalizes `input`, `[channels, …]`, and applies ReLU, or ends the pass here.
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

/// The statistics of the batch, which are recorded; the layers are not changed.
#[derive(Debug, Clone, Default)]
pub struct BatchStatistics {
    /// Mean and population variance of each normalization's input, in the order in which data
    /// passes them.
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
