//! What acts on whole channels of single inputs: their mean magnitude, and what is done to their features by it.
//!
//! Features are `[channels, pixels, batch]`, what belongs to a channel of an input `[channels, batch]`.

use super::lanes::vectorized;

/// What one number for each channel and input, τ or s, does to the features x.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelWise {
    /// `sign(x) · max(|x| − τ, 0)`.
    Soft,
    /// `x − τ² / x` where `|x| > τ`, else 0.
    Garrote,
    /// `s · x`.
    Scale,
}

impl ChannelWise {
    #[inline(always)]
    fn value(self, x: f32, t: f32) -> f32 {
        match self {
            // The same as the exported graph: exactly zero within [−τ, τ].
            Self::Soft => x - x.min(t).max(-t),
            Self::Garrote => {
                let safe = if x.abs() > t { x } else { f32::INFINITY };
                if x.abs() > t { x - t * t / safe } else { 0.0 }
            }
            Self::Scale => t * x,
        }
    }

    /// Derivatives by x and by τ or s.
    #[inline(always)]
    fn slopes(self, x: f32, t: f32) -> [f32; 2] {
        match self {
            Self::Soft => {
                let kept = if x.abs() > t { 1.0 } else { 0.0 };
                [kept, -kept * 1.0_f32.copysign(x)]
            }
            Self::Garrote => {
                // Divided by infinity where nothing is kept: 0 / 0 in the unused branch would be no number.
                let kept = if x.abs() > t { 1.0 } else { 0.0 };
                let safe = if x.abs() > t { x } else { f32::INFINITY };
                let ratio = t / safe;
                [kept * ratio.mul_add(ratio, 1.0), -2.0 * ratio]
            }
            Self::Scale => [t, x],
        }
    }
}

/// Mean over the pixels of |x|: `[channels, batch]`.
pub(super) fn mean_abs(features: &[f32], channels: usize, batch: usize) -> Vec<f32> {
    let size = features.len() / channels;
    let factor = batch as f32 / size as f32;
    let mut means = vec![0.0; channels * batch];
    vectorized(|| {
        for (plane, means) in features.chunks_exact(size).zip(means.chunks_exact_mut(batch)) {
            for pixel in plane.chunks_exact(batch) {
                for (mean, x) in means.iter_mut().zip(pixel) {
                    *mean += x.abs();
                }
            }
            means.iter_mut().for_each(|mean| *mean *= factor);
        }
    });
    means
}

/// The gradient of [`mean_abs`]: `sign(x) · dA / pixels`.
pub(super) fn mean_abs_gradient(features: &[f32], gradient: &[f32], batch: usize) -> Vec<f32> {
    let channels = gradient.len() / batch;
    let size = features.len() / channels;
    let factor = batch as f32 / size as f32;
    let mut output = vec![0.0; features.len()];
    vectorized(|| {
        let planes = features.chunks_exact(size).zip(output.chunks_exact_mut(size));
        for ((from, to), gradient) in planes.zip(gradient.chunks_exact(batch)) {
            for (from, to) in from.chunks_exact(batch).zip(to.chunks_exact_mut(batch)) {
                for ((to, &x), &g) in to.iter_mut().zip(from).zip(gradient) {
                    *to = if x == 0.0 { 0.0 } else { (g * factor).copysign(g * x) };
                }
            }
        }
    });
    output
}

/// Applies `kind` with `parameter`, `[channels, batch]`, to the features.
pub(super) fn forward(
    kind: ChannelWise,
    features: &[f32],
    parameter: &[f32],
    batch: usize,
) -> Vec<f32> {
    match kind {
        ChannelWise::Soft => {
            forward_of(|x, t| ChannelWise::Soft.value(x, t), features, parameter, batch)
        }
        ChannelWise::Garrote => {
            forward_of(|x, t| ChannelWise::Garrote.value(x, t), features, parameter, batch)
        }
        ChannelWise::Scale => {
            forward_of(|x, t| ChannelWise::Scale.value(x, t), features, parameter, batch)
        }
    }
}

/// Gradients of features and parameter.
pub(super) fn backward(
    kind: ChannelWise,
    features: &[f32],
    parameter: &[f32],
    gradient: &[f32],
    batch: usize,
) -> [Vec<f32>; 2] {
    let of = [features, parameter, gradient];
    match kind {
        ChannelWise::Soft => backward_of(|x, t| ChannelWise::Soft.slopes(x, t), of, batch),
        ChannelWise::Garrote => backward_of(|x, t| ChannelWise::Garrote.slopes(x, t), of, batch),
        ChannelWise::Scale => backward_of(|x, t| ChannelWise::Scale.slopes(x, t), of, batch),
    }
}

#[inline(always)]
fn forward_of(
    value: impl Fn(f32, f32) -> f32,
    features: &[f32],
    parameter: &[f32],
    batch: usize,
) -> Vec<f32> {
    let size = features.len() * batch / parameter.len();
    let mut output = vec![0.0; features.len()];
    vectorized(|| {
        let planes = features.chunks_exact(size).zip(output.chunks_exact_mut(size));
        for ((from, to), parameter) in planes.zip(parameter.chunks_exact(batch)) {
            for (from, to) in from.chunks_exact(batch).zip(to.chunks_exact_mut(batch)) {
                for ((to, &x), &t) in to.iter_mut().zip(from).zip(parameter) {
                    *to = value(x, t);
                }
            }
        }
    });
    output
}

#[inline(always)]
fn backward_of(
    slopes: impl Fn(f32, f32) -> [f32; 2],
    [features, parameter, gradient]: [&[f32]; 3],
    batch: usize,
) -> [Vec<f32>; 2] {
    let size = features.len() * batch / parameter.len();
    let mut of_features = vec![0.0; features.len()];
    let mut of_parameter = vec![0.0; parameter.len()];
    vectorized(|| {
        let planes = features.chunks_exact(size).zip(gradient.chunks_exact(size));
        let outputs = of_features.chunks_exact_mut(size).zip(of_parameter.chunks_exact_mut(batch));
        for (((from, dy), (to, sums)), parameter) in
            planes.zip(outputs).zip(parameter.chunks_exact(batch))
        {
            let pixels = from.chunks_exact(batch).zip(dy.chunks_exact(batch));
            for ((from, dy), to) in pixels.zip(to.chunks_exact_mut(batch)) {
                for (n, &x) in from.iter().enumerate() {
                    let [by_x, by_t] = slopes(x, parameter[n]);
                    to[n] = by_x * dy[n];
                    sums[n] += by_t * dy[n];
                }
            }
        }
    });
    [of_features, of_parameter]
}
