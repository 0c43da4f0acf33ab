//! The shortcut of a residual unit, which has no weights.

use burn::tensor::{Tensor, s};

/// Converts a unit's input to the shape of its output: keeps every n-th element, for a stride of n,
/// and adds channels of zeros on both sides.
///
/// * input: `[C, height, width, batch]`
/// * output: `[channels, ceil(height / stride), ceil(width / stride), batch]`
pub(crate) fn shortcut(input: Tensor<4>, channels: usize, stride: [usize; 2]) -> Tensor<4> {
    let kept = match stride {
        [1, 1] => input,
        [down, across] => input.slice(s![.., ..;down as isize, ..;across as isize, ..]),
    };
    let [present, height, width, batch] = kept.dims();
    let (before, after) = channel_padding(present, channels);
    let zeros = |count| Tensor::zeros([count, height, width, batch], &kept.device());
    let padded = match (before, after) {
        (0, 0) => return kept,
        (0, after) => vec![kept.clone(), zeros(after)],
        (before, after) => vec![zeros(before), kept.clone(), zeros(after)],
    };
    Tensor::cat(padded, 0)
}

/// Numbers of channels of zeros before and after `present` channels for a total of `wanted`; if
/// their sum is odd, the extra one is after.
///
/// A unit never has fewer channels than its input; otherwise nothing would be padded.
pub(crate) fn channel_padding(present: usize, wanted: usize) -> (usize, usize) {
    let missing = wanted.saturating_sub(present);
    (missing / 2, missing - missing / 2)
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;

    fn values(tensor: Tensor<4>) -> Vec<f32> {
        tensor.into_data().try_to_vec().unwrap()
    }

    fn counting(channels: usize, size: usize, device: &Device) -> Tensor<4> {
        let count = channels * size * size;
        let data: Vec<f32> = (0..count).map(|i| i as f32).collect();
        Tensor::from_data(TensorData::new(data, [channels, size, size, 1]), device)
    }

    #[test]
    fn a_stride_keeps_every_second_element_beginning_with_the_first() {
        let device = Device::flex();
        assert_eq!(values(shortcut(counting(1, 4, &device), 1, [2, 2])), [0.0, 2.0, 8.0, 10.0]);
        assert_eq!(values(shortcut(counting(1, 3, &device), 1, [2, 2])), [0.0, 2.0, 6.0, 8.0]);
    }

    #[test]
    fn missing_channels_are_zeros_on_both_sides_with_the_odd_one_after() {
        let device = Device::flex();
        let padded = values(shortcut(Tensor::ones([1, 1, 1, 1], &device), 4, [1, 1]));
        assert_eq!(padded, [0.0, 1.0, 0.0, 0.0]);
    }

    #[test]
    fn gradients_flow_back_to_the_kept_elements_only() {
        let device = Device::flex().autodiff();
        let input = counting(1, 4, &device).require_grad();
        let gradients = shortcut(input.clone(), 2, [2, 2]).sum().backward();
        let gradient = values(input.grad(&gradients).unwrap());
        let kept = [0, 2, 8, 10];
        assert!(
            gradient
                .iter()
                .enumerate()
                .all(|(i, &g)| (g - f32::from(u8::from(kept.contains(&i)))).abs() < 1e-6)
        );
    }
}
