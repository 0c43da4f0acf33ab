//! Input level: the strength and shape of a raw signal before normalisation, which would hide a
//! dead, clipped or mis-scaled sensor.

mod causes;
mod limits;

use ndarray::ArrayRef2;
use serde::Serialize;

use crate::{
    lanes::{self, extremes, sum, sum_of_runs},
    vectorized,
};

pub use causes::{LevelCause, LevelCauses, Quantity};
pub use limits::{ChannelLimits, ClassLevels, LevelBaseline, Limits, ShapeLimits};

/// Stands for a magnitude of zero, so that its logarithm is finite.
const MIN_MAGNITUDE: f64 = 1e-30;
/// Number of statistics of each channel.
const STATISTICS: usize = 8;

/// The level of one channel's samples in one window, in the signal's unit.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Level {
    /// Root of the mean square.
    pub rms: f64,
    /// Standard deviation. A sensor stuck at its offset has an RMS, but no deviation.
    pub deviation: f64,
    /// Mean.
    pub offset: f64,
    /// Largest magnitude.
    pub peak: f64,
    /// Share of samples that equal the window's largest or smallest value and are next to an equal
    /// one: a clipped signal stays at its limit, while a free one only touches its extremes.
    pub clipped: f64,
    /// Share of samples that equal the one before, or are zero: those that a sensor held or dropped.
    pub stuck: f64,
    /// Root of the mean square of the first differences. Its ratio to the deviation grows with the
    /// mean frequency.
    pub step: f64,
    /// Root of the mean square of the second differences.
    pub bend: f64,
    /// The value of all samples, if they are equal.
    pub constant: Option<f32>,
}

/// The level of one input, over its channels.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct InputLevel {
    /// Root of the mean square over all samples.
    pub rms: f64,
    /// Mean of all samples.
    pub offset: f64,
    /// Largest magnitude.
    pub peak: f64,
    /// Share of clipped samples, by each channel's own extremes.
    pub clipped: f64,
    /// (1 + held-out windows whose level is at least as unusual) / (1 + held-out windows); of a
    /// recording, merged from those of its windows.
    pub p_value: f64,
    /// Whether any channel's level is more unusual than the model's alarm level allows.
    pub alarm: bool,
}

impl Level {
    /// The level of one channel's samples.
    pub fn of(samples: &[f32]) -> Self {
        measure(samples)
    }

    /// The levels of a raw signal's channels, `[C, L]` in row-major order.
    pub fn of_channels(raw: &ArrayRef2<f32>) -> Vec<Self> {
        raw.rows().into_iter().filter_map(|samples| samples.to_slice()).map(Self::of).collect()
    }

    /// The statistics that have limits, in the order of [`Quantity::ALL`]. Mean frequency and
    /// bandwidth are the mobility and the complexity of B. Hjorth, EEG analysis based on time domain
    /// properties, Electroencephalography and Clinical Neurophysiology 29(3), 1970.
    fn statistics(&self) -> [f64; STATISTICS] {
        let log = |magnitude: f64| magnitude.max(MIN_MAGNITUDE).ln();
        let (deviation, step, bend) = (log(self.deviation), log(self.step), log(self.bend));
        let (frequency, bandwidth) = (step - deviation, bend + deviation - 2.0 * step);
        let (rms, peak) = (log(self.rms), log(self.peak));
        [rms, deviation, self.offset, peak, self.clipped, self.stuck, frequency, bandwidth]
    }
}

vectorized! {
    fn measure<'a>(samples: &'a [f32]) -> Level {
        let count = samples.len().max(1) as f64;
        let (least, largest) = extremes(samples);
        let offset = sum(samples, |x| x) / count;
        let at_ends = lanes::count(samples, |x| x <= least || x >= largest);
        let is_free = at_ends <= 2 && least < largest;
        let clipped = if is_free { 0 } else { clipped(samples, least, largest) };
        Level {
            rms: (sum(samples, |x| x * x) / count).sqrt(),
            deviation: (sum(samples, |x| (x - offset) * (x - offset)) / count).sqrt(),
            offset,
            peak: if samples.is_empty() { 0.0 } else { f64::from(largest.max(-least)) },
            clipped: clipped as f64 / count,
            stuck: lanes::count_pairs(samples, |a, b| (a - b).abs() <= 0.0 || b.abs() <= 0.0)
                as f64
                / count,
            step: (sum_of_runs(samples, |[a, b]| (b - a) * (b - a)) / count).sqrt(),
            bend: (sum_of_runs(samples, |[a, b, c]| (c - b - (b - a)).powi(2)) / count).sqrt(),
            constant: (least >= largest).then_some(least),
        }
    }
}

/// Number of samples at the window's extremes with an equal neighbour.
fn clipped(samples: &[f32], least: f32, largest: f32) -> usize {
    samples
        .chunk_by(|a, b| a.total_cmp(b).is_eq())
        .filter(|run| run.len() > 1 && (run[0] <= least || run[0] >= largest))
        .map(<[f32]>::len)
        .sum()
}

impl InputLevel {
    pub(super) fn over_channels(levels: &[Level], p_value: f64, alarm: bool) -> Self {
        let count = levels.len().max(1) as f64;
        let mean = |of: fn(&Level) -> f64| levels.iter().map(of).sum::<f64>() / count;
        Self {
            rms: mean(|level| level.rms.powi(2)).sqrt(),
            offset: mean(|level| level.offset),
            peak: levels.iter().fold(0.0, |peak, level| peak.max(level.peak)),
            clipped: mean(|level| level.clipped),
            p_value,
            alarm,
        }
    }

    /// The level of a whole recording, from the levels of its windows; `None` if there are none.
    pub(super) fn over_windows(windows: &[Self], p_value: f64, alarm: bool) -> Option<Self> {
        let count = windows.len() as f64;
        let mean = |of: fn(&Self) -> f64| windows.iter().map(of).sum::<f64>() / count;
        (!windows.is_empty()).then(|| Self {
            rms: mean(|window| window.rms.powi(2)).sqrt(),
            offset: mean(|window| window.offset),
            peak: windows.iter().fold(0.0, |peak, window| peak.max(window.peak)),
            clipped: mean(|window| window.clipped),
            p_value,
            alarm,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_that_of_the_definition() {
        let level = Level::of(&[3.0, -1.0, 3.0, -1.0]);
        assert!((level.rms - 5_f64.sqrt()).abs() < 1e-12);
        let others = [level.deviation, level.offset, level.peak, level.clipped];
        let expected = [2.0, 1.0, 3.0, 0.0];
        assert!(others.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{others:?}");
    }

    #[test]
    fn the_shape_of_a_signal_is_that_of_the_definition() {
        let level = Level::of(&[3.0, -1.0, -1.0, 0.0, 2.0, 0.0, 0.0, 1.0]);
        // After -1, at each 0, of eight samples.
        assert!((level.stuck - 0.5).abs() < 1e-12, "{level:?}");
        let (steps, bends) = (16.0 + 1.0 + 4.0 + 4.0 + 1.0, 16.0 + 1.0 + 1.0 + 16.0 + 4.0 + 1.0);
        assert!((level.step - (steps / 8.0_f64).sqrt()).abs() < 1e-12, "{level:?}");
        assert!((level.bend - (bends / 8.0_f64).sqrt()).abs() < 1e-12, "{level:?}");
    }

    /// A sine of frequency f has differences of 2 sin(π f) of its amplitude, and no width.
    #[test]
    fn frequency_and_bandwidth_of_a_sine_are_known_and_neither_depends_on_gain_or_offset() {
        let sine = |n: u16| (std::f32::consts::TAU * 0.125 * f32::from(n)).sin();
        let of = |signal: Vec<f32>| Level::of(&signal).statistics();
        let plain = of((0..4096).map(sine).collect());
        assert!((plain[6] - (2.0 * (std::f64::consts::PI / 8.0).sin()).ln()).abs() < 1e-3);
        assert!(plain[7].abs() < 1e-3, "{plain:?}");
        let moved = of((0..4096).map(|n| 2.0_f32.mul_add(sine(n), 5.0)).collect());
        assert!((plain[6] - moved[6]).abs() < 1e-3 && (plain[7] - moved[7]).abs() < 1e-3);
    }

    #[test]
    fn a_recording_has_the_mean_level_of_its_windows() {
        let window = |rms: f64, alarm: bool| InputLevel {
            rms,
            offset: rms - 3.0,
            peak: 2.0 * rms,
            clipped: 0.5,
            p_value: 0.5,
            alarm,
        };
        let windows = [window(1.0, false), window(7.0, true)];
        let level = InputLevel::over_windows(&windows, 0.25, false);
        let level = level.unwrap();
        let found = [level.rms, level.offset, level.peak, level.clipped];
        assert!(found.iter().zip([5.0, 1.0, 14.0, 0.5]).all(|(a, b)| (a - b).abs() < 1e-12));
        assert!((level.p_value - 0.25).abs() < 1e-12 && !level.alarm);
        assert_eq!(InputLevel::over_windows(&[], 0.5, false), None);
    }

    #[test]
    fn clipped_samples_stay_at_an_extreme() {
        let share = |samples: &[f32]| Level::of(samples).clipped;
        assert!((share(&[0.0, 1.0, 1.0, 1.0, 0.0, 0.0, -1.0, 0.5]) - 0.375).abs() < 1e-12);
        assert!((share(&[0.0, 1.0, 1.0, 0.0, -1.0, -1.0, 0.0, 0.0]) - 0.5).abs() < 1e-12);
        assert!(share(&[0.0, 1.0, 0.0, -1.0, 0.0, 1.0]).abs() < 1e-12);
        assert!((share(&[2.0; 4]) - 1.0).abs() < 1e-12);
    }
}
