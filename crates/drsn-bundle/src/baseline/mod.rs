//! The baseline of a model: what its inputs look like as long as nothing has changed, and how unusual a new one is.
//!
//! Two things are watched. *Input shift*: how far the mean magnitudes A in front of all thresholds lie from those of
//! the training data. *Input level*: how strong the raw signal is, which normalisation hides from the network. Both
//! are judged by rank among inputs that took no part in training, so that an alarm's rate on unchanged inputs is
//! the chosen level whatever the distribution.

mod covariance;
mod held_out;
mod level;
mod numbers;
mod shift;
mod windows;

use serde::{Deserialize, Serialize};

use crate::{Block, InputSpec};

pub use covariance::ShiftAccumulator;
pub use held_out::HeldOut;
pub use level::{ChannelLimits, ClassLevels, InputLevel, Level, LevelBaseline, Limits};
pub use numbers::Numbers;
pub use shift::{Distance, InputShift, ShiftBaseline};
pub use windows::{WindowsShift, over_windows};

/// The alarm level where none is chosen: one unchanged input of a hundred alarms.
pub const ALARM_LEVEL: f64 = 0.01;

/// Most dimensions of the vector of mean magnitudes: its covariance then has 8 million numbers.
pub const MOST_DIMENSIONS: usize = 4096;

/// What inputs look like as long as nothing has changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Baseline {
    /// The data and the noise that it was taken on, in words.
    pub data: String,
    /// An input alarms where its p-value is below this; in (0, 1).
    pub alarm_level: f64,
    /// The mean magnitudes in front of the thresholds; none for a network without thresholds.
    pub shift: Option<ShiftBaseline>,
    /// The level of the raw signal; none for images.
    pub level: Option<LevelBaseline>,
}

/// Data from which no baseline can be taken.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BaselineError {
    /// A vector of another length than the others.
    #[error("{expected} numbers an input were expected for the baseline, and {found} came")]
    Length {
        /// Numbers of each input.
        expected: usize,
        /// Numbers that came.
        found: usize,
    },
    /// A class that the model does not have.
    #[error("an input of the baseline is of class {class}, and there are {classes}")]
    Class {
        /// Index of the class.
        class: usize,
        /// Number of classes.
        classes: usize,
    },
    /// More dimensions than a covariance is kept for.
    #[error(
        "the blocks have {found} channels in all, and a baseline can be taken of 1 to {MOST_DIMENSIONS}"
    )]
    Dimensions {
        /// Channels of all blocks.
        found: usize,
    },
    /// A number that is none.
    #[error("an input of the baseline gave a number that is not finite")]
    NotFinite,
    /// Too few inputs that took no part in training.
    #[error(
        "an alarm level of {alarm_level} needs at least {needed} inputs that took no part in training, and there are {found}"
    )]
    TooFewHeldOut {
        /// The level that was chosen.
        alarm_level: f64,
        /// Least number for it.
        needed: u64,
        /// Number that came.
        found: u64,
    },
    /// Too few inputs of the training data.
    #[error("a baseline needs at least two training inputs, and there are {found}")]
    TooFewTraining {
        /// Number that came.
        found: u64,
    },
    /// No variation at all.
    #[error("the training inputs of the baseline are all alike, so that nothing can be unusual")]
    Constant,
    /// A level that is no probability.
    #[error("the alarm level must lie between 0 and 1, and is {alarm_level}")]
    AlarmLevel {
        /// The level that was chosen.
        alarm_level: f64,
    },
}

impl Baseline {
    /// How far an input's mean magnitudes, of all blocks in their order, lie from the training data's; none where
    /// the model has no such baseline.
    ///
    /// # Errors
    /// [`BaselineError`] where the vector has another length, or the distance is not finite.
    pub fn judge_shift(&self, mean_abs: &[f32]) -> Result<Option<InputShift>, BaselineError> {
        let Some(shift) = &self.shift else { return Ok(None) };
        let score = shift.score(mean_abs)?;
        let p_value = shift.p_value(score);
        Ok(Some(InputShift { score, p_value, alarm: p_value < self.alarm_level }))
    }

    /// The level of a raw signal, whose channels' levels were taken before it was prepared, for the class that it was
    /// taken for; none where the model has no such baseline.
    pub fn judge_level(&self, levels: &[Level], class: usize) -> Option<InputLevel> {
        let alarm = self.level.as_ref()?.p_value(levels, class)? < self.alarm_level;
        Some(InputLevel::over_channels(levels, alarm))
    }

    /// Whether it is sound in itself and fits a model's input and blocks.
    pub(crate) fn check(
        &self,
        input: &InputSpec,
        classes: usize,
        blocks: &[Block],
    ) -> Result<(), String> {
        let needed = held_out_needed(self.alarm_level).map_err(|e| e.to_string())?;
        if self.shift.is_none() && self.level.is_none() {
            return Err("it has neither a shift nor a level".to_owned());
        }
        if let Some(shift) = &self.shift {
            let channels = blocks.iter().try_fold(0_usize, |sum, b| sum.checked_add(b.channels));
            shift.check(channels.unwrap_or(usize::MAX)).map_err(|e| format!("shift: {e}"))?;
            enough(shift.held_out.count, needed, self.alarm_level)?;
        }
        match (&self.level, input) {
            (Some(level), InputSpec::Signal(signal)) => {
                level.check(signal.channels, classes).map_err(|e| format!("level: {e}"))?;
                enough(level.held_out.count, needed, self.alarm_level)
            }
            (Some(_), InputSpec::Image(_)) => Err("an image has no signal level".to_owned()),
            (None, _) => Ok(()),
        }
    }
}

fn enough(found: u64, needed: u64, alarm_level: f64) -> Result<(), String> {
    if found < needed {
        let error = BaselineError::TooFewHeldOut { alarm_level, needed, found };
        return Err(error.to_string());
    }
    Ok(())
}

/// The class that an input is taken for: that with the largest of its probabilities, `[classes]`, the first of equal
/// ones; 0 where there is none.
pub fn most_likely(probabilities: &[f32]) -> usize {
    let better = |best: usize, class: usize| {
        if probabilities[class] > probabilities[best] { class } else { best }
    };
    (0..probabilities.len()).fold(0, better)
}

/// Held-out inputs without which no p-value, at least 1 / (1 + n), could be below the level.
///
/// # Errors
/// [`BaselineError::AlarmLevel`] where the level is not in (0, 1).
pub fn held_out_needed(alarm_level: f64) -> Result<u64, BaselineError> {
    if !(alarm_level > 0.0 && alarm_level < 1.0) {
        return Err(BaselineError::AlarmLevel { alarm_level });
    }
    Ok((1.0 / alarm_level).ceil() as u64)
}
