//! How often a model's baseline raises alarms, and how well its input shift detects disturbed
//! inputs.

use std::sync::atomic::AtomicBool;

use drsn_bundle::{Manifest, runtime::Session};
use serde::{Deserialize, Serialize};

use super::{error::EvaluationError, outputs::for_each_output};
use crate::training::Batches;

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
    /// Input shift score of each input.
    #[serde(skip)]
    pub scores: Vec<f64>,
}

/// Applies a model's baseline to every input of a part; `clean` are the scores of the clean inputs.
/// Returns `None` if the model has no baseline or `stop` was set.
pub(crate) fn alarm_rates(
    session: &mut Session,
    manifest: &Manifest,
    batches: &Batches<'_>,
    clean: Option<&[f64]>,
    stop: &AtomicBool,
) -> Result<Option<AlarmRates>, EvaluationError> {
    let Some(baseline) = &manifest.baseline else { return Ok(None) };
    let (mut scores, mut shift_alarms, mut level_alarms) = (Vec::new(), 0_usize, 0_usize);
    let done = for_each_output(session, &manifest.blocks, batches, stop, |output| {
        if let Some(shift) = baseline.judge_shift(&output.mean_abs)? {
            scores.push(shift.score);
            shift_alarms += usize::from(shift.alarm);
        }
        let level = baseline.judge_level(&output.levels, output.class);
        level_alarms += usize::from(level.is_some_and(|level| level.alarm));
        Ok(())
    })?;
    if !done {
        return Ok(None);
    }
    let share = |alarms: usize| alarms as f64 / batches.part.indices.len().max(1) as f64;
    Ok(Some(AlarmRates {
        shift_alarms: baseline.shift.as_ref().map(|_| share(shift_alarms)),
        level_alarms: baseline.level.as_ref().map(|_| share(level_alarms)),
        auroc: clean.filter(|_| baseline.shift.is_some()).map(|clean| auroc(clean, &scores)),
        scores,
    }))
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
}
