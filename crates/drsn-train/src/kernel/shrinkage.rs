//! Operations on the channels of single inputs: mean magnitude, thresholds and scaling.
//!
//! Features are `[channels, pixels, batch]`, parameters of a channel of an input `[channels,
//! batch]`.

use drsn_bundle::vectorized;

/// An operation on features x with one parameter for each channel and input, τ or s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChannelWise {
    /// `sign(x) · max(|x| − τ, 0)`.
    Soft,
    /// `x − τ² / x` if `|x| > τ`, else 0.
    Garrote,
    /// `s · x`.
    Scale,
}

impl ChannelWise {
    #[inline(always)]
    fn value(self, x: f32, t: f32) -> f32 {
        match self {
            // As in the exported graph: exactly zero within [−τ, τ].
            Self::Soft => x - x.min(t).max(-t),
            Self::Garrote => {
                let safe = if x.abs() > t { x } else { f32::INFINITY };
                if x.abs() > t { x - t * t / safe } else { 0.0 }
            }
            Self::Scale => t * x,
        }
    }

    /// Derivatives with respect to x and to τ or s.
    #[inline(always)]
    fn slopes(self, x: f32, t: f32) -> [f32; 2] {
        match self {
            Self::Soft => {
                let kept = if x.abs() > t { 1.0 } else { 0.0 };
                [kept, -kept * 1.0_f32.copysign(x)]
            }
            Self::Garrote => {
                // Divides by infinity in the unused branch, because 0 / 0 would be NaN.
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
    let mut means = vec![0.0; channels * batch];
    for (plane, means) in features.chunks_exact(size).zip(means.chunks_exact_mut(batch)) {
        mean_abs_plane(plane, means);
    }
    means
}

vectorized! {
    fn mean_abs_plane<'a>(plane: &'a [f32], means: &'a mut [f32]) {
        let batch = means.len();
        for pixel in plane.chunks_exact(batch) {
            for (mean, x) in means.iter_mut().zip(pixel) {
                *mean += x.abs();
            }
        }
        let factor = batch as f32 / plane.len() as f32;
        for mean in means {
            *mean *= factor;
        }
    }
}

/// The gradient of [`mean_abs`]: `sign(x) · dA / pixels`.
pub(super) fn mean_abs_gradient(features: &[f32], gradient: &[f32], batch: usize) -> Vec<f32> {
    let channels = gradient.len() / batch;
    let size = features.len() / channels;
    let mut output = vec![0.0; features.len()];
    let planes = features.chunks_exact(size).zip(output.chunks_exact_mut(size));
    for ((from, to), gradient) in planes.zip(gradient.chunks_exact(batch)) {
        mean_abs_gradient_plane(from, to, gradient);
    }
    output
}

vectorized! {
    fn mean_abs_gradient_plane<'a>(from: &'a [f32], to: &'a mut [f32], gradient: &'a [f32]) {
        let batch = gradient.len();
        let factor = batch as f32 / from.len() as f32;
        for (from, to) in from.chunks_exact(batch).zip(to.chunks_exact_mut(batch)) {
            for ((to, &x), &g) in to.iter_mut().zip(from).zip(gradient) {
                let sign = if x > 0.0 { 1.0 } else if x < 0.0 { -1.0 } else { 0.0 };
                *to = sign * factor * g;
            }
        }
    }
}

/// Applies `kind` with `parameter`, `[channels, batch]`, to the features.
pub(super) fn forward(
    kind: ChannelWise,
    features: &[f32],
    parameter: &[f32],
    batch: usize,
) -> Vec<f32> {
    let size = features.len() * batch / parameter.len();
    let mut output = vec![0.0; features.len()];
    let planes = features.chunks_exact(size).zip(output.chunks_exact_mut(size));
    for ((from, to), parameter) in planes.zip(parameter.chunks_exact(batch)) {
        forward_plane(kind, from, to, parameter);
    }
    output
}

vectorized! {
    fn forward_plane<'a>(
        kind: ChannelWise,
        from: &'a [f32],
        to: &'a mut [f32],
        parameter: &'a [f32],
    ) {
        // A separate loop for each kind, without branches inside.
        match kind {
            ChannelWise::Soft => forward_of(ChannelWise::Soft, from, to, parameter),
            ChannelWise::Garrote => forward_of(ChannelWise::Garrote, from, to, parameter),
            ChannelWise::Scale => forward_of(ChannelWise::Scale, from, to, parameter),
        }
    }
}

#[inline(always)]
fn forward_of(kind: ChannelWise, from: &[f32], to: &mut [f32], parameter: &[f32]) {
    let batch = parameter.len();
    for (from, to) in from.chunks_exact(batch).zip(to.chunks_exact_mut(batch)) {
        for ((to, &x), &t) in to.iter_mut().zip(from).zip(parameter) {
            *to = kind.value(x, t);
        }
    }
}

/// Gradients of features and parameters.
pub(super) fn backward(
    kind: ChannelWise,
    features: &[f32],
    parameter: &[f32],
    gradient: &[f32],
    batch: usize,
) -> [Vec<f32>; 2] {
    let size = features.len() * batch / parameter.len();
    let mut of_features = vec![0.0; features.len()];
    let mut of_parameter = vec![0.0; parameter.len()];
    let inputs = features.chunks_exact(size).zip(gradient.chunks_exact(size));
    let outputs = of_features.chunks_exact_mut(size).zip(of_parameter.chunks_exact_mut(batch));
    for ((input, output), parameter) in inputs.zip(outputs).zip(parameter.chunks_exact(batch)) {
        backward_plane(kind, input, output, parameter);
    }
    [of_features, of_parameter]
}

vectorized! {
    /// `input` are the features and the gradient of the output; `output` the gradients of features
    /// and parameter.
    fn backward_plane<'a>(
        kind: ChannelWise,
        input: (&'a [f32], &'a [f32]),
        output: (&'a mut [f32], &'a mut [f32]),
        parameter: &'a [f32],
    ) {
        match kind {
            ChannelWise::Soft => backward_of(ChannelWise::Soft, input, output, parameter),
            ChannelWise::Garrote => backward_of(ChannelWise::Garrote, input, output, parameter),
            ChannelWise::Scale => backward_of(ChannelWise::Scale, input, output, parameter),
        }
    }
}

#[inline(always)]
fn backward_of(
    kind: ChannelWise,
    (features, gradient): (&[f32], &[f32]),
    (of_features, of_parameter): (&mut [f32], &mut [f32]),
    parameter: &[f32],
) {
    let batch = parameter.len();
    let pixels = features.chunks_exact(batch).zip(gradient.chunks_exact(batch));
    for ((features, gradient), of_features) in pixels.zip(of_features.chunks_exact_mut(batch)) {
        let inputs = features.iter().zip(gradient).zip(parameter);
        let outputs = of_features.iter_mut().zip(&mut *of_parameter);
        for (((&x, &g), &t), (of_feature, of_parameter)) in inputs.zip(outputs) {
            let [by_x, by_t] = kind.slopes(x, t);
            *of_feature = by_x * g;
            *of_parameter += by_t * g;
        }
    }
}
