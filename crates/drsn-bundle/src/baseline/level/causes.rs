//! Names what of a level is unusual, and in which channel.

use serde::Serialize;

use super::{Level, LevelBaseline, STATISTICS};

/// Causes that an answer names at most.
const MOST_CAUSES: usize = 5;

/// What of a channel's signal is unusual.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Quantity {
    /// Its RMS: a gain, if the deviation moves with it.
    Rms,
    /// Its deviation from the mean, while the RMS is usual.
    Deviation,
    /// Its mean.
    Offset,
    /// Its largest magnitude.
    Peak,
    /// The share of samples that stay at an extreme.
    Clipped,
    /// The share of samples that equal the one before, or are zero.
    Stuck,
    /// Its mean frequency, relative to the sample rate.
    Frequency,
    /// The width of its spectrum.
    Bandwidth,
}

/// A quantity of one channel that makes a level unusual.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LevelCause {
    /// What is unusual.
    pub what: Quantity,
    /// Position of the input's channel, from 0.
    pub channel: usize,
    /// Signed distance from the median of the training windows, in standard deviations of a normal
    /// distribution with the same limits.
    pub z: f64,
}

/// The causes of a recording's windows that alarm.
#[derive(Debug, Clone, Default)]
pub struct LevelCauses(Vec<Tally>);

/// How often a cause was named.
#[derive(Debug, Clone, Copy)]
struct Tally {
    cause: LevelCause,
    windows: u32,
    /// Sum of 1 / its place in each window's list.
    weight: f64,
}

/// A quantity with its signed distance from the middle, relative to the limit.
type Excess = (Quantity, f64);

impl Quantity {
    /// All of them, in the order of a level's statistics.
    pub const ALL: [Self; STATISTICS] = [
        Self::Rms,
        Self::Deviation,
        Self::Offset,
        Self::Peak,
        Self::Clipped,
        Self::Stuck,
        Self::Frequency,
        Self::Bandwidth,
    ];

    /// The word for it in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rms => "rms",
            Self::Deviation => "deviation",
            Self::Offset => "offset",
            Self::Peak => "peak",
            Self::Clipped => "clipped",
            Self::Stuck => "stuck",
            Self::Frequency => "frequency",
            Self::Bandwidth => "bandwidth",
        }
    }
}

impl LevelBaseline {
    /// The causes of an alarm, at most five: the first of each channel before the second of any.
    /// `class` is the predicted one, `alarm_level` that of the baseline.
    pub(in crate::baseline) fn causes(
        &self,
        levels: &[Level],
        class: usize,
        alarm_level: f64,
    ) -> Vec<LevelCause> {
        let mut ranked: Vec<(usize, f64, LevelCause)> = Vec::new();
        let deviations = normal_quantile(self.tail(alarm_level));
        for (channel, level) in levels.iter().enumerate() {
            let excesses = self.causes_of(channel, level, class);
            let largest = excesses.iter().fold(0.0_f64, |most, (_, excess)| most.max(excess.abs()));
            ranked.extend(excesses.into_iter().enumerate().map(|(place, (what, excess))| {
                (place, largest, LevelCause { what, channel, z: excess * deviations })
            }));
        }
        let outside = |&(_, _, cause): &(usize, f64, LevelCause)| cause.z.abs() > deviations;
        if ranked.iter().any(outside) {
            ranked.retain(outside);
        }
        ranked.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)));
        ranked.into_iter().map(|(_, _, cause)| cause).take(MOST_CAUSES).collect()
    }

    /// The quantities of one channel, the likeliest cause first.
    ///
    /// A shape that no class has explains a wrong class, whose limits then mean nothing, so it comes
    /// first: held or clipped samples also change the spectrum, and not the other way round.
    fn causes_of(&self, channel: usize, level: &Level, class: usize) -> Vec<Excess> {
        let Some(limits) = self.classes.get(class).and_then(|of_class| of_class.get(channel))
        else {
            return Vec::new();
        };
        let own = limits.excesses(level);
        let mut least = own;
        for other in self.classes.iter().filter_map(|of_class| of_class.get(channel)) {
            for (least, excess) in least.iter_mut().zip(other.excesses(level)) {
                if excess.abs() < least.abs() {
                    *least = excess;
                }
            }
        }
        let (own, least) =
            (Quantity::ALL.into_iter().zip(own), Quantity::ALL.into_iter().zip(least));
        let least: Vec<Excess> = least.filter(|(_, excess)| excess.abs() > 1.0).collect();
        let mut causes = Vec::with_capacity(STATISTICS);
        for tier in
            [[Quantity::Clipped, Quantity::Stuck], [Quantity::Frequency, Quantity::Bandwidth]]
        {
            let tier = least.iter().copied().filter(|(what, _)| tier.contains(what));
            causes.extend(sorted(tier.collect()));
        }
        let rest = own.filter(|(what, _)| !causes.iter().any(|(named, _)| named == what));
        causes.extend(gain_before_its_effects(sorted(rest.collect()), limits.has_spike(level)));
        causes
    }
}

fn sorted(mut excesses: Vec<Excess>) -> Vec<Excess> {
    excesses.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
    excesses
}

/// A gain moves RMS, deviation, offset and peak alike, and the RMS names it; a spike moves the peak
/// much more. If the deviation stays, the RMS has moved with the offset.
fn gain_before_its_effects(mut causes: Vec<Excess>, has_spike: bool) -> Vec<Excess> {
    let place = |of: Quantity| causes.iter().position(|&(what, _)| what == of);
    let places = [Quantity::Rms, Quantity::Deviation, Quantity::Offset, Quantity::Peak].map(place);
    let [Some(rms), Some(deviation), Some(offset), Some(peak)] = places else { return causes };
    let excess = |place: usize| causes[place].1;
    let is_outside = |place: usize| excess(place).abs() > 1.0;
    let (from, to) = if !is_outside(rms) {
        return causes;
    } else if is_outside(deviation) && excess(rms) * excess(deviation) > 0.0 {
        let before =
            if has_spike { deviation.min(offset) } else { deviation.min(offset).min(peak) };
        (rms, rms.min(before))
    } else if is_outside(offset) && rms < offset {
        (offset, rms)
    } else {
        return causes;
    };
    let moved = causes.remove(from);
    causes.insert(to, moved);
    causes
}

impl LevelCauses {
    /// Adds the causes of a window.
    pub fn add(&mut self, causes: &[LevelCause]) {
        for (place, &cause) in causes.iter().enumerate() {
            let same = |tally: &&mut Tally| {
                tally.cause.what == cause.what && tally.cause.channel == cause.channel
            };
            let weight = 1.0 / (1 + place) as f64;
            match self.0.iter_mut().find(same) {
                Some(tally) => {
                    tally.cause.z += cause.z;
                    tally.windows += 1;
                    tally.weight += weight;
                }
                None => self.0.push(Tally { cause, windows: 1, weight }),
            }
        }
    }

    /// Memory of the causes of an input of so many channels, in bytes.
    pub fn bytes(channels: usize) -> usize {
        // Twice, while the list grows.
        2 * channels * STATISTICS * size_of::<Tally>()
    }

    /// The causes that were named most and first, at most five; z is the mean over the windows that
    /// named them.
    pub fn most_named(&self) -> Vec<LevelCause> {
        let mut tallies = self.0.clone();
        tallies.sort_by(|a, b| b.weight.total_cmp(&a.weight));
        let mean = |tally: Tally| LevelCause {
            z: tally.cause.z / f64::from(tally.windows),
            ..tally.cause
        };
        tallies.into_iter().map(mean).take(MOST_CAUSES).collect()
    }
}

/// The number that a standard normal variable exceeds with this probability, below 0.5, within
/// 4.5e-4 (Abramowitz and Stegun, Handbook of Mathematical Functions, 26.2.23).
fn normal_quantile(probability: f64) -> f64 {
    let t = (-2.0 * probability.ln()).sqrt();
    let numerator = (0.010_328 * t + 0.802_853) * t + 2.515_517;
    let denominator = ((0.001_308 * t + 0.189_269) * t + 1.432_788) * t + 1.0;
    t - numerator / denominator
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(what: Quantity, z: f64) -> LevelCause {
        LevelCause { what, channel: 0, z }
    }

    #[test]
    fn the_quantile_is_that_of_tables() {
        for (probability, expected) in [(0.025, 1.959_964), (0.001, 3.090_232), (1e-5, 4.264_891)] {
            assert!((normal_quantile(probability) - expected).abs() < 4.5e-4, "{probability}");
        }
    }

    #[test]
    fn the_names_are_those_that_are_serialized() {
        for what in Quantity::ALL {
            assert_eq!(serde_json::json!(what), what.name());
        }
    }

    #[test]
    fn the_rms_names_a_gain_and_the_offset_an_offset() {
        use Quantity::{Deviation, Offset, Peak, Rms};
        let first = |excesses: [f64; 4]| {
            let excesses = [Rms, Deviation, Offset, Peak].into_iter().zip(excesses).collect();
            gain_before_its_effects(sorted(excesses), false)[0].0
        };
        assert_eq!(first([2.0, 2.1, 3.0, 2.2]), Rms);
        assert_eq!(first([2.0, 0.1, 1.5, 1.2]), Offset);
        assert_eq!(first([0.5, -1.5, 0.9, -1.4]), Deviation);
        assert_eq!(first([0.5, 0.6, 0.1, 1.4]), Peak);
        assert_eq!(first([-2.0, 1.5, 0.1, 0.2]), Rms);
        let excesses = [(Peak, 3.0), (Deviation, 2.1), (Rms, 2.0), (Offset, 0.0)];
        let spike = gain_before_its_effects(excesses.to_vec(), true);
        assert!(spike.iter().map(|(what, _)| *what).eq([Peak, Rms, Deviation, Offset]));
    }

    #[test]
    fn a_recording_has_the_causes_that_most_of_its_windows_name_first() {
        let (gain, offset) = (cause(Quantity::Rms, 4.0), cause(Quantity::Offset, -9.0));
        let mut causes = LevelCauses::default();
        assert_eq!(causes.most_named(), []);
        causes.add(&[gain, offset]);
        causes.add(&[offset]);
        causes.add(&[cause(Quantity::Rms, 6.0)]);
        causes.add(&[cause(Quantity::Rms, 5.0)]);
        assert_eq!(causes.most_named(), [cause(Quantity::Rms, 5.0), offset]);
    }
}
