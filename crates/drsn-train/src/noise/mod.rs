//! Noise that is added to raw inputs before they are prepared for the network.

mod pink;
mod training;

use drsn_bundle::InputSpec;
use ndarray::{ArrayRef1, ArrayViewMut1, ArrayViewMut2, ArrayViewMutD, Ix2, ShapeError};
use rand::{Rng, RngExt as _};
use rand_distr::{Exp1, StandardNormal};

use crate::recipe::{Noise, NoiseKind, NoiseStrength};

/// Adds `amplitude · U(0, 1)` to each value, drawn independently.
fn add_uniform(mut values: ArrayViewMut1<'_, f32>, amplitude: f32, rng: &mut impl Rng) {
    for value in &mut values {
        *value += amplitude * rng.random::<f32>();
    }
}

/// The parts of a raw input whose power is measured separately, `[parts, values]`: the channels of
/// a signal, which may have different units; an image is one part.
pub(crate) fn parts<'a>(
    input: &InputSpec,
    values: ArrayViewMutD<'a, f32>,
) -> Result<ArrayViewMut2<'a, f32>, ShapeError> {
    match input {
        InputSpec::Image(_) => {
            let size = values.len();
            values.into_shape_with_order((1, size))
        }
        InputSpec::Signal(_) => values.into_dimensionality::<Ix2>(),
    }
}

/// Adds noise to the parts of one raw input, `[parts, values]`, see [`parts`].
///
/// An amplitude is the standard deviation of the noise, or the width of U(0, 1) for uniform noise.
/// A ratio in decibels sets the variance of the noise, for every kind: `σ² = s² / 10^(dB / 10)`,
/// where s² is the population variance of the part before noise. Means do not count, neither the
/// signal's nor that of uniform noise, which keeps its mean of half its width, √3 · σ. A constant
/// part has no power and stays unchanged.
///
/// Gaussian, Laplacian and uniform noise have deviation σ in expectation; pink noise has mean 0 and
/// deviation exactly σ in each part, because the power of a 1/f process depends on the time of
/// observation. In an image, pink noise runs row by row.
pub(crate) fn add(noise: &Noise, mut parts: ArrayViewMut2<'_, f32>, rng: &mut impl Rng) {
    if parts.is_empty() {
        return;
    }
    for part in parts.rows_mut() {
        let amplitude = match noise.strength {
            NoiseStrength::Amplitude(amplitude) => amplitude,
            NoiseStrength::SnrDb(decibels) => amplitude_at(noise.kind, &part, decibels),
        };
        // Avoids 0 · ∞ on a constant channel; a NaN amplitude is left for the preparation to
        // reject.
        if amplitude != 0.0 {
            add_part(noise.kind, part, amplitude as f32, rng);
        }
    }
}

fn add_part(
    kind: NoiseKind,
    mut values: ArrayViewMut1<'_, f32>,
    amplitude: f32,
    rng: &mut impl Rng,
) {
    match kind {
        NoiseKind::Uniform => add_uniform(values, amplitude, rng),
        NoiseKind::Gaussian => {
            for value in &mut values {
                *value += amplitude * rng.sample::<f32, _>(StandardNormal);
            }
        }
        NoiseKind::Laplacian => {
            // The difference of two exponentials of mean one is Laplacian with variance two.
            for value in &mut values {
                let difference = rng.sample::<f32, _>(Exp1) - rng.sample::<f32, _>(Exp1);
                *value += amplitude * std::f32::consts::FRAC_1_SQRT_2 * difference;
            }
        }
        NoiseKind::Salt => {
            let largest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            replace(values, amplitude, largest, rng);
        }
        NoiseKind::Drop => replace(values, amplitude, 0.0, rng),
        NoiseKind::Gain => values *= amplitude,
        NoiseKind::Pink => {
            let noise = pink::window(values.len(), rng);
            for (value, unit) in values.iter_mut().zip(noise) {
                *value += amplitude * unit;
            }
        }
    }
}

/// Replaces a share of the values, drawn at random, with `new`.
fn replace(mut values: ArrayViewMut1<'_, f32>, share: f32, new: f32, rng: &mut impl Rng) {
    for value in &mut values {
        if rng.random::<f32>() < share {
            *value = new;
        }
    }
}

/// The amplitude at which noise of a kind has the given ratio to the power of `signal`.
fn amplitude_at(kind: NoiseKind, signal: &ArrayRef1<f32>, decibels: f64) -> f64 {
    let deviation = variance(signal).sqrt() * 10_f64.powf(-decibels / 20.0);
    match kind {
        // U(0, 1) has the variance 1/12.
        NoiseKind::Uniform => deviation * 12_f64.sqrt(),
        NoiseKind::Gaussian | NoiseKind::Laplacian | NoiseKind::Pink => deviation,
        // They have no power; parsers and recipes reject a ratio for them.
        NoiseKind::Salt | NoiseKind::Drop | NoiseKind::Gain => 0.0,
    }
}

/// Population variance in 64 bits around the mean, so that a large offset does not cost precision.
fn variance(values: &ArrayRef1<f32>) -> f64 {
    let count = values.len() as f64;
    let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
    values.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / count
}

#[cfg(test)]
mod tests;
