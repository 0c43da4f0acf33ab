//! The heavy operations of the network, written for small channels on a processor, as operations of Burn.
//!
//! Burn's Flex backend computes a convolution's gradients as convolutions with kernels as large as the image, which
//! takes most of a step of networks with 4 to 64 channels (docs/decisions/0009-kernels.md; figures: docs/results.md).
//!
//! Every tensor has the batch as its last axis, `[channels, height, width, batch]`, so that neighbouring numbers in
//! memory belong to neighbouring inputs and every operation is one on vectors.
//!
//! * [`convolution()`]: convolution with stride and zeros around the input.
//! * [`normalize()`]: batch normalization with the batch's statistics, and the rectifier behind it.
//! * [`mean_abs()`]: the mean magnitude of each channel.
//! * [`channel_wise()`]: soft threshold, garrote or scaling of each channel.

#![expect(
    clippy::inline_always,
    reason = "what a vectorized function calls must be inlined into it, or it is compiled for the poorest processor"
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
pub use shrinkage::ChannelWise;

/// A convolution: `y[o] = bias[o] + Σ_i weight[o, i] ⋆ x[i]`, with `ceil(size / stride)` outputs along each axis.
///
/// * `input`: `[channels_in, height, width, batch]`
/// * `weight`: `[channels_out, channels_in, kernel height, kernel width]`
/// * `before`: rows and columns of zeros before the input; what is missing behind it is added.
/// * output: `[channels_out, ceil(height / stride), ceil(width / stride), batch]`
pub fn convolution(
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

/// What [`normalize()`] gives.
#[derive(Debug, Clone)]
pub struct Normalized<const D: usize> {
    /// The normalised values, in the shape of the input.
    pub output: Tensor<D>,
    /// The batch's mean of each channel, without gradients.
    pub mean: Tensor<1>,
    /// The batch's population variance of each channel, without gradients.
    pub variance: Tensor<1>,
}

/// Normalises each channel of `input`, `[channels, …]`, by its own mean and variance over all else, then scales by
/// `gamma`, adds `beta`, and sets what is negative to zero.
pub fn normalize<const D: usize>(
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
pub fn mean_abs(features: Tensor<4>) -> Tensor<2> {
    Tensor::from_dispatch(<Dispatch as Kernels>::mean_abs(features.into_dispatch()))
}

/// Applies `kind` to the features, `[channels, height, width, batch]`, with one number for each channel and input,
/// `[channels, batch]`.
pub fn channel_wise(kind: ChannelWise, features: Tensor<4>, parameter: Tensor<2>) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as Kernels>::channel_wise(
        features.into_dispatch(),
        parameter.into_dispatch(),
        kind,
    ))
}
