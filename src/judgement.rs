//! How unusual an input is, by its model's baseline. Every input is judged, also one whose client wants no
//! diagnostics: the metrics count them all.

use drsn_bundle::{
    Manifest,
    baseline::{InputLevel, InputShift, Level, most_likely},
};

use crate::{
    batcher::Share, diagnostics::row_of, error::ApiError, metrics::BaselineMetrics,
    session::Outputs,
};

/// What the baseline says of one input; nothing where the model has none.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Judgement {
    /// How far the input lies from the training data.
    pub shift: Option<InputShift>,
    /// The level of its raw signal.
    pub level: Option<InputLevel>,
}

impl Judgement {
    /// Judges one row of a batch's outputs; its channels' raw levels were taken when it was decoded.
    ///
    /// # Errors
    /// [`ApiError::internal`] where the model gave a number that is not finite.
    pub fn of(
        share: &Share<Outputs>,
        row: usize,
        manifest: &Manifest,
        levels: &[Level],
    ) -> Result<Self, ApiError> {
        let Some(baseline) = &manifest.baseline else { return Ok(Self::default()) };
        let row = share.first + row;
        let channels = manifest.blocks.iter().map(|block| block.channels).sum();
        let mut mean_abs = Vec::with_capacity(channels);
        for (block, outputs) in manifest.blocks.iter().zip(&share.outputs.blocks) {
            mean_abs.extend_from_slice(row_of(&outputs.mean_abs, row, block.channels));
        }
        let shift = baseline.judge_shift(&mean_abs).map_err(|error| {
            tracing::error!(%error, "the input shift cannot be told");
            ApiError::internal()
        })?;
        let probabilities = row_of(&share.outputs.probabilities, row, manifest.classes.len());
        Ok(Self { shift, level: baseline.judge_level(levels, most_likely(probabilities)) })
    }

    /// Counts it.
    pub fn observe(&self, metrics: &BaselineMetrics) {
        if let Some(shift) = self.shift {
            metrics.p_value.observe(shift.p_value);
            if shift.alarm {
                metrics.shift_alarms.inc();
            }
        }
        if self.level.is_some_and(|level| level.alarm) {
            metrics.level_alarms.inc();
        }
    }
}
