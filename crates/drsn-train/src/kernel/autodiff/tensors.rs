//! Conversions between Flex tensors and slices.

use burn::{
    backend::{TensorMetadata as _, flex::FlexTensor},
    tensor::TensorData,
};

/// The values of a contiguous tensor of 32-bit floats.
pub(super) fn values(tensor: &FlexTensor) -> &[f32] {
    // All tensors of this crate's networks have 32-bit floats, and `to_contiguous` removes gaps.
    tensor.as_slice().unwrap_or_default()
}

pub(super) fn tensor(values: Vec<f32>, shape: &[usize]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape.to_vec()))
}

pub(super) fn vector(values: Vec<f32>) -> FlexTensor {
    let size = values.len();
    tensor(values, &[size])
}

pub(super) fn sizes(tensor: &FlexTensor) -> Vec<usize> {
    tensor.shape().to_vec()
}

/// Sizes of the first and last axis: channels and batch.
pub(super) fn ends(tensor: &FlexTensor) -> [usize; 2] {
    let sizes = sizes(tensor);
    [sizes.first(), sizes.last()].map(|size| size.copied().unwrap_or(1))
}
