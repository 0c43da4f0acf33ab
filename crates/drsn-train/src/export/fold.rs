//! Folding a normalization with fixed statistics into the preceding layer.
//!
//! `BN(w · x + b) = (s · w) · x + (s · (b − mean) + β)` with `s = γ / √(variance + ε)` for each
//! output of the layer. Only valid if the normalization is the sole consumer of the layer's output.

use burn::nn::BatchNorm;
use ndarray::ArrayViewMut2;

use crate::tensor::{TensorError, read};

/// A normalization as a multiplication and an addition for each channel.
pub(super) struct Affine {
    /// s, `[channels]`.
    scale: Vec<f64>,
    /// β − s · mean, `[channels]`.
    offset: Vec<f64>,
}

impl Affine {
    pub(super) fn of(layer: &BatchNorm) -> Result<Self, TensorError> {
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

    /// Folds the normalization into weights, `[outputs, inputs]`, and biases.
    pub(super) fn fold(&self, mut weights: ArrayViewMut2<'_, f32>, bias: &mut [f32]) {
        for (mut weights, scale) in weights.rows_mut().into_iter().zip(&self.scale) {
            weights.mapv_inplace(|weight| (f64::from(weight) * scale) as f32);
        }
        for ((bias, scale), offset) in bias.iter_mut().zip(&self.scale).zip(&self.offset) {
            *bias = (f64::from(*bias) * scale + offset) as f32;
        }
    }
}
