//! The expected calibration error, and its interval over what is independent.

use std::collections::BTreeMap;

use rand::RngExt as _;

use super::{ReliabilityBin, Units};
use crate::{
    evaluation::{accuracy::EVALUATION_SEED, predictions::Predictions},
    random::{Purpose, stream},
};

/// Bins of equal width, as in Guo et al.
const BINS: usize = 15;
/// Draws of as many units, with replacement, that the interval is taken from.
const DRAWS: usize = 400;

/// What lies in a bin: inputs, the sum of their confidences, and how many are right.
#[derive(Debug, Clone, Copy, Default)]
struct Bin {
    inputs: usize,
    confidence: f64,
    right: usize,
}

/// The bins of some predictions, from the lowest confidence.
pub(super) fn reliability(predictions: &Predictions) -> Vec<ReliabilityBin> {
    let mut bins = [Bin::default(); BINS];
    for (at, bin) in placed(predictions) {
        bins[at].add(bin);
    }
    let bin = |(i, Bin { inputs, confidence, right }): (usize, Bin)| ReliabilityBin {
        from: i as f64 / BINS as f64,
        to: (i + 1) as f64 / BINS as f64,
        inputs,
        confidence: confidence / inputs.max(1) as f64,
        accuracy: right as f64 / inputs.max(1) as f64,
    };
    bins.into_iter().enumerate().map(bin).collect()
}

/// The mean distance between confidence and accuracy.
pub(super) fn error(bins: &[ReliabilityBin]) -> f64 {
    let inputs: usize = bins.iter().map(|bin| bin.inputs).sum();
    let distance = |bin: &ReliabilityBin| bin.inputs as f64 * (bin.confidence - bin.accuracy).abs();
    bins.iter().map(distance).sum::<f64>() / inputs.max(1) as f64
}

/// The interval of 95 % for the error on other inputs, files or groups of this kind, by drawing units
/// with replacement; `None` if there are fewer than two.
///
/// A draw's error is the sum over bins of |confidence − accuracy|, which scatter alone makes larger. So the
/// quantiles are those of its distance from the error found (the basic bootstrap), at least 0.
pub(super) fn interval(predictions: &Predictions, units: &Units, found: f64) -> Option<[f64; 2]> {
    let mut of_unit: BTreeMap<usize, Vec<(usize, Bin)>> = BTreeMap::new();
    for (unit, placed) in units.of_input.iter().zip(placed(predictions)) {
        of_unit.entry(*unit).or_default().push(placed);
    }
    let of_unit: Vec<Vec<(usize, Bin)>> = of_unit.into_values().collect();
    if of_unit.len() < 2 {
        return None;
    }
    let mut rng = stream(EVALUATION_SEED, Purpose::Calibration, 0, 0);
    let mut draw = || {
        let mut bins = [Bin::default(); BINS];
        for _ in 0..of_unit.len() {
            for &(at, bin) in &of_unit[rng.random_range(0..of_unit.len())] {
                bins[at].add(bin);
            }
        }
        let inputs: usize = bins.iter().map(|bin| bin.inputs).sum();
        let distance = bins.iter().map(|bin| (bin.confidence - bin.right as f64).abs());
        distance.sum::<f64>() / inputs.max(1) as f64
    };
    let mut errors: Vec<f64> = (0..DRAWS).map(|_| draw()).collect();
    errors.sort_by(f64::total_cmp);
    let quantile = |share: f64| errors[(share * (DRAWS - 1) as f64).round() as usize];
    Some([0.975, 0.025].map(|share| (2.0 * found - quantile(share)).clamp(0.0, 1.0)))
}

/// The bin of each prediction, and what it adds to it.
fn placed(predictions: &Predictions) -> impl Iterator<Item = (usize, Bin)> {
    predictions.decisions().map(|(label, class, probability)| {
        // A non-finite probability, from a broken model, counts as no confidence.
        let confidence =
            if probability.is_finite() { f64::from(probability).clamp(0.0, 1.0) } else { 0.0 };
        let at = ((confidence * BINS as f64).ceil() as usize).clamp(1, BINS) - 1;
        (at, Bin { inputs: 1, confidence, right: usize::from(label == class) })
    })
}

impl Bin {
    fn add(&mut self, other: Self) {
        self.inputs += other.inputs;
        self.confidence += other.confidence;
        self.right += other.right;
    }
}
