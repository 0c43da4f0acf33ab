//! The sample rate of a table, from a time column whose name has a unit, as `time [s]` or `t (ms)`.
//!
//! Without a unit, 0.001 could be milliseconds or seconds; and times rounded to a few digits do not
//! determine a rate. In both cases the rate is not known.

/// Units of time, in seconds.
const UNITS: [(&str, f64); 14] = [
    ("s", 1.0),
    ("sec", 1.0),
    ("second", 1.0),
    ("seconds", 1.0),
    ("ms", 1e-3),
    ("msec", 1e-3),
    ("millisecond", 1e-3),
    ("milliseconds", 1e-3),
    ("microsecond", 1e-6),
    ("microseconds", 1e-6),
    ("us", 1e-6),
    ("µs", 1e-6),
    ("μs", 1e-6),
    ("ns", 1e-9),
];
/// Largest deviation of a step from the mean one, as a share of it: beyond it there is a gap, or
/// the times were rounded.
const UNEVEN: f64 = 0.25;
/// Largest error of a rate that is not a whole number, as a share of it.
const EXACT: f64 = 1e-6;
/// Error of floating-point arithmetic, as a share of a rate.
const ROUNDING: f64 = 1e-9;

/// A time column while its cells are read.
#[derive(Debug)]
pub(super) struct Clock {
    pub(super) column: usize,
    /// The unit of its numbers, in seconds.
    unit: f64,
    first: Option<f64>,
    last: f64,
    shortest: f64,
    longest: f64,
    steps: u64,
    /// Whether all cells so far were numbers.
    is_sound: bool,
}

impl Clock {
    /// A column with this name; `None` if the name has no unit of time.
    pub(super) fn of(column: usize, name: &str) -> Option<Self> {
        Some(Self {
            column,
            unit: unit(name)?,
            first: None,
            last: 0.0,
            shortest: f64::INFINITY,
            longest: f64::NEG_INFINITY,
            steps: 0,
            is_sound: true,
        })
    }

    /// Adds the next cell, `None` if it is not a number.
    pub(super) fn tick(&mut self, time: Option<f64>) {
        let Some(time) = time.filter(|time| time.is_finite()) else {
            self.is_sound = false;
            return;
        };
        if self.first.is_none() {
            self.first = Some(time);
        } else {
            let step = time - self.last;
            self.shortest = self.shortest.min(step);
            self.longest = self.longest.max(step);
            self.steps += 1;
        }
        self.last = time;
    }

    /// Samples per second; `None` if the column does not determine it.
    pub(super) fn rate(&self) -> Option<f64> {
        let first = self.first.filter(|_| self.is_sound && self.steps > 0)?;
        let step = (self.last - first) / self.steps as f64;
        let is_even = self.shortest > (1.0 - UNEVEN) * step && self.longest < (1.0 + UNEVEN) * step;
        let rate = 1.0 / (step * self.unit);
        let whole = rate.round();
        // Steps differ by the rounding of the times, and the first and last one are off by as much.
        let error = rate * ((self.longest - self.shortest) / (self.last - first) + ROUNDING);
        if step <= 0.0 || !is_even {
            return None;
        }
        // In a short table, more than one whole number can fit.
        if error < 0.5 && (rate - whole).abs() <= error && whole >= 1.0 {
            return Some(whole);
        }
        (error <= EXACT * rate).then_some(rate)
    }
}

/// The unit of time, in seconds, in brackets after a column's name.
pub(super) fn unit(name: &str) -> Option<f64> {
    let (_, unit) = name.split_once(['[', '('])?;
    let unit = unit.trim_end_matches([']', ')', ' ']).trim().to_lowercase();
    UNITS.iter().find(|(word, _)| *word == unit).map(|(_, seconds)| *seconds)
}
