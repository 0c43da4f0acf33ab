//! Pink noise: power per hertz falls with 1/f, by 10 dB per decade.
//!
//! White noise passes Paul Kellet's "refined" filter (musicdsp.org, 1999): one-pole low-passes
//! whose sum follows 1/√f in amplitude within ±0.05 dB from 0.0002 to 0.5 of the sample rate. Below
//! that it is white, but windows of up to 4,800 samples contain no lower frequency. The filter
//! starts in its steady state instead of at rest, so that a window is pink from its first sample
//! and no samples have to be discarded.

use rand::{Rng, RngExt as _};
use rand_distr::StandardNormal;

/// Pole and gain of each low-pass. The last one is the previous sample of the white noise, a
/// low-pass without memory.
const POLES: [(f64, f64); 7] = [
    (0.99886, 0.055_517_9),
    (0.99332, 0.075_075_9),
    (0.96900, 0.153_852_0),
    (0.86650, 0.310_485_6),
    (0.55000, 0.532_952_2),
    (-0.7616, -0.016_898_0),
    (0.0, 0.115_926),
];

/// Gain of the unfiltered white noise.
const DIRECT: f64 = 0.5362;

/// Draws `length` samples with mean zero and population deviation one; zeros if `length` is below
/// two.
pub(super) fn window(length: usize, rng: &mut impl Rng) -> Vec<f32> {
    let mut states = steady(rng);
    let samples: Vec<f64> =
        (0..length).map(|_| next(&mut states, rng.sample(StandardNormal))).collect();
    let count = samples.len().max(1) as f64;
    let mean = samples.iter().sum::<f64>() / count;
    let deviation = (samples.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count).sqrt();
    let scale = if deviation > 0.0 { 1.0 / deviation } else { 0.0 };
    samples.iter().map(|x| ((x - mean) * scale) as f32).collect()
}

/// One step of the filter. The last low-pass is added before its update, which delays it by a
/// sample.
fn next(states: &mut [f64; 7], white: f64) -> f64 {
    let before = states[6];
    for (state, (pole, gain)) in states.iter_mut().zip(POLES) {
        *state = pole * *state + gain * white;
    }
    states[..6].iter().sum::<f64>() + before + DIRECT * white
}

/// Draws the states of the filter in its steady state: normal, with the covariance `gᵢ gⱼ / (1 − pᵢ
/// pⱼ)` of low-passes with poles p and gains g driven by the same white noise of unit variance.
fn steady(rng: &mut impl Rng) -> [f64; 7] {
    let factor = cholesky();
    let normal: [f64; 7] = std::array::from_fn(|_| rng.sample(StandardNormal));
    factor.map(|row| row.iter().zip(normal).map(|(a, b)| a * b).sum())
}

/// The lower-triangular L with L Lᵀ = covariance.
fn cholesky() -> [[f64; 7]; 7] {
    let mut factor = [[0.0_f64; 7]; 7];
    for row in 0..7 {
        for column in 0..=row {
            let ((p, g), (q, h)) = (POLES[row], POLES[column]);
            let done: f64 = (0..column).map(|k| factor[row][k] * factor[column][k]).sum();
            let rest = g * h / (1.0 - p * q) - done;
            factor[row][column] =
                if row == column { rest.max(0.0).sqrt() } else { rest / factor[column][column] };
        }
    }
    factor
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, stream};

    /// Mean power of the k-th frequency over many windows, by definition, with a Hann window
    /// against leakage.
    fn power(windows: &[Vec<f32>], k: usize) -> f64 {
        let length = windows[0].len();
        let step = std::f64::consts::TAU / length as f64;
        let of = |window: &Vec<f32>| {
            let sums = window.iter().enumerate().fold((0.0, 0.0), |(re, im), (t, &x)| {
                let x = f64::from(x) * (0.5 - 0.5 * (step * t as f64).cos());
                let angle = step * ((k * t) % length) as f64;
                (re + x * angle.cos(), im + x * angle.sin())
            });
            sums.0.powi(2) + sums.1.powi(2)
        };
        windows.iter().map(of).sum::<f64>() / windows.len() as f64
    }

    #[test]
    fn power_falls_by_ten_decibels_a_decade() {
        let mut rng = stream(1, Purpose::Evaluation, 0, 0);
        let windows: Vec<_> = (0..400).map(|_| window(2_048, &mut rng)).collect();
        // Octaves from the 4th to the 512th frequency: 0.002 to 0.25 of the sample rate.
        let points: Vec<(f64, f64)> = (2..10)
            .map(|octave| 1_usize << octave)
            .map(|k| ((k as f64).log10(), 10.0 * power(&windows, k).log10()))
            .collect();
        let count = points.len() as f64;
        let (x, y) =
            points.iter().fold((0.0, 0.0), |(a, b), (x, y)| (a + x / count, b + y / count));
        let slope = points.iter().map(|(a, b)| (a - x) * (b - y)).sum::<f64>()
            / points.iter().map(|(a, _)| (a - x).powi(2)).sum::<f64>();
        assert!((slope + 10.0).abs() < 0.5, "{slope} dB a decade: {points:?}");
        for (a, b) in points {
            assert!((b - y - slope * (a - x)).abs() < 1.0, "{b} dB at 10^{a}");
        }
    }

    #[test]
    fn the_filter_begins_as_loud_as_it_goes_on() {
        let (mut first, mut later) = (0.0, 0.0);
        for index in 0..20_000 {
            let mut rng = stream(2, Purpose::Evaluation, 0, index);
            let mut states = steady(&mut rng);
            first += next(&mut states, rng.sample(StandardNormal)).powi(2);
            for _ in 0..50 {
                next(&mut states, rng.sample(StandardNormal));
            }
            later += next(&mut states, rng.sample(StandardNormal)).powi(2);
        }
        assert!((first / later - 1.0).abs() < 0.05, "{first} {later}");
    }

    #[test]
    fn a_window_has_mean_zero_and_deviation_one() {
        let samples = window(500, &mut stream(3, Purpose::Evaluation, 0, 0));
        let square: f64 = samples.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / 500.0;
        let mean: f64 = samples.iter().map(|&x| f64::from(x)).sum::<f64>() / 500.0;
        assert!(mean.abs() < 1e-6 && (square - 1.0).abs() < 1e-6, "{mean} {square}");
        assert_eq!(window(1, &mut stream(3, Purpose::Evaluation, 0, 0)), [0.0]);
    }
}
