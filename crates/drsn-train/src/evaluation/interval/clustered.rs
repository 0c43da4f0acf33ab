//! The interval of an accuracy over files or groups.
//!
//! Each file has an accuracy of its own, and its inputs are correct with that probability. The
//! accuracies of files are beta-distributed with mean μ, which the interval is for, and correlation
//! ρ between two inputs of a file. Given the counts of the files, the interval holds 95 % of the
//! probability of μ. Before the data, μ has Jeffreys's distribution (uniform in arcsin √μ), and the
//! density of ρ is proportional to 1 / (ρ + 0.05): files that happen to agree do not prove that
//! others would.
//!
//! With four files, as in small test sets, resampling them (the percentile bootstrap) and Student's
//! t of their means cover the truth far less often than in 95 % of cases, because few accuracies
//! near 100 % are skewed and often equal. The tests of this module measure it.

use std::{collections::BTreeMap, f64::consts::FRAC_PI_2};

use super::gamma::ln_gamma;

/// Points for the angle, arcsin √μ, and for ρ.
const ANGLES: usize = 120;
const CORRELATIONS: usize = 30;
/// Ends of the range of ρ.
const LEAST: f64 = 0.001;
const MOST: f64 = 0.95;
/// Below this correlation, the density before the data is about constant.
const KNEE: f64 = 0.05;
/// Density relative to the largest that is left out.
const NEGLIGIBLE: f64 = 1e-7;

/// The interval of 95 % for the mean accuracy of files, from the correct and all inputs of each.
pub(super) fn clustered(files: &[(usize, usize)]) -> [f64; 2] {
    let mut counts: BTreeMap<(usize, usize), f64> = BTreeMap::new();
    for &file in files.iter().filter(|(_, inputs)| *inputs > 0) {
        *counts.entry(file).or_default() += 1.0;
    }
    // Coarse first, and then where the probability is.
    let coarse = Grid::new(0.0, FRAC_PI_2);
    let weights = coarse.weights(&counts);
    let most = weights.iter().copied().fold(0.0, f64::max);
    let relevant = |weight: &f64| *weight > NEGLIGIBLE * most;
    let first = weights.iter().position(relevant).unwrap_or(0);
    let last = weights.iter().rposition(relevant).unwrap_or(ANGLES - 1);
    let fine = Grid::new(coarse.edge(first), coarse.edge(last + 1));
    let weights = fine.weights(&counts);
    let (right, inputs) = files.iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    let share = right as f64 / inputs.max(1) as f64;
    [fine.quantile(&weights, 0.025).min(share), fine.quantile(&weights, 0.975).max(share)]
}

/// Equal cells of the angle.
struct Grid {
    from: f64,
    step: f64,
}

impl Grid {
    fn new(from: f64, to: f64) -> Self {
        Self { from, step: (to - from) / ANGLES as f64 }
    }

    /// The lower end of a cell.
    fn edge(&self, cell: usize) -> f64 {
        self.from + self.step * cell as f64
    }

    /// The probability of each cell, up to a factor.
    fn weights(&self, counts: &BTreeMap<(usize, usize), f64>) -> Vec<f64> {
        let middle = |cell: usize| (self.edge(cell) + 0.5 * self.step).sin().powi(2);
        let logs: Vec<Vec<f64>> =
            (0..ANGLES).map(|cell| log_densities(middle(cell), counts)).collect();
        let most = logs.iter().flatten().copied().fold(f64::MIN, f64::max);
        logs.iter().map(|row| row.iter().map(|log| (log - most).exp()).sum()).collect()
    }

    /// The mean accuracy below which this share of the probability is.
    fn quantile(&self, weights: &[f64], share: f64) -> f64 {
        let mut rest = share * weights.iter().sum::<f64>();
        for (cell, &weight) in weights.iter().enumerate() {
            if rest <= weight {
                return (self.edge(cell) + self.step * rest / weight.max(f64::MIN_POSITIVE))
                    .sin()
                    .powi(2);
            }
            rest -= weight;
        }
        self.edge(weights.len()).sin().powi(2)
    }
}

/// Logarithms of the density at a mean accuracy and each correlation.
fn log_densities(mean: f64, counts: &BTreeMap<(usize, usize), f64>) -> Vec<f64> {
    let at = |i: usize| {
        let place = (i as f64 + 0.5) / CORRELATIONS as f64;
        let correlation = LEAST * (MOST / LEAST).powf(place);
        let strength = 1.0 / correlation - 1.0;
        let (a, b) = (mean * strength, (1.0 - mean) * strength);
        let constant = ln_gamma(strength) - ln_gamma(a) - ln_gamma(b);
        // ln of B(a + right, b + wrong) / B(a, b).
        let file = |(&(right, inputs), count): (&(usize, usize), &f64)| {
            let (right, inputs) = (right as f64, inputs as f64);
            let both = ln_gamma(a + right) + ln_gamma(b + inputs - right);
            count * (constant + both - ln_gamma(strength + inputs))
        };
        // The points are at equal distances of ln ρ.
        counts.iter().map(file).sum::<f64>() + (correlation / (correlation + KNEE)).ln()
    };
    (0..CORRELATIONS).map(at).collect()
}
