//! Folding of a normalization with fixed statistics into the layer before it.
//!
//! `BN(w · x + b) = (s · w) · x + (s · (b − mean) + β)` with `s = γ / √(variance + ε)` for each output of the
//! layer. It holds only where the normalization is the sole consumer of the layer's output.

use burn::nn::BatchNorm;

use crate::{TrainError, training::read};

/// A normalization as one multiplication and one addition for each channel.
pub(super) struct Affine {
    /// s, `[channels]`.
    scale: Vec<f64>,
    /// β − s · mean, `[channels]`.
    offset: Vec<f64>,
}

impl Affine {
    pub(super) fn of(layer: &BatchNorm) -> Result<Self, TrainError> {
        let gamma = read(layer.gamma.val())?;
        let beta = read(layer.beta.val())?;
        let mean = read(layer.running_mean.value())?;
        let variance = read(layer.running_var.value())?;
        let scale: Vec<f64> = gamma
            .iter()
            .zip(&variance)
            .map(|(&gamma, &variance)| {
                f64::from(gamma) / (f64::from(variance) + layer.epsilon).sqrt()
            })
            .collect();
        let offset = beta
            .iter()
            .zip(&mean)
            .zip(&scale)
            .map(|((&beta, &mean), scale)| f64::from(beta) - scale * f64::from(mean))
            .collect();
        Ok(Self { scale, offset })
    }

    /// Folds into weights of which `channel_of` says to which output the weight at a position belongs.
    pub(super) fn fold(
        &self,
        weights: &mut [f32],
        bias: &mut [f32],
        channel_of: impl Fn(usize) -> usize,
    ) {
        for (position, weight) in weights.iter_mut().enumerate() {
            *weight = (f64::from(*weight) * self.scale[channel_of(position)]) as f32;
        }
        for ((bias, scale), offset) in bias.iter_mut().zip(&self.scale).zip(&self.offset) {
            *bias = (f64::from(*bias) * scale + offset) as f32;
        }
    }
}
