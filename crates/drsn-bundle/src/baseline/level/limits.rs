//! Which levels are usual, and how unusual one is.

use serde::{Deserialize, Serialize};

use super::{LEAST_MAGNITUDE, Level, STATISTICS};
use crate::baseline::{BaselineError, HeldOut};

/// Least distance of a limit of logarithms from their middle: 3 dB. A recording can be steadier than any sensor is
/// over months, and a change below this is no fault of one.
const LEAST_RATIO: f64 = std::f64::consts::LN_2 / 2.0;
/// Least distance of a limit of the offset, as a share of the middle RMS.
const LEAST_OFFSET: f64 = 0.5;
/// Least distance of a limit of the clipped share.
const LEAST_CLIPPED: f64 = 0.01;
/// Training inputs of a class below which its limits are those of all classes together.
const LEAST_OF_A_CLASS: usize = 30;

/// Usual levels of each class and channel, and how unusual inputs were that took no part in training.
///
/// Classes often differ in level more than a sensor's fault would change it, as a damaged bearing is louder than a
/// sound one: so an input is compared with what is usual for the class that it was taken for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LevelBaseline {
    /// Limits of each class's channels.
    pub classes: Vec<Vec<ChannelLimits>>,
    /// How far inputs that took no part in training lay from the middle of the class that they were taken for, as a
    /// share of the way to the limit: for each the largest of all channels and limits.
    pub held_out: HeldOut,
}

/// The levels of one input's channels, and a class.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassLevels {
    /// In training the class that it is of; else the one that the network takes it for.
    pub class: usize,
    /// One a channel.
    pub channels: Vec<Level>,
}

/// What the training data's levels in one channel were.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ChannelLimits {
    /// Of the natural logarithm of the RMS.
    pub log_rms: Limits,
    /// Of the natural logarithm of the deviation from the mean.
    pub log_deviation: Limits,
    /// Of the mean.
    pub offset: Limits,
    /// Of the natural logarithm of the largest magnitude.
    pub log_peak: Limits,
    /// Of the share of clipped samples.
    pub clipped: Limits,
}

/// Where a number usually lies; low < middle < high.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Limits {
    /// Quantile of the training data at half the alarm level's share for this number.
    pub low: f32,
    /// Median.
    pub middle: f32,
    /// Quantile at one less that share.
    pub high: f32,
}

impl LevelBaseline {
    /// Takes limits from the training data, and ranks from data that took no part in training.
    ///
    /// The limits only bring the numbers to one scale, so that none of them drowns the others; the rate of alarms
    /// comes from the ranks of held-out inputs, which had no part in the limits. A class with few inputs has the
    /// limits of all together.
    ///
    /// # Errors
    /// [`BaselineError`] where an input has another number of channels or a class that is none, a number is not
    /// finite, or there are too few inputs.
    pub fn new(
        training: &[ClassLevels],
        held_out: &[ClassLevels],
        classes: usize,
        alarm_level: f64,
    ) -> Result<Self, BaselineError> {
        if training.len() < 2 {
            return Err(BaselineError::TooFewTraining { found: training.len() as u64 });
        }
        let channels = training[0].channels.len();
        for ClassLevels { class, channels: levels } in training.iter().chain(held_out) {
            if levels.is_empty() || levels.len() != channels {
                return Err(BaselineError::Length { expected: channels, found: levels.len() });
            }
            if *class >= classes {
                return Err(BaselineError::Class { class: *class, classes });
            }
            if !levels.iter().flat_map(Level::statistics).all(f64::is_finite) {
                return Err(BaselineError::NotFinite);
            }
        }
        let tail = alarm_level / (2 * STATISTICS * channels) as f64;
        let limits = |of: &[&ClassLevels]| -> Vec<ChannelLimits> {
            (0..channels).map(|channel| ChannelLimits::of(of, channel, tail)).collect()
        };
        let all = limits(&training.iter().collect::<Vec<_>>());
        let of_class = |class: usize| {
            let own: Vec<_> = training.iter().filter(|input| input.class == class).collect();
            if own.len() < LEAST_OF_A_CLASS { all.clone() } else { limits(&own) }
        };
        let classes: Vec<_> = (0..classes).map(of_class).collect();
        let excesses = held_out.iter().map(|input| excess(&classes[input.class], &input.channels));
        let held_out = HeldOut::new(&excesses.collect::<Vec<f64>>(), alarm_level)?;
        let baseline = Self { classes, held_out };
        if baseline.are_limits_sound() { Ok(baseline) } else { Err(BaselineError::NotFinite) }
    }

    /// (1 + held-out inputs that were at least as unusual) / (1 + held-out inputs), for the levels of an input's
    /// channels and the class that it was taken for; none for a class that is none.
    pub fn p_value(&self, levels: &[Level], class: usize) -> Option<f64> {
        Some(self.held_out.p_value(excess(self.classes.get(class)?, levels)))
    }

    pub(in crate::baseline) fn check(&self, channels: usize, classes: usize) -> Result<(), String> {
        if self.classes.len() != classes {
            return Err(format!(
                "it has limits of {} classes, and the model has {classes}",
                self.classes.len()
            ));
        }
        if let Some(limits) = self.classes.iter().find(|limits| limits.len() != channels) {
            return Err(format!(
                "it has limits of {} channels, and the input has {channels}",
                limits.len()
            ));
        }
        if !self.are_limits_sound() {
            return Err("limits must be finite numbers with low < middle < high".to_owned());
        }
        self.held_out.check()
    }

    fn are_limits_sound(&self) -> bool {
        let limits = self.classes.iter().flatten().flat_map(ChannelLimits::all);
        limits.into_iter().all(|Limits { low, middle, high }| {
            low.is_finite() && high.is_finite() && low < middle && middle < high
        })
    }
}

impl ChannelLimits {
    fn of(training: &[&ClassLevels], channel: usize, tail: f64) -> Self {
        let sorted = |statistic: usize| {
            let mut numbers: Vec<f64> = training
                .iter()
                .map(|input| input.channels[channel].statistics()[statistic])
                .collect();
            numbers.sort_by(f64::total_cmp);
            numbers
        };
        let limits = |statistic: usize, least: f64| Limits::of(&sorted(statistic), tail, least);
        let log_rms = limits(0, LEAST_RATIO);
        Self {
            log_rms,
            log_deviation: limits(1, LEAST_RATIO),
            offset: limits(2, LEAST_OFFSET * f64::from(log_rms.middle).exp()),
            log_peak: limits(3, LEAST_RATIO),
            clipped: limits(4, LEAST_CLIPPED),
        }
    }

    /// In the order of [`Level::statistics`].
    fn all(&self) -> [Limits; STATISTICS] {
        [self.log_rms, self.log_deviation, self.offset, self.log_peak, self.clipped]
    }
}

impl Limits {
    /// Of ascending numbers, with limits at least so far from the middle.
    fn of(sorted: &[f64], tail: f64, least: f64) -> Self {
        let end = sorted.len().saturating_sub(1);
        let at = |share: f64| sorted[((share * end as f64).round() as usize).min(end)];
        let (low, middle, high) = (at(tail), at(0.5), at(1.0 - tail));
        // A distance that the middle's own rounding would swallow is none.
        let least = least.max(middle.abs() * 1e-6).max(LEAST_MAGNITUDE);
        Self {
            low: low.min(middle - least) as f32,
            middle: middle as f32,
            high: high.max(middle + least) as f32,
        }
    }

    /// Distance from the middle, as a share of the way to the limit on that side.
    fn excess(&self, number: f64) -> f64 {
        let from_middle = number - f64::from(self.middle);
        let limit = if from_middle < 0.0 { self.low } else { self.high };
        from_middle / (f64::from(limit) - f64::from(self.middle))
    }
}

/// The largest excess of all channels and limits.
fn excess(channels: &[ChannelLimits], levels: &[Level]) -> f64 {
    let pairs = channels.iter().zip(levels);
    pairs
        .flat_map(|(limits, level)| {
            limits.all().into_iter().zip(level.statistics()).map(|(l, number)| l.excess(number))
        })
        .fold(0.0, f64::max)
}
