//! The kernels as operations of Burn: on the Flex backend, and with gradients on top of it.

use std::sync::Arc;

use burn::{
    backend::{
        Autodiff, Backend, Flex, TensorMetadata as _,
        autodiff::{
            checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
            grads::Gradients,
            ops::{Backward, Ops, OpsKind},
        },
        backend_extension,
        flex::FlexTensor,
        tensor::FloatTensor,
    },
    tensor::TensorData,
};

use super::{
    ChannelWise,
    convolution::{self, Geometry, Padded},
    normalization::{self, Normalized},
    shrinkage,
};

/// The operations that a backend must have.
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

#[derive(Debug)]
struct ConvolutionGradient;

impl Backward<Flex, 3> for ConvolutionGradient {
    type State = (Arc<Padded>, FlexTensor, Geometry);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (input, weight, geometry) = ops.state;
        let gradient = grads.consume::<Flex>(&ops.node).to_contiguous();
        let weight = weight.to_contiguous();
        let [of_input, of_weight, of_bias] = ops.parents;
        let padded = convolution::pad_output(values(&gradient), &geometry);
        let [channels_in, channels_out] = geometry.channels;
        if let Some(node) = of_input {
            let values = convolution::input_gradient(&padded, values(&weight), &geometry);
            let [height, width] = geometry.input;
            let shape = [channels_in, height, width, geometry.batch];
            grads.register::<Flex>(node.id, tensor(values, &shape));
        }
        if let Some(node) = of_weight {
            let values = convolution::weight_gradient(&input, &padded, &geometry);
            grads.register::<Flex>(node.id, tensor(values, &sizes(&weight)));
        }
        if let Some(node) = of_bias {
            let sums = normalization::sums(values(&gradient), channels_out);
            grads.register::<Flex>(node.id, vector(sums));
        }
    }
}

#[derive(Debug)]
struct NormalizationGradient;

impl Backward<Flex, 3> for NormalizationGradient {
    type State = (FlexTensor, FlexTensor, FlexTensor, Arc<Normalized>);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (input, gamma, beta, how) = ops.state;
        let gradient = grads.consume::<Flex>(&ops.node).to_contiguous();
        let [input, gamma, beta] = [input, gamma, beta].map(|tensor| tensor.to_contiguous());
        let gradients = normalization::backward(
            values(&input),
            values(&gradient),
            values(&gamma),
            values(&beta),
            &how,
        );
        let shapes = [sizes(&input), sizes(&gamma), sizes(&beta)];
        for ((node, values), shape) in ops.parents.into_iter().zip(gradients).zip(shapes) {
            if let Some(node) = node {
                grads.register::<Flex>(node.id, tensor(values, &shape));
            }
        }
    }
}

#[derive(Debug)]
struct MeanAbsGradient;

impl Backward<Flex, 1> for MeanAbsGradient {
    type State = FlexTensor;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<Flex>(&ops.node).to_contiguous();
        let features = ops.state.to_contiguous();
        let [_, batch] = ends(&features);
        let [node] = ops.parents;
        if let Some(node) = node {
            let of = shrinkage::mean_abs_gradient(values(&features), values(&gradient), batch);
            grads.register::<Flex>(node.id, tensor(of, &sizes(&features)));
        }
    }
}

#[derive(Debug)]
struct ChannelWiseGradient;

impl Backward<Flex, 2> for ChannelWiseGradient {
    type State = (FlexTensor, FlexTensor, ChannelWise);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (features, parameter, kind) = ops.state;
        let gradient = grads.consume::<Flex>(&ops.node).to_contiguous();
        let [features, parameter] = [features, parameter].map(|tensor| tensor.to_contiguous());
        let [_, batch] = ends(&features);
        let gradients = shrinkage::backward(
            kind,
            values(&features),
            values(&parameter),
            values(&gradient),
            batch,
        );
        let shapes = [sizes(&features), sizes(&parameter)];
        for ((node, values), shape) in ops.parents.into_iter().zip(gradients).zip(shapes) {
            if let Some(node) = node {
                grads.register::<Flex>(node.id, tensor(values, &shape));
            }
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

/// The values of a contiguous tensor of 32-bit floats.
fn values(tensor: &FlexTensor) -> &[f32] {
    // Every tensor of this crate's networks has 32-bit floats, and `to_contiguous` leaves no gaps.
    tensor.as_slice().unwrap_or_default()
}

fn tensor(values: Vec<f32>, shape: &[usize]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape.to_vec()))
}

fn vector(values: Vec<f32>) -> FlexTensor {
    let size = values.len();
    tensor(values, &[size])
}

fn sizes(tensor: &FlexTensor) -> Vec<usize> {
    tensor.shape().to_vec()
}

/// The sizes of the first and the last axis: channels and batch.
fn ends(tensor: &FlexTensor) -> [usize; 2] {
    let sizes = sizes(tensor);
    [sizes.first(), sizes.last()].map(|size| size.copied().unwrap_or(1))
}
