//! The backward passes of the kernels.

use std::sync::Arc;

use burn::backend::{
    Flex,
    autodiff::{
        checkpoint::base::Checkpointer,
        grads::Gradients,
        ops::{Backward, Ops},
    },
    flex::FlexTensor,
};

use super::tensors::{ends, sizes, tensor, values, vector};
use crate::kernel::{
    convolution::{self, Geometry, Padded},
    normalization::{self, Normalized},
    shrinkage::{self, ChannelWise},
};

#[derive(Debug)]
pub(super) struct ConvolutionGradient;

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
pub(super) struct NormalizationGradient;

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
pub(super) struct MeanAbsGradient;

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
pub(super) struct ChannelWiseGradient;

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
