//! The log-spectrum of a window.

use std::f64::consts::TAU;

/// Logarithm of the power in each bin above zero of a window, which is first given mean 0 and
/// deviation 1, as it is for the networks. The length must be a power of two.
pub(super) fn log_spectrum(window: &[f32]) -> Vec<f32> {
    let count = window.len() as f64;
    let mean = window.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
    let variance = window.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / count;
    let deviation = variance.sqrt().max(1e-8);
    let values = window.iter().map(|&x| [(f64::from(x) - mean) / deviation, 0.0]).collect();
    let bins = fourier(values);
    let power = |[re, im]: [f64; 2]| (re * re + im * im + 1e-3).ln() as f32;
    bins[1..=window.len() / 2].iter().copied().map(power).collect()
}

/// The discrete Fourier transform of complex numbers, by halves (J. Cooley and J. Tukey).
fn fourier(values: Vec<[f64; 2]>) -> Vec<[f64; 2]> {
    let count = values.len();
    if count <= 1 {
        return values;
    }
    let half = |first| fourier(values.iter().skip(first).step_by(2).copied().collect());
    let (even, odd) = (half(0), half(1));
    let mut bins = vec![[0.0; 2]; count];
    for (bin, (even, odd)) in even.into_iter().zip(odd).enumerate() {
        let (sin, cos) = (-TAU * bin as f64 / count as f64).sin_cos();
        let turned = [odd[0] * cos - odd[1] * sin, odd[0] * sin + odd[1] * cos];
        bins[bin] = [even[0] + turned[0], even[1] + turned[1]];
        bins[bin + count / 2] = [even[0] - turned[0], even[1] - turned[1]];
    }
    bins
}

#[test]
fn a_tone_is_one_bin_of_the_spectrum() {
    let tone: Vec<f32> = (0..64).map(|n| (TAU * 5.0 * f64::from(n) / 64.0).sin() as f32).collect();
    let bins = log_spectrum(&tone);
    // Power (64 / 2)² · 2 at the tone, and the floor elsewhere.
    assert!((bins[4] - 2048_f32.ln()).abs() < 1e-3, "{bins:?}");
    assert!(bins.iter().enumerate().all(|(bin, &power)| bin == 4 || power < -6.0), "{bins:?}");
}
