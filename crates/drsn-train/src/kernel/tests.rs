//! The kernels against the same formulas in Burn's own operations, forward and backward.

use burn::tensor::{Device, Tensor, TensorData, activation::relu};
use rand::RngExt as _;

use super::{ChannelWise, channel_wise, mean_abs, normalize};
use crate::{
    random::{Purpose, stream},
    tensor::read,
};

const SHAPE: [usize; 4] = [3, 4, 5, 11];

/// Numbers that are never close to a discontinuity of a derivative, apart from exact zeros.
fn numbers<const D: usize>(shape: [usize; D], seed: u64) -> Tensor<D> {
    let mut rng = stream(seed, Purpose::Evaluation, 0, 0);
    let count = shape.iter().product();
    let values: Vec<f32> = (0..count).map(|_| rng.random_range(-2.0..2.0_f32)).collect();
    let device = Device::flex().autodiff();
    Tensor::from_data(TensorData::new(values, shape), &device).require_grad()
}

fn positive<const D: usize>(shape: [usize; D], seed: u64) -> Tensor<D> {
    let values = read(numbers(shape, seed).inner()).unwrap();
    let values: Vec<f32> = values.iter().map(|v| 0.2 + v.abs() / 3.0).collect();
    Tensor::from_data(TensorData::new(values, shape), &Device::flex().autodiff()).require_grad()
}

fn assert_close(a: &[f32], b: &[f32]) {
    assert_eq!(a.len(), b.len());
    let scale = b.iter().fold(1.0_f32, |largest, v| largest.max(v.abs()));
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        assert!((a - b).abs() <= 2e-5 * scale, "{i}: {a} and {b}");
    }
}

/// Compares two outputs, and the gradients of the inputs for a loss with a different weight for
/// each output.
macro_rules! assert_same {
    ($kernel:expr, $formula:expr, [$($input:expr),+]) => {{
        let (kernel, formula) = ($kernel, $formula);
        assert_close(&read(kernel.clone()).unwrap(), &read(formula.clone()).unwrap());
        let weights = numbers(kernel.dims(), 99).detach();
        let by_kernel = (kernel * weights.clone()).sum().backward();
        let by_formula = (formula * weights).sum().backward();
        $(
            let gradient = |of| read($input.grad(of).unwrap()).unwrap();
            assert_close(&gradient(&by_kernel), &gradient(&by_formula));
        )+
    }};
}

#[test]
fn normalization_is_its_formula() {
    let (x, gamma, beta) = (numbers(SHAPE, 1), numbers([3], 2), numbers([3], 3));
    let normalized = normalize(x.clone(), gamma.clone(), beta.clone(), 1e-3);
    let flat = x.clone().reshape([3, 220]);
    let mean = flat.clone().mean_dim(1);
    let centred = flat - mean.clone();
    let variance = centred.clone().powi_scalar(2).mean_dim(1);
    let unit = centred / (variance.clone() + 1e-3).sqrt();
    let formula = relu(unit * gamma.clone().unsqueeze_dim(1) + beta.clone().unsqueeze_dim(1));
    assert_close(&read(normalized.mean).unwrap(), &read(mean).unwrap());
    assert_close(&read(normalized.variance).unwrap(), &read(variance).unwrap());
    assert_same!(normalized.output, formula.reshape(SHAPE), [x, gamma, beta]);
}

#[test]
fn the_mean_magnitude_is_its_formula() {
    let x = numbers(SHAPE, 4);
    let formula = x.clone().abs().reshape([3, 20, 11]).mean_dim(1).reshape([3, 11]);
    assert_same!(mean_abs(x.clone()), formula, [x]);
}

#[test]
fn soft_threshold_garrote_and_scale_are_their_formulas() {
    let (x, t) = (numbers(SHAPE, 5), positive([3, 11], 6));
    let wide = || t.clone().reshape([3, 1, 1, 11]);
    let soft = relu(x.clone() - wide()) - relu(-(x.clone() + wide()));
    assert_same!(channel_wise(ChannelWise::Soft, x.clone(), t.clone()), soft, [x, t]);
    let kept = x.clone().abs().greater(wide().expand(SHAPE)).float();
    let garrote = (x.clone() - wide().powi_scalar(2) / x.clone()) * kept;
    assert_same!(channel_wise(ChannelWise::Garrote, x.clone(), t.clone()), garrote, [x, t]);
    let scale = x.clone() * wide();
    assert_same!(channel_wise(ChannelWise::Scale, x.clone(), t.clone()), scale, [x, t]);
}

/// In `τ² / x` a zero would give 0 / 0, and a gradient of NaN even in the unused branch.
#[test]
fn a_feature_of_zero_has_finite_gradients() {
    let device = Device::flex().autodiff();
    for kind in [ChannelWise::Soft, ChannelWise::Garrote] {
        for threshold in [0.0, 0.5] {
            let x = Tensor::<4>::zeros([1, 1, 2, 3], &device).require_grad();
            let t = Tensor::<2>::full([1, 3], threshold, &device).require_grad();
            let shrunk = channel_wise(kind, x.clone(), t.clone());
            assert!(read(shrunk.clone()).unwrap().iter().all(|y| *y == 0.0));
            let gradients = (shrunk.sum() + mean_abs(x.clone()).sum()).backward();
            let of_x = read(x.grad(&gradients).unwrap()).unwrap();
            let of_t = read(t.grad(&gradients).unwrap()).unwrap();
            assert!(of_x.iter().chain(&of_t).all(|g| g.is_finite()), "{kind:?}, {threshold}");
        }
    }
}

#[test]
fn features_within_the_threshold_are_exactly_zero() {
    let device = Device::flex();
    let values = [-3.0_f32, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0];
    let x = Tensor::<4>::from_data(TensorData::new(values.to_vec(), [1, 7, 1, 1]), &device);
    let t = Tensor::<2>::ones([1, 1], &device);
    let soft = read(channel_wise(ChannelWise::Soft, x.clone(), t.clone())).unwrap();
    assert_eq!(soft, [-2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.0]);
    let garrote = read(channel_wise(ChannelWise::Garrote, x, t)).unwrap();
    assert_close(&garrote, &[-3.0 + 1.0 / 3.0, 0.0, 0.0, 0.0, 0.0, 0.0, 3.0 - 1.0 / 3.0]);
}
