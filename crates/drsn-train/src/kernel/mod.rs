//! The network's expensive operations as Burn operations, optimized for few channels on a CPU.
//!
//! Burn's Flex backend computes the gradients of a convolution as convolutions with kernels as
//! large as the image, which takes most of the time in networks with 4 to 64 channels (see
//! docs/decisions/0009-kernels.md).
//!
//! Every tensor has the batch as its last axis, `[channels, height, width, batch]`: adjacent
//! numbers in memory belong to adjacent inputs, so every operation works on vectors.
//!
//! * [`convolution()`]: convolution with stride and zero padding.
//! * [`normalize()`]: batch normalization with the batch's statistics, followed by ReLU.
//! * [`mean_abs()`]: mean magnitude of each channel.
//! * [`channel_wise()`]: soft threshold, garrote or scaling of each channel.

#![expect(
    clippy::inline_always,
    reason = "callees of a vectorized function that are not inlined lack its instruction set"
)]

mod autodiff;
mod convolution;
mod lanes;
mod normalization;
mod shrinkage;
#[cfg(test)]
mod tests;

use burn::{backend::Dispatch, tensor::Tensor};

use autodiff::Kernels;
pub(crate) use shrinkage::ChannelWise;

/// A convolution: `y[o] = bias[o] + Σ_i weight[o, i] ⋆ x[i]`, with `ceil(size / stride)` outputs
/// along each axis.
///
/// * `input`: `[channels_in, height, width, batch]`
/// * `weight`: `[channels_out, channels_in, kernel height, kernel width]`
/// * `before`: rows and columns of zeros before the input; the zeros after it follow from the
///   output.
/// * output: `[channels_out, ceil(height / stride), ceil(width / stride), batch]`
pub(crate) fn convolution(
    input: Tensor<4>,
    weight: Tensor<4>,
    bias: Tensor<1>,
    stride: [usize; 2],
    before: [usize; 2],
) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as Kernels>::convolution(
        input.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        stride,
        before,
    ))
}

/// Result of [`normalize()`].
#[derive(Debug, Clone)]
pub(crate) struct Normalized<const D: usize> {
    /// The normalised values, in the shape of the input.
    pub(crate) output: Tensor<D>,
    /// Mean of each channel over the batch, without gradients.
    pub(crate) mean: Tensor<1>,
    /// Population variance of each channel over the batch, without gradients.
    pub(crate) variance: Tensor<1>,
}

/// Normalises each channel of `input`, `[channels, …]`, with its own mean and variance, scales by
/// `gamma`, adds `beta`, and applies ReLU.
pub(crate) fn normalize<const D: usize>(
    input: Tensor<D>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    epsilon: f64,
) -> Normalized<D> {
    let (output, mean, variance) = <Dispatch as Kernels>::normalize(
        input.into_dispatch(),
        gamma.into_dispatch(),
        beta.into_dispatch(),
        epsilon,
    );
    Normalized {
        output: Tensor::from_dispatch(output),
        mean: Tensor::from_dispatch(mean),
        variance: Tensor::from_dispatch(variance),
    }
}

/// `A = mean over space of |x|`: `[channels, height, width, batch]` to `[channels, batch]`.
pub(crate) fn mean_abs(features: Tensor<4>) -> Tensor<2> {
    Tensor::from_dispatch(<Dispatch as Kernels>::mean_abs(features.into_dispatch()))
}

/// Applies `kind` to the features, `[channels, height, width, batch]`, with one parameter for each
/// channel and input, `[channels, batch]`.
pub(crate) fn channel_wise(
    kind: ChannelWise,
    features: Tensor<4>,
    parameter: Tensor<2>,
) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as Kernels>::channel_wise(
        features.into_dispatch(),
        parameter.into_dispatch(),
        kind,
    ))
}
