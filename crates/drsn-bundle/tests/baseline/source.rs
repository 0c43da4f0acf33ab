//! Vectors and windows of Gaussian numbers.

use std::f64::consts::TAU;

use drsn_bundle::baseline::{
    ALARM_LEVEL, ClassLevels, Level, ShiftBaseline, ShiftLengths, ShiftSample, ShiftVectors,
};
use ndarray::ArrayView2;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

pub(crate) const DIMENSIONS: usize = 6;

/// Correlated Gaussian numbers of very different scales; the last dimension of a vector is
/// constant.
pub(crate) struct Source(StdRng);

impl Source {
    pub(crate) fn new(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// Box–Muller.
    pub(crate) fn gaussian(&mut self) -> f64 {
        let (a, b): (f64, f64) = (self.0.random(), self.0.random());
        (-2.0 * (1.0 - a).ln()).sqrt() * (TAU * b).cos()
    }

    pub(crate) fn vector(&mut self, shift: f64) -> Vec<f32> {
        let common = self.gaussian();
        let mut vector: Vec<f32> = (1..DIMENSIONS)
            .map(|i| {
                let size = 10_f64.powf((i as f64 - 3.0) / 2.0);
                (size * (5.0 + 0.8 * common + 0.6 * self.gaussian() + shift * (i % 2) as f64))
                    as f32
            })
            .collect();
        vector.push(0.25);
        vector
    }

    pub(crate) fn window(&mut self, gain: f64) -> Vec<f32> {
        let own = 1.0 + 0.1 * self.gaussian();
        (0..256).map(|_| (gain * own * self.gaussian()) as f32).collect()
    }
}

pub(crate) fn fit(training: &[Vec<f32>], held_out: &[Vec<f32>]) -> ShiftBaseline {
    let lengths = ShiftLengths { channels: training[0].len(), ..ShiftLengths::default() };
    let mut sample = ShiftSample::new(lengths, 1);
    for vector in training {
        sample.add(&magnitudes(vector), 0).unwrap();
    }
    let distances = sample.distances().unwrap();
    let scores: Vec<f64> =
        held_out.iter().map(|v| distances.score(&magnitudes(v)).unwrap()).collect();
    distances.baseline(&scores, ALARM_LEVEL).unwrap()
}

/// An input of which only the mean magnitudes are known.
pub(crate) fn magnitudes(vector: &[f32]) -> ShiftVectors<'_> {
    ShiftVectors { mean_abs: vector, features: &[], input: &[], spectrum: &[] }
}

pub(crate) fn vectors(source: &mut Source, count: usize, shift: f64) -> Vec<Vec<f32>> {
    (0..count).map(|_| source.vector(shift)).collect()
}

/// Two channels of equal length, one after the other, as `[2, L]`.
pub(crate) fn two_channels(samples: &[f32]) -> ArrayView2<'_, f32> {
    ArrayView2::from_shape((2, samples.len() / 2), samples).unwrap()
}

pub(crate) fn levels(source: &mut Source, count: usize, gain: f64) -> Vec<ClassLevels> {
    (0..count)
        .map(|_| {
            let mut window = source.window(gain);
            window.extend(source.window(3.0));
            ClassLevels { class: 0, channels: Level::of_channels(&two_channels(&window)) }
        })
        .collect()
}
