//! The usual levels, and how unusual a level is.

use serde::{Deserialize, Serialize};

use super::{Level, MIN_MAGNITUDE, STATISTICS};
use crate::baseline::{BaselineError, HeldOut};

/// Least distance of a logarithmic limit from the middle: 3 dB. A recording can be steadier than a
/// sensor is over months, and a smaller change is not a fault.
const MIN_LOG_DISTANCE: f64 = std::f64::consts::LN_2 / 2.0;
/// Least distance of a limit of the offset from the middle, relative to the middle RMS.
const MIN_OFFSET_DISTANCE: f64 = 0.5;
/// Least distance of a limit of the clipped or stuck share from the middle.
const MIN_SHARE_DISTANCE: f64 = 0.01;
/// Least distance of a logarithmic limit of the shape from the middle: 10 %.
const MIN_SHAPE_DISTANCE: f64 = 0.1;
/// Training inputs of a class below which the limits of all classes together are used.
const MIN_CLASS_INPUTS: usize = 30;

/// Usual levels of each class and channel, and how unusual held-out inputs were.
///
/// Classes often differ in level by more than a faulty sensor would change it, as a damaged bearing
/// is louder than a healthy one. So an input is compared with the usual levels of its predicted
/// class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LevelBaseline {
    /// Limits of each class's channels.
    pub classes: Vec<Vec<ChannelLimits>>,
    /// Distances of held-out inputs from the middle of their predicted class, relative to the
    /// distance of the limit: for each input the largest over all channels and limits.
    pub held_out: HeldOut,
}

/// The levels of one input's channels, and a class.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassLevels {
    /// The true class in training, and the predicted one otherwise.
    pub class: usize,
    /// One per channel.
    pub channels: Vec<Level>,
}

/// The usual levels of one channel in the training data.
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
    /// Of its shape; missing in older baselines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<ShapeLimits>,
}

/// The usual shape of one channel's signal, which neither gain nor offset changes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ShapeLimits {
    /// Of the share of samples that equal the one before, or are zero.
    pub stuck: Limits,
    /// Of the natural logarithm of the first differences' RMS over the deviation.
    pub log_frequency: Limits,
    /// Of the natural logarithm of the second differences' RMS times the deviation, over the first
    /// differences' mean square.
    pub log_bandwidth: Limits,
}

/// The usual range of a number; low < middle < high.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Limits {
    /// Quantile of the training data at half of this number's share of the alarm level.
    pub low: f32,
    /// Median.
    pub middle: f32,
    /// Quantile at one minus that.
    pub high: f32,
}

impl LevelBaseline {
    /// Computes limits from the training data, and ranks from held-out data.
    ///
    /// The limits only bring the numbers to one scale, so that none dominates. The alarm rate comes
    /// from the ranks of held-out inputs, which do not affect the limits. A class with few inputs
    /// gets the limits of all classes together.
    ///
    /// # Errors
    /// [`BaselineError`] if an input has another number of channels or an unknown class, a number
    /// is not finite, or there are too few inputs.
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
        let tail = tail(alarm_level, STATISTICS, channels);
        let limits = |of: &[&ClassLevels]| -> Vec<ChannelLimits> {
            (0..channels).map(|channel| ChannelLimits::of(of, channel, tail)).collect()
        };
        let all = limits(&training.iter().collect::<Vec<_>>());
        let of_class = |class: usize| {
            let own: Vec<_> = training.iter().filter(|input| input.class == class).collect();
            if own.len() < MIN_CLASS_INPUTS { all.clone() } else { limits(&own) }
        };
        let classes: Vec<_> = (0..classes).map(of_class).collect();
        let excesses = held_out.iter().map(|input| excess(&classes[input.class], &input.channels));
        let held_out = HeldOut::new(&excesses.collect::<Vec<f64>>(), alarm_level)?;
        let baseline = Self { classes, held_out };
        if baseline.are_limits_sound() { Ok(baseline) } else { Err(BaselineError::NotFinite) }
    }

    /// (1 + held-out inputs at least as unusual) / (1 + held-out inputs), for the levels of an
    /// input's channels and its predicted class; `None` for an unknown class.
    pub fn p_value(&self, levels: &[Level], class: usize) -> Option<f64> {
        Some(self.held_out.p_value(excess(self.classes.get(class)?, levels)))
    }

    /// The share of training inputs beyond each limit.
    pub(super) fn tail(&self, alarm_level: f64) -> f64 {
        let channels = self.classes.first().map_or(&[][..], Vec::as_slice);
        let statistics = channels.first().map_or(STATISTICS, |limits| limits.all().count());
        tail(alarm_level, statistics, channels.len().max(1))
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
        let mut limits = self.classes.iter().flatten().flat_map(ChannelLimits::all);
        limits.all(|Limits { low, middle, high }| {
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
        let log_rms = limits(0, MIN_LOG_DISTANCE);
        Self {
            log_rms,
            log_deviation: limits(1, MIN_LOG_DISTANCE),
            offset: limits(2, MIN_OFFSET_DISTANCE * f64::from(log_rms.middle).exp()),
            log_peak: limits(3, MIN_LOG_DISTANCE),
            clipped: limits(4, MIN_SHARE_DISTANCE),
            shape: Some(ShapeLimits {
                stuck: limits(5, MIN_SHARE_DISTANCE),
                log_frequency: limits(6, MIN_SHAPE_DISTANCE),
                log_bandwidth: limits(7, MIN_SHAPE_DISTANCE),
            }),
        }
    }

    /// In the order of [`Level::statistics`]; those of an older baseline end before the shape.
    fn all(&self) -> impl Iterator<Item = Limits> + use<> {
        let strength = [self.log_rms, self.log_deviation, self.offset, self.log_peak, self.clipped];
        let shape = self.shape.map(|shape| [shape.stuck, shape.log_frequency, shape.log_bandwidth]);
        strength.into_iter().chain(shape.into_iter().flatten())
    }

    /// Whether the peak rose by more than a gain that explains the RMS would raise it.
    pub(super) fn has_spike(&self, level: &Level) -> bool {
        let [rms, _, _, peak, ..] = level.statistics();
        let rise =
            (peak - f64::from(self.log_peak.middle)) - (rms - f64::from(self.log_rms.middle));
        rise > f64::from(self.log_peak.high) - f64::from(self.log_peak.middle)
    }

    /// Distances of a level's statistics from the middle, relative to the limit on that side; of an
    /// older baseline's the shape's are 0.
    pub(super) fn excesses(&self, level: &Level) -> [f64; STATISTICS] {
        let mut excesses = [0.0; STATISTICS];
        let numbers = level.statistics();
        for ((excess, number), limits) in excesses.iter_mut().zip(numbers).zip(self.all()) {
            *excess = limits.excess(number);
        }
        excesses
    }
}

impl Limits {
    /// Limits of ascending numbers, at least `least` from the middle.
    fn of(sorted: &[f64], tail: f64, least: f64) -> Self {
        let end = sorted.len().saturating_sub(1);
        let at = |share: f64| sorted[((share * end as f64).round() as usize).min(end)];
        let (low, middle, high) = (at(tail), at(0.5), at(1.0 - tail));
        // A smaller distance would be lost in the rounding of the middle.
        let least = least.max(middle.abs() * 1e-6).max(MIN_MAGNITUDE);
        Self {
            low: low.min(middle - least) as f32,
            middle: middle as f32,
            high: high.max(middle + least) as f32,
        }
    }

    /// Distance from the middle, relative to the limit on that side; negative below the middle.
    fn excess(&self, number: f64) -> f64 {
        let from_middle = number - f64::from(self.middle);
        let limit = if from_middle < 0.0 { self.low } else { self.high };
        from_middle / (f64::from(limit) - f64::from(self.middle)).abs()
    }
}

/// The share of training inputs beyond each limit, if all together are to be the alarm level.
fn tail(alarm_level: f64, statistics: usize, channels: usize) -> f64 {
    alarm_level / (2 * statistics * channels) as f64
}

/// The largest excess of all channels and limits.
fn excess(channels: &[ChannelLimits], levels: &[Level]) -> f64 {
    let excesses = channels.iter().zip(levels).flat_map(|(limits, level)| limits.excesses(level));
    excesses.fold(0.0, |largest, excess| largest.max(excess.abs()))
}
