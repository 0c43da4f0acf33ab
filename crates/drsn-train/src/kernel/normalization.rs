//! Batch normalization with the batch's own statistics followed by ReLU, in one pass each way.
//!
//! Tensors are `[channels, …]`: each channel is contiguous.
//!
//! ```text
//! x̂ = (x − mean) / √(variance + ε),  y = max(γ · x̂ + β, 0)
//! dx = γ / √(variance + ε) · (g − mean(g) − x̂ · mean(g · x̂))   with g = dy where y > 0
//! ```
//!
//! Source: S. Ioffe and C. Szegedy, "Batch Normalization", ICML 2015, section 3.

use drsn_bundle::vectorized;

use super::lanes::{LANES, Lanes, load};

/// Number of values summed in 32 bits before the sums are added in 64 bits.
const BLOCK: usize = 32 * LANES;

/// Mean and population variance of each channel.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Statistics {
    pub(super) mean: Vec<f32>,
    pub(super) variance: Vec<f32>,
}

/// State for the backward pass besides the input.
#[derive(Debug, Clone)]
pub(super) struct Normalized {
    pub(super) statistics: Statistics,
    pub(super) epsilon: f64,
}

impl Normalized {
    /// Factor and offset of one channel: `y = factor · x + offset` before ReLU.
    fn affine(&self, channel: usize, gamma: &[f32], beta: &[f32]) -> [f32; 2] {
        let factor = gamma[channel] * self.inverse_deviation(channel);
        [factor, beta[channel] - factor * self.statistics.mean[channel]]
    }

    fn inverse_deviation(&self, channel: usize) -> f32 {
        (1.0 / (f64::from(self.statistics.variance[channel]) + self.epsilon).sqrt()) as f32
    }
}

/// Statistics of `channels` contiguous channels.
pub(super) fn statistics(values: &[f32], channels: usize) -> Statistics {
    let size = (values.len() / channels).max(1);
    let (mean, variance) = values.chunks_exact(size).map(moments).unzip();
    Statistics { mean, variance }
}

vectorized! {
    /// Mean and population variance of one channel.
    fn moments<'a>(plane: &'a [f32]) -> (f32, f32) {
        let count = plane.len() as f64;
        let mean = sum(plane, |x| x) / count;
        let centre = mean as f32;
        let squares = sum(plane, |x| (x - centre) * (x - centre)) / count;
        let variance = squares - (mean - f64::from(centre)).powi(2);
        (centre, variance.max(0.0) as f32)
    }
}

/// Normalises, scales, shifts and applies ReLU.
pub(super) fn forward(values: &[f32], gamma: &[f32], beta: &[f32], how: &Normalized) -> Vec<f32> {
    let size = (values.len() / gamma.len()).max(1);
    let mut output = vec![0.0; values.len()];
    let planes = values.chunks_exact(size).zip(output.chunks_exact_mut(size));
    for (channel, (from, to)) in planes.enumerate() {
        forward_plane(from, to, how.affine(channel, gamma, beta));
    }
    output
}

vectorized! {
    fn forward_plane<'a>(from: &'a [f32], to: &'a mut [f32], affine: [f32; 2]) {
        let [factor, offset] = affine;
        for (to, &x) in to.iter_mut().zip(from) {
            *to = x.mul_add(factor, offset).max(0.0);
        }
    }
}

/// Gradients of input, γ and β.
pub(super) fn backward(
    values: &[f32],
    gradient: &[f32],
    gamma: &[f32],
    beta: &[f32],
    how: &Normalized,
) -> [Vec<f32>; 3] {
    let size = (values.len() / gamma.len()).max(1);
    let mut input = vec![0.0; values.len()];
    let (mut of_gamma, mut of_beta) = (vec![0.0; gamma.len()], vec![0.0; beta.len()]);
    let planes = values.chunks_exact(size).zip(gradient.chunks_exact(size));
    for (channel, ((x, dy), dx)) in planes.zip(input.chunks_exact_mut(size)).enumerate() {
        let affine = how.affine(channel, gamma, beta);
        let moments = [how.statistics.mean[channel], how.inverse_deviation(channel)];
        [of_gamma[channel], of_beta[channel]] = backward_plane(x, dy, dx, affine, moments);
    }
    [input, of_gamma, of_beta]
}

vectorized! {
    /// Writes the gradient of one channel of the input and returns those of γ and β.
    fn backward_plane<'a>(
        x: &'a [f32],
        dy: &'a [f32],
        dx: &'a mut [f32],
        affine: [f32; 2],
        moments: [f32; 2],
    ) -> [f32; 2] {
        let [factor, offset] = affine;
        let [mean, inverse] = moments;
        let passed = |x: f32, dy: f32| if x.mul_add(factor, offset) > 0.0 { dy } else { 0.0 };
        let sum_g = sum_of_pairs(x, dy, passed);
        let sum_gx = sum_of_pairs(x, dy, |x, dy| passed(x, dy) * (x - mean)) * f64::from(inverse);
        let count = x.len() as f64;
        let (mean_g, slope) = ((sum_g / count) as f32, (sum_gx / count) as f32 * inverse);
        for ((dx, &x), &dy) in dx.iter_mut().zip(x).zip(dy) {
            *dx = factor * (passed(x, dy) - mean_g - (x - mean) * slope);
        }
        [sum_gx as f32, sum_g as f32]
    }
}

/// Sums of the channels.
pub(super) fn sums(values: &[f32], channels: usize) -> Vec<f32> {
    let size = (values.len() / channels).max(1);
    values.chunks_exact(size).map(total).collect()
}

vectorized! {
    fn total<'a>(plane: &'a [f32]) -> f32 {
        sum(plane, |x| x) as f32
    }
}

/// Sum of `of` over all values.
#[inline(always)]
fn sum(values: &[f32], of: impl Fn(f32) -> f32) -> f64 {
    let mut total = 0.0;
    for block in values.chunks(BLOCK) {
        let mut sums: Lanes = [0.0; LANES];
        let whole = block.len() / LANES * LANES;
        for at in (0..whole).step_by(LANES) {
            let lanes = load(block, at);
            for (sum, x) in sums.iter_mut().zip(lanes) {
                *sum += of(x);
            }
        }
        let rest: f32 = block[whole..].iter().map(|&x| of(x)).sum();
        total += f64::from(sums.iter().sum::<f32>() + rest);
    }
    total
}

/// Sum of `of` over all pairs.
#[inline(always)]
fn sum_of_pairs(a: &[f32], b: &[f32], of: impl Fn(f32, f32) -> f32) -> f64 {
    let mut total = 0.0;
    for (a, b) in a.chunks(BLOCK).zip(b.chunks(BLOCK)) {
        let mut sums: Lanes = [0.0; LANES];
        let whole = a.len() / LANES * LANES;
        for at in (0..whole).step_by(LANES) {
            let (a, b) = (load(a, at), load(b, at));
            for lane in 0..LANES {
                sums[lane] += of(a[lane], b[lane]);
            }
        }
        let rest: f32 = a[whole..].iter().zip(&b[whole..]).map(|(&a, &b)| of(a, b)).sum();
        total += f64::from(sums.iter().sum::<f32>() + rest);
    }
    total
}
