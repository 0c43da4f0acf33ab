//! Soft thresholding.

use burn::tensor::{Tensor, activation::relu};

/// Shrinks features towards zero by τ, and to zero within [−τ, τ]:
/// `y = sign(x) · max(|x| − τ, 0)`, computed as `max(x − τ, 0) − max(−x − τ, 0)`.
///
/// * `x`: `[batch, channels, height, width]`
/// * `tau`: `[batch, channels, 1, 1]` or `[batch, 1, 1, 1]`, not negative
///
/// Its derivative by x is 1 outside [−τ, τ] and 0 inside.
///
/// Source: D. L. Donoho, "De-noising by soft-thresholding", IEEE Transactions on Information Theory
/// 41(3), 1995; in a network: M. Zhao et al., DOI 10.1109/TII.2019.2943898, equations 5 and 6.
pub fn soft_threshold(x: Tensor<4>, tau: Tensor<4>) -> Tensor<4> {
    relu(x.clone() - tau.clone()) - relu(-(x + tau))
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};
    use proptest::prelude::*;

    use super::*;

    fn shrink(x: &[f32], tau: f32, device: &Device) -> (Tensor<4>, Tensor<4>) {
        let x = Tensor::from_data(TensorData::new(x.to_vec(), [1, 1, 1, x.len()]), device);
        let x = if device.is_autodiff() { x.require_grad() } else { x };
        let tau = Tensor::full([1, 1, 1, 1], tau, device);
        (soft_threshold(x.clone(), tau), x)
    }

    #[test]
    fn values_within_the_threshold_become_zero_and_others_move_by_it() {
        let (y, _) = shrink(&[-3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0], 1.0, &Device::flex());
        let y: Vec<f32> = y.into_data().try_to_vec().unwrap();
        assert_eq!(y, [-2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.0]);
    }

    #[test]
    fn the_derivative_is_one_outside_the_threshold_and_zero_inside() {
        let (y, x) = shrink(&[-3.0, -0.5, 0.5, 3.0], 1.0, &Device::flex().autodiff());
        let gradients = y.sum().backward();
        let gradient: Vec<f32> = x.grad(&gradients).unwrap().into_data().try_to_vec().unwrap();
        assert_eq!(gradient, [1.0, 0.0, 0.0, 1.0]);
    }

    proptest! {
        #[test]
        fn it_is_the_textbook_formula(x in -1e3_f32..1e3, tau in 0_f32..1e3) {
            let (y, _) = shrink(&[x], tau, &Device::flex());
            let y: f32 = y.into_scalar();
            let expected = x.signum() * (x.abs() - tau).max(0.0);
            prop_assert!((y - expected).abs() <= 1e-6 * x.abs());
            prop_assert!(y.abs() <= x.abs());
        }
    }
}
