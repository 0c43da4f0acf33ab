//! The kernels as Burn operations: on the Flex backend, and with gradients on top of it.

mod gradients;
mod tensors;

use std::sync::Arc;

use burn::backend::{
    Autodiff, Backend, Flex,
    autodiff::{
        checkpoint::strategy::CheckpointStrategy,
        ops::{Backward as _, OpsKind},
    },
    backend_extension,
    flex::FlexTensor,
    tensor::FloatTensor,
};

use super::{
    convolution::{self, Geometry, Padded},
    normalization::{self, Normalized},
    shrinkage::{self, ChannelWise},
};

use gradients::{ChannelWiseGradient, ConvolutionGradient, MeanAbsGradient, NormalizationGradient};
use tensors::{ends, sizes, tensor, values, vector};

/// The operations of a backend.
#[backend_extension(Flex, Autodiff)]
pub(super) trait Kernels: Backend {
    fn convolution(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        stride: [usize; 2],
        before: [usize; 2],
    ) -> FloatTensor<Self>;

    fn normalize(
        input: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f64,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

    fn mean_abs(features: FloatTensor<Self>) -> FloatTensor<Self>;

    fn channel_wise(
        features: FloatTensor<Self>,
        parameter: FloatTensor<Self>,
        kind: ChannelWise,
    ) -> FloatTensor<Self>;
}

impl Kernels for Flex {
    fn convolution(
        input: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        stride: [usize; 2],
        before: [usize; 2],
    ) -> FlexTensor {
        convolve(&input, &weight, &bias, stride, before).0
    }

    fn normalize(
        input: FlexTensor,
        gamma: FlexTensor,
        beta: FlexTensor,
        epsilon: f64,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        let (output, how) = normalized(&input, &gamma, &beta, epsilon);
        (output, vector(how.statistics.mean), vector(how.statistics.variance))
    }

    fn mean_abs(features: FlexTensor) -> FlexTensor {
        let [channels, batch] = ends(&features);
        let means = shrinkage::mean_abs(values(&features.to_contiguous()), channels, batch);
        tensor(means, &[channels, batch])
    }

    fn channel_wise(features: FlexTensor, parameter: FlexTensor, kind: ChannelWise) -> FlexTensor {
        let [_, batch] = ends(&features);
        let (features, parameter) = (features.to_contiguous(), parameter.to_contiguous());
        let output = shrinkage::forward(kind, values(&features), values(&parameter), batch);
        tensor(output, &sizes(&features))
    }
}

impl<C: CheckpointStrategy> Kernels for Autodiff<Flex, C> {
    fn convolution(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        stride: [usize; 2],
        before: [usize; 2],
    ) -> FloatTensor<Self> {
        let (input, input_node) = input.into_parts();
        let (weight, weight_node) = weight.into_parts();
        let (bias, bias_node) = bias.into_parts();
        let nodes = [input_node, weight_node, bias_node];
        let (output, padded, geometry) = convolve(&input, &weight, &bias, stride, before);
        match ConvolutionGradient.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((Arc::new(padded), weight, geometry), output),
            OpsKind::UnTracked(prep) => prep.finish(output),
        }
    }

    fn normalize(
        input: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        epsilon: f64,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let (input, input_node) = input.into_parts();
        let (gamma, gamma_node) = gamma.into_parts();
        let (beta, beta_node) = beta.into_parts();
        let nodes = [input_node, gamma_node, beta_node];
        let (output, how) = normalized(&input, &gamma, &beta, epsilon);
        let mean = Self::FloatTensorPrimitive::new(vector(how.statistics.mean.clone()));
        let variance = Self::FloatTensorPrimitive::new(vector(how.statistics.variance.clone()));
        let output = match NormalizationGradient.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((input, gamma, beta, Arc::new(how)), output),
            OpsKind::UnTracked(prep) => prep.finish(output),
        };
        (output, mean, variance)
    }

    fn mean_abs(features: FloatTensor<Self>) -> FloatTensor<Self> {
        let (features, node) = features.into_parts();
        let output = Flex::mean_abs(features.clone());
        match MeanAbsGradient.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(features, output),
            OpsKind::UnTracked(prep) => prep.finish(output),
        }
    }

    fn channel_wise(
        features: FloatTensor<Self>,
        parameter: FloatTensor<Self>,
        kind: ChannelWise,
    ) -> FloatTensor<Self> {
        let (features, features_node) = features.into_parts();
        let (parameter, parameter_node) = parameter.into_parts();
        let nodes = [features_node, parameter_node];
        let output = Flex::channel_wise(features.clone(), parameter.clone(), kind);
        match ChannelWiseGradient.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((features, parameter, kind), output),
            OpsKind::UnTracked(prep) => prep.finish(output),
        }
    }
}

fn convolve(
    input: &FlexTensor,
    weight: &FlexTensor,
    bias: &FlexTensor,
    stride: [usize; 2],
    before: [usize; 2],
) -> (FlexTensor, Padded, Geometry) {
    let [input, weight, bias] = [input, weight, bias].map(FlexTensor::to_contiguous);
    let (input_size, kernel) = (sizes(&input), sizes(&weight));
    let size = [input_size[1], input_size[2]];
    let geometry = Geometry {
        channels: [kernel[1], kernel[0]],
        input: size,
        output: [0, 1].map(|axis| size[axis].div_ceil(stride[axis])),
        kernel: [kernel[2], kernel[3]],
        stride,
        before,
        batch: input_size[3],
    };
    let padded = convolution::pad_input(values(&input), &geometry);
    let output = convolution::forward(&padded, values(&weight), values(&bias), &geometry);
    let [height, width] = geometry.output;
    (tensor(output, &[kernel[0], height, width, geometry.batch]), padded, geometry)
}

fn normalized(
    input: &FlexTensor,
    gamma: &FlexTensor,
    beta: &FlexTensor,
    epsilon: f64,
) -> (FlexTensor, Normalized) {
    let [input, gamma, beta] = [input, gamma, beta].map(FlexTensor::to_contiguous);
    let statistics = normalization::statistics(values(&input), values(&gamma).len());
    let how = Normalized { statistics, epsilon };
    let output = normalization::forward(values(&input), values(&gamma), values(&beta), &how);
    (tensor(output, &sizes(&input)), how)
}
