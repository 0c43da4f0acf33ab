//! Convolution with TensorFlow's SAME padding.

use burn::{
    module::{Module, Param},
    tensor::Tensor,
};
use drsn_bundle::same_padding;

use super::Initializer;
use crate::kernel;

/// A convolution whose output has `ceil(size / stride)` elements along each axis:
/// `y[n, o] = bias[o] + Σ_i weight[o, i] ⋆ x[n, i]`.
///
/// * `weight`: `[channels_out, channels_in, kernel height, kernel width]`
/// * input: `[channels_in, height, width, batch]`
/// * output: `[channels_out, ceil(height / stride), ceil(width / stride), batch]`
///
/// If the padding is odd, the extra row or column is after the data, as in TensorFlow. A signal is
/// an image of height one.
#[derive(Module, Debug)]
pub struct Convolution {
    /// Kernels, `[channels_out, channels_in, kernel height, kernel width]`.
    pub weight: Param<Tensor<4>>,
    /// Bias of each output channel, `[channels_out]`.
    pub bias: Param<Tensor<1>>,
    /// Strides along height and width.
    pub stride: [usize; 2],
}

impl Convolution {
    /// A convolution with He-normal kernels and zero bias.
    pub(crate) fn new(
        initializer: &mut Initializer<'_>,
        channels: [usize; 2],
        kernel: [usize; 2],
        stride: [usize; 2],
    ) -> Self {
        let [channels_in, channels_out] = channels;
        let [height, width] = kernel;
        Self {
            weight: initializer.he_normal(
                [channels_out, channels_in, height, width],
                channels_in * height * width,
            ),
            bias: initializer.zeros(channels_out),
            stride,
        }
    }

    /// Convolves a batch.
    pub(crate) fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let [_, height, width, _] = input.dims();
        let before = self.padding([height, width]).map(|(before, _)| before);
        kernel::convolution(input, self.weight.val(), self.bias.val(), self.stride, before)
    }

    /// Rows and columns of zeros before and after an input of `[height, width]`.
    pub(crate) fn padding(&self, size: [usize; 2]) -> [(usize, usize); 2] {
        let [_, _, kernel_height, kernel_width] = self.weight.shape().dims();
        [
            same_padding(size[0], kernel_height, self.stride[0]),
            same_padding(size[1], kernel_width, self.stride[1]),
        ]
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;
    use crate::random::{Purpose, stream};

    /// A kernel of ones sums the values it covers, so the output shows where the padding is.
    fn sums(size: usize, stride: usize) -> Vec<f32> {
        let device = Device::flex();
        let mut initializer = Initializer::new(stream(0, Purpose::Weights, 0, 0), &device);
        let mut layer = Convolution::new(&mut initializer, [1, 1], [3, 3], [stride; 2]);
        layer.weight = Param::from_data(TensorData::new(vec![1.0_f32; 9], [1, 1, 3, 3]), &device);
        layer.forward(Tensor::ones([1, size, size, 1], &device)).into_data().try_to_vec().unwrap()
    }

    #[test]
    fn stride_two_on_an_even_size_pads_only_at_the_end() {
        assert_eq!(sums(4, 2), [9.0, 6.0, 6.0, 4.0]);
    }

    #[test]
    fn stride_two_on_an_odd_size_pads_on_both_sides() {
        assert_eq!(sums(3, 2), [4.0, 4.0, 4.0, 4.0]);
    }

    #[test]
    fn stride_one_keeps_the_size() {
        assert_eq!(sums(3, 1), [4.0, 6.0, 4.0, 6.0, 9.0, 6.0, 4.0, 6.0, 4.0]);
    }
}
