//! The baseline check: how unusual an input is for its model. Every input is checked, even if its
//! client wants no diagnostics, because the metrics count all of them.

use drsn_bundle::{
    Manifest,
    baseline::{InputLevel, InputShift, Level, ShiftVectors, most_likely, statistics_of},
};

use ndarray::{Array2, ArrayView1};

use crate::{
    engine::{model::Model, session::Outputs},
    error::ApiError,
};

/// The result of the check for one input; empty if the model has no baseline.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct BaselineCheck {
    /// How far the input lies from the training data.
    pub(crate) shift: Option<InputShift>,
    /// The level of its raw signal.
    pub(crate) level: Option<InputLevel>,
}

/// Checks one row of a batch's outputs. `levels` are those of the input's raw channels, taken when
/// it was decoded.
///
/// # Errors
/// [`ApiError::internal`] if the model returned a non-finite number.
pub(super) fn check(
    outputs: &Outputs,
    row: usize,
    manifest: &Manifest,
    levels: &ArrayView1<'_, Level>,
) -> Result<BaselineCheck, ApiError> {
    let Some(baseline) = &manifest.baseline else { return Ok(BaselineCheck::default()) };
    let channels = manifest.blocks.iter().map(|block| block.channels).sum();
    let mut mean_abs = Vec::with_capacity(channels);
    for outputs in &outputs.blocks {
        mean_abs.extend(outputs.mean_abs.row(row));
    }
    let (input, spectrum) = of_input(outputs, row, manifest);
    let features = row_of(outputs.features.as_ref(), row);
    let vectors = ShiftVectors { mean_abs: &mean_abs, features, input, spectrum };
    let shift = baseline.judge_shift(&vectors).map_err(|error| {
        tracing::error!(%error, "cannot compute the input shift");
        ApiError::internal()
    })?;
    let class = most_likely(outputs.probabilities.row(row));
    Ok(BaselineCheck {
        shift,
        level: baseline.judge_level(levels.to_slice().ok_or_else(ApiError::internal)?, class),
    })
}

/// The statistics of an input, and its spectrum; empty if the baseline does not need them.
pub(super) fn of_input<'a>(
    outputs: &'a Outputs,
    row: usize,
    manifest: &Manifest,
) -> (&'a [f32], &'a [f32]) {
    let numbers = row_of(outputs.statistics.as_ref(), row);
    numbers.split_at(statistics_of(&manifest.input).min(numbers.len()))
}

/// A row of numbers that a model may not have; then it is empty.
pub(super) fn row_of(numbers: Option<&Array2<f32>>, row: usize) -> &[f32] {
    let numbers = numbers.filter(|numbers| row < numbers.nrows());
    numbers.and_then(|numbers| numbers.row(row).to_slice()).unwrap_or_default()
}

impl BaselineCheck {
    /// Adds the result for a row of a batch's outputs to the metrics.
    pub(super) fn observe(&self, model: &Model, outputs: &Outputs, row: usize) {
        let metrics = &model.metrics.baseline;
        if let Some(shift) = self.shift {
            let blocks = outputs.blocks.iter().map(|block| block.mean_abs.row(row));
            let z = model.usual.iter().flat_map(|usual| usual.mean_z(blocks.clone()));
            metrics.count_shift(shift.p_value, shift.alarm, z);
            if let Some(change) = &model.change {
                change.add(shift.p_value);
            }
        }
        if let Some(level) = self.level {
            metrics.count_level(level.alarm);
        }
    }
}
