//! Noise that is added to raw inputs, before they are prepared for the network.

mod pink;
mod training;

use drsn_bundle::InputSpec;
use rand::{Rng, RngExt as _};
use rand_distr::{Exp1, StandardNormal};

use crate::recipe::{Noise, NoiseKind, NoiseStrength};

/// Adds `amplitude · U(0, 1)` to each value, drawn independently.
pub fn add_uniform(values: &mut [f32], amplitude: f32, rng: &mut impl Rng) {
    for value in values {
        *value += amplitude * rng.random::<f32>();
    }
}

/// In how many parts the power of one raw input is counted: each channel of a signal by itself, for channels may
/// have different units; a picture as a whole.
pub fn parts(input: &InputSpec) -> usize {
    match input {
        InputSpec::Image(_) => 1,
        InputSpec::Signal(signal) => signal.channels,
    }
}

/// Adds noise to one raw input whose power is counted in `channels` equal parts, see [`parts`].
///
/// An amplitude is the standard deviation of the noise, and of uniform noise the width of U(0, 1). A ratio in
/// decibels sets the variance of the noise, for every kind: `σ² = s² / 10^(dB / 10)`, where s² is the population
/// variance of the part before noise. The mean takes no part in it, neither the signal's nor that of uniform
/// noise, which keeps its mean of half its width, √3 · σ. A part that never changes has no power and stays as it is.
///
/// Gaussian, Laplacian and uniform noise have σ over all draws; pink noise has mean 0 and exactly σ in each part,
/// because the power of a 1/f process depends on how long it is observed. Along a picture pink noise runs row by row.
pub fn add(noise: &Noise, values: &mut [f32], channels: usize, rng: &mut impl Rng) {
    if values.is_empty() {
        return;
    }
    let length = values.len().div_ceil(channels.max(1));
    for part in values.chunks_mut(length) {
        let amplitude = match noise.strength {
            NoiseStrength::Amplitude(amplitude) => amplitude,
            NoiseStrength::SnrDb(decibels) => amplitude_at(noise.kind, part, decibels),
        };
        // A ratio on a dead channel must not become 0 · ∞; what is no number is left to the preparation to refuse.
        if amplitude != 0.0 {
            add_part(noise.kind, part, amplitude as f32, rng);
        }
    }
}

fn add_part(kind: NoiseKind, values: &mut [f32], amplitude: f32, rng: &mut impl Rng) {
    match kind {
        NoiseKind::Uniform => add_uniform(values, amplitude, rng),
        NoiseKind::Gaussian => {
            for value in values {
                *value += amplitude * rng.sample::<f32, _>(StandardNormal);
            }
        }
        NoiseKind::Laplacian => {
            // The difference of two exponentials of mean one is Laplacian with variance two.
            for value in values {
                let difference = rng.sample::<f32, _>(Exp1) - rng.sample::<f32, _>(Exp1);
                *value += amplitude * std::f32::consts::FRAC_1_SQRT_2 * difference;
            }
        }
        NoiseKind::Salt => {
            let largest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            replace(values, amplitude, largest, rng);
        }
        NoiseKind::Drop => replace(values, amplitude, 0.0, rng),
        NoiseKind::Gain => {
            for value in values {
                *value *= amplitude;
            }
        }
        NoiseKind::Pink => {
            let noise = pink::window(values.len(), rng);
            for (value, unit) in values.iter_mut().zip(noise) {
                *value += amplitude * unit;
            }
        }
    }
}

/// Puts `new` in the place of a share of the values.
fn replace(values: &mut [f32], share: f32, new: f32, rng: &mut impl Rng) {
    for value in values {
        if rng.random::<f32>() < share {
            *value = new;
        }
    }
}

/// The amplitude that gives noise of one kind its ratio to the power of `signal`.
fn amplitude_at(kind: NoiseKind, signal: &[f32], decibels: f64) -> f64 {
    let deviation = variance(signal).sqrt() * 10_f64.powf(-decibels / 20.0);
    match kind {
        // U(0, 1) has the variance 1/12.
        NoiseKind::Uniform => deviation * 12_f64.sqrt(),
        NoiseKind::Gaussian | NoiseKind::Laplacian | NoiseKind::Pink => deviation,
        // They have no power; no text form and no recipe gives them a ratio.
        NoiseKind::Salt | NoiseKind::Drop | NoiseKind::Gain => 0.0,
    }
}

/// Population variance, in f64 around the mean, so that a large offset does not cost digits.
fn variance(values: &[f32]) -> f64 {
    let count = values.len() as f64;
    let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
    values.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / count
}

#[cfg(test)]
mod tests;
