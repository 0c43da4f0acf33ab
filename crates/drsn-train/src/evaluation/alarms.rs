//! How often a model's baseline raises alarms, and how well its input shift detects disturbed
//! inputs.

use drsn_bundle::Baseline;
use serde::{Deserialize, Serialize};

use super::answers::Answers;

/// Alarms for inputs under one disturbance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlarmRates {
    /// Share of inputs with an input shift alarm; `None` if the model has no such baseline.
    pub shift_alarms: Option<f64>,
    /// Share of inputs with an input level alarm; `None` if the model has no such baseline.
    pub level_alarms: Option<f64>,
    /// Area under the receiver operating characteristic of the input shift score against the clean
    /// inputs: the probability that a disturbed input has the higher score. `None` for the clean
    /// inputs themselves.
    pub auroc: Option<f64>,
    /// Distribution of the input shift score; `None` if the model has no such baseline.
    #[serde(default)]
    pub shift_scores: Option<Spread>,
}

/// A distribution by some of its quantiles.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// 5 % of the values are below.
    pub p5: f64,
    /// A quarter is below.
    pub p25: f64,
    /// Half of them are below.
    pub p50: f64,
    /// Three quarters are below.
    pub p75: f64,
    /// 95 % are below.
    pub p95: f64,
}

impl Spread {
    /// The quantiles of some values; `None` if there are none.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().checked_sub(1)?;
        let at = |share: f64| sorted[((last as f64 * share).round() as usize).min(last)];
        Some(Self { p5: at(0.05), p25: at(0.25), p50: at(0.5), p75: at(0.75), p95: at(0.95) })
    }
}

impl AlarmRates {
    /// The alarms among the answers of a model with this baseline; `clean` are its answers to the
    /// clean inputs.
    pub(crate) fn new(baseline: &Baseline, answers: &Answers, clean: Option<&Answers>) -> Self {
        let share = |alarms: usize, all: usize| (all > 0).then(|| alarms as f64 / all as f64);
        let scores =
            |answers: &Answers| answers.shifts.iter().map(|shift| shift.score).collect::<Vec<_>>();
        let shift = answers.shifts.iter().filter(|shift| shift.alarm).count();
        let level = answers.level_alarms.iter().filter(|alarm| **alarm).count();
        Self {
            shift_alarms: share(shift, answers.shifts.len()),
            level_alarms: share(level, answers.level_alarms.len()),
            auroc: clean
                .filter(|_| baseline.shift.is_some())
                .map(|clean| auroc(&scores(clean), &scores(answers))),
            shift_scores: Spread::of(scores(answers)),
        }
    }
}

/// The probability that a number of `high` is larger than one of `low`; ties count half.
fn auroc(low: &[f64], high: &[f64]) -> f64 {
    let mut sorted = low.to_vec();
    sorted.sort_by(f64::total_cmp);
    let beaten: f64 = high
        .iter()
        .map(|score| {
            let below = sorted.partition_point(|other| other < score);
            let not_above = sorted.partition_point(|other| other <= score);
            (below + not_above) as f64 / 2.0
        })
        .sum();
    beaten / (low.len().max(1) * high.len().max(1)) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_area_counts_pairs_in_order_and_equal_ones_half() {
        let close = |a: f64, b: f64| (a - b).abs() < 1e-12;
        assert!(close(auroc(&[1.0, 2.0], &[3.0, 4.0]), 1.0));
        assert!(close(auroc(&[1.0, 2.0], &[2.0, 0.0]), 0.375));
        assert!(close(auroc(&[1.0, 2.0, 3.0], &[3.0, 1.0, 2.0]), 0.5));
    }

    #[test]
    fn a_spread_has_the_quantiles_of_its_values() {
        let spread = Spread::of((0..=100).rev().map(f64::from)).unwrap();
        assert_eq!((spread.p5, spread.p50, spread.p95), (5.0, 50.0, 95.0));
        assert_eq!(Spread::of([]), None);
    }
}
