//! The baseline of a model: the distribution of unchanged inputs, and how unusual a new one is.
//!
//! It covers two quantities. *Input shift*: the distance of the mean magnitudes A before all
//! thresholds, of the features before the last layer, and of statistics of the input from those of
//! the training data. *Input level*: the strength of the raw signal, which
//! normalisation hides from the network. Both are ranked among held-out inputs, so the alarm rate
//! on unchanged inputs is the chosen level, whatever the distribution.

mod causes;
mod change;
mod covariance;
mod distance;
mod held_out;
mod level;
mod numbers;
mod sample;
mod shift;
mod statistics;
mod thresholds;
mod windows;

use ndarray::ArrayView1;
use serde::{Deserialize, Serialize};

pub use causes::{BandChange, Contribution, NearClass};
pub use change::ChangeDetector;
pub use covariance::ShiftAccumulator;
pub use distance::Distance;
pub use held_out::HeldOut;
pub use level::{
    ChannelLimits, ClassLevels, InputLevel, Level, LevelBaseline, LevelCause, LevelCauses, Limits,
    Quantity, ShapeLimits,
};
pub use numbers::Numbers;
pub use sample::{ShiftDistances, ShiftLengths, ShiftSample};
pub use shift::{InputShift, ShiftBaseline, ShiftReason, ShiftVectors};
use shift::{Relative, unit_length};
use statistics::BANDS;
pub use statistics::{
    Axis, Band, InputMeasure, NamedStatistic, Statistic, bands_of, statistics_of,
};
pub use thresholds::{
    ClassThresholds, MAX_USUAL_THRESHOLDS, Spreads, ThresholdSample, UsualThresholds,
};
use windows::Merging;
pub use windows::WindowsShift;

use crate::InputSpec;

/// The default alarm level: one of a hundred unchanged inputs alarms.
pub const ALARM_LEVEL: f64 = 0.01;

/// Most dimensions of a vector whose distance is measured; its covariance factor then has 8 million
/// numbers.
pub const MAX_DIMENSIONS: usize = 4096;

/// The distribution of unchanged inputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Baseline {
    /// Description of the data and the noise that it was measured on.
    pub data: String,
    /// An input alarms if its p-value is below this level, in (0, 1).
    pub alarm_level: f64,
    /// Distances of mean magnitudes, features and input statistics; null if none was measured.
    pub shift: Option<ShiftBaseline>,
    /// The level of the raw signal; null for images.
    pub level: Option<LevelBaseline>,
    /// Usual thresholds and scales; missing in older baselines, for a network without thresholds, and
    /// for one of very many classes and channels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thresholds: Option<UsualThresholds>,
}

/// Data that a baseline cannot be computed from.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BaselineError {
    /// A vector of another length than the others.
    #[error("the baseline has {expected} values per input, and {found} were given")]
    Length {
        /// Values of each input.
        expected: usize,
        /// Values given.
        found: usize,
    },
    /// A class that the model does not have.
    #[error("an input of the baseline has the class {class}, and there are {classes} classes")]
    Class {
        /// Index of the class.
        class: usize,
        /// Number of classes.
        classes: usize,
    },
    /// No dimensions, or more than the limit.
    #[error(
        "a vector of the baseline has {found} dimensions, and 1 to {MAX_DIMENSIONS} are supported"
    )]
    Dimensions {
        /// Dimensions of the vector.
        found: usize,
    },
    /// A value that is not finite.
    #[error("an input of the baseline has a value that is not finite")]
    NotFinite,
    /// Too few held-out inputs.
    #[error(
        "an alarm level of {alarm_level} needs at least {needed} held-out inputs, and there are \
         {found}"
    )]
    TooFewHeldOut {
        /// The chosen level.
        alarm_level: f64,
        /// Minimum for this level.
        needed: u64,
        /// Number given.
        found: u64,
    },
    /// Too few training inputs.
    #[error("a baseline needs at least two training inputs, and there are {found}")]
    TooFewTraining {
        /// Number given.
        found: u64,
    },
    /// No variation at all.
    #[error("the training inputs of the baseline are all alike, so no input can be unusual")]
    Constant,
    /// A level that is not a probability.
    #[error("the alarm level must be between 0 and 1, and is {alarm_level}")]
    AlarmLevel {
        /// The chosen level.
        alarm_level: f64,
    },
}

impl Baseline {
    /// The shift of an input; `None` if the model has no such baseline.
    ///
    /// # Errors
    /// [`BaselineError`] if a vector has another length, or a distance is not finite.
    pub fn judge_shift(
        &self,
        vectors: &ShiftVectors<'_>,
    ) -> Result<Option<InputShift>, BaselineError> {
        let Some(shift) = &self.shift else { return Ok(None) };
        let distances = shift.distances(vectors)?;
        let (score, largest) = distances.largest()?;
        let p_value = shift.p_value(score);
        let alarm = p_value < self.alarm_level;
        let reason = if alarm { self.reason(shift, &distances, largest) } else { largest };
        Ok(Some(InputShift { score, p_value, alarm, reason: alarm.then_some(reason) }))
    }

    /// The reason of an alarm whose largest distance is this one: another one in its place if that one
    /// alone would alarm and says more of what happened. Statistics say more than bands of the same
    /// input, and bands more than channels of blocks.
    fn reason(
        &self,
        shift: &ShiftBaseline,
        distances: &Relative,
        largest: ShiftReason,
    ) -> ShiftReason {
        let says_more = match largest {
            ShiftReason::Magnitudes => ShiftReason::Spectrum,
            ShiftReason::Spectrum => ShiftReason::Input,
            ShiftReason::Features | ShiftReason::Input => return largest,
        };
        let alarms = shift.p_value(distances.of_reason(says_more)) < self.alarm_level;
        if alarms { says_more } else { largest }
    }

    /// What the shift of an input is judged by, besides the model's outputs; `None` if by nothing else.
    pub fn input_measure(&self, input: &InputSpec) -> Option<InputMeasure> {
        let shift = self.shift.as_ref()?;
        let with_spectrum = shift.spectrum.is_some();
        (shift.input.is_some() || with_spectrum).then(|| InputMeasure::new(input, with_spectrum))
    }

    /// The level of a raw signal, from the levels of its channels before they were prepared, for
    /// its predicted class; `None` if the model has no such baseline.
    pub fn judge_level(&self, levels: &[Level], class: usize) -> Option<InputLevel> {
        let p_value = self.level.as_ref()?.p_value(levels, class)?;
        Some(InputLevel::over_channels(levels, p_value, p_value < self.alarm_level))
    }

    /// The numbers of the vector of a distance that add most to it, at most five, the largest first;
    /// none without such a distance.
    pub fn shift_causes(&self, reason: ShiftReason, vector: &[f32]) -> Vec<Contribution> {
        let distance = self.shift.as_ref().and_then(|shift| shift.of(reason));
        distance.map(|distance| distance.causes(vector)).unwrap_or_default()
    }

    /// The bands of a spectrum whose power changed most, at most five, the largest change first; none
    /// without such a distance.
    pub fn band_changes(&self, spectrum: &[f32]) -> Vec<BandChange> {
        let distance = self.shift.as_ref().and_then(|shift| shift.spectrum.as_ref());
        distance.map(|distance| distance.band_changes(spectrum, BANDS)).unwrap_or_default()
    }

    /// The classes of the training data that these features before the last layer are nearest to, at
    /// most three, the nearest first; none if the baseline does not have them all.
    pub fn nearest_classes(&self, features: &[f32], classes: usize) -> Vec<NearClass> {
        let distance = self.shift.as_ref().and_then(|shift| shift.features.as_ref());
        let distance = distance.filter(|distance| distance.centres.len() == classes);
        distance.map(|distance| distance.nearest(&unit_length(features))).unwrap_or_default()
    }

    /// The causes of an alarm of [`Self::judge_level`], the likeliest first; none without such a
    /// baseline.
    pub fn level_causes(&self, levels: &[Level], class: usize) -> Vec<LevelCause> {
        let causes = |level: &LevelBaseline| level.causes(levels, class, self.alarm_level);
        self.level.as_ref().map(causes).unwrap_or_default()
    }

    /// The shift of a whole recording, from the shifts of its windows; `None` if there are none. Its
    /// rate of alarms on unchanged recordings is at most the level, whatever the dependence of windows.
    pub fn shift_over_windows(&self, windows: &[InputShift]) -> Option<WindowsShift> {
        let held_out = self.shift.as_ref()?.held_out.count;
        Merging { alarm_level: self.alarm_level, held_out }.shift(windows)
    }

    /// The level of a whole recording, from the levels of its windows, as
    /// [`Self::shift_over_windows`].
    pub fn level_over_windows(&self, windows: &[InputLevel]) -> Option<InputLevel> {
        let held_out = self.level.as_ref()?.held_out.count;
        let merging = Merging { alarm_level: self.alarm_level, held_out };
        let p_value = merging.p_value(windows.iter().map(|window| window.p_value).collect())?;
        InputLevel::over_windows(windows, p_value, p_value < self.alarm_level)
    }

    /// Checks that it is consistent, and fits a model with these numbers of channels in its blocks
    /// and of features, this input, and this number of classes.
    pub(crate) fn check(
        &self,
        block_channels: usize,
        features: Option<usize>,
        input: &InputSpec,
        classes: usize,
    ) -> Result<(), String> {
        let needed = held_out_needed(self.alarm_level).map_err(|e| e.to_string())?;
        if self.shift.is_none() && self.level.is_none() {
            return Err("it has neither a shift nor a level".to_owned());
        }
        if let Some(shift) = &self.shift {
            shift
                .check(block_channels, features, statistics_of(input), bands_of(input))
                .map_err(|e| format!("shift: {e}"))?;
            enough(shift.held_out.count, needed, self.alarm_level)?;
        }
        if let Some(thresholds) = &self.thresholds {
            thresholds
                .check(classes, block_channels)
                .map_err(|e| format!("usual thresholds: {e}"))?;
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

/// The class with the largest probability of `[classes]`: the first of equal ones, and 0 if there
/// are none.
pub fn most_likely<'a>(probabilities: impl Into<ArrayView1<'a, f32>>) -> usize {
    let mut classes = probabilities.into().into_iter().enumerate();
    let Some(first) = classes.next() else { return 0 };
    classes.fold(first, |best, class| if class.1 > best.1 { class } else { best }).0
}

/// The least number n of held-out inputs with which a p-value, at least 1 / (1 + n), can be below
/// the level.
///
/// # Errors
/// [`BaselineError::AlarmLevel`] if the level is not in (0, 1).
pub fn held_out_needed(alarm_level: f64) -> Result<u64, BaselineError> {
    if !(alarm_level > 0.0 && alarm_level < 1.0) {
        return Err(BaselineError::AlarmLevel { alarm_level });
    }
    Ok((1.0 / alarm_level).ceil() as u64)
}
