//! The sample rate of a table, from the column that tells the time of each row.
//!
//! The mean step decides: rounded times differ in their steps, and not in their mean. A step back
//! and one of several times the mean are breaks (a restart, a gap), which are counted and left out.

use super::{cells::number, names::unit_of_time};
use crate::{Notice, NoticeCode, RateSource};

/// Steps above this many times the mean of those before are gaps, if they are also above
/// [`STEP`] times the shortest one: in rounded times, many steps are zero and the others equal.
const GAP: f64 = 8.0;
const STEP: f64 = 3.0;
/// Steps before gaps are told: the first ones may be those of rounded times.
const SETTLED: u64 = 16;
/// Steps that differ by more than this share of their mean are called uneven.
const UNEVEN: f64 = 0.25;
/// Largest error of a rate that is called exact, as a share of it.
const EXACT: f64 = 1e-6;
/// Error of floating-point arithmetic, as a share of a rate.
const ROUNDING: f64 = 1e-9;

/// The column of times while its cells are read.
#[derive(Debug)]
pub(super) struct Clock {
    pub(super) column: usize,
    /// The unit of its numbers, in seconds, if it is known.
    unit: Option<f64>,
    first: Option<f64>,
    last: f64,
    /// The steps that are no breaks: their number, their sum, the shortest and the longest.
    steps: u64,
    sum: f64,
    shortest: f64,
    longest: f64,
    /// The shortest step above zero.
    finest: f64,
    breaks: u64,
    /// The line of the first break.
    first_break: u64,
    /// Cells that tell no time.
    unread: u64,
}

/// What a clock says.
#[derive(Debug, PartialEq)]
pub(super) struct Reading {
    /// Samples per second and where that is from; `None` if the column does not tell.
    pub(super) rate: Option<(f64, RateSource)>,
    pub(super) notice: Option<Notice>,
}

impl Clock {
    /// A column of times, in a unit of so many seconds if that is known.
    pub(super) fn new(column: usize, unit: Option<f64>) -> Self {
        Self {
            column,
            unit,
            first: None,
            last: 0.0,
            steps: 0,
            sum: 0.0,
            shortest: f64::INFINITY,
            longest: f64::NEG_INFINITY,
            finest: f64::INFINITY,
            breaks: 0,
            first_break: 0,
            unread: 0,
        }
    }

    /// Adds the next cell: a number, or a time of day, whose unit is a second.
    pub(super) fn tick(&mut self, cell: &str, line: u64) {
        let number = number(cell).map(|number| number.value).filter(|time| time.is_finite());
        let time = number.or_else(|| {
            let time = seconds(cell)?;
            self.unit = Some(1.0);
            Some(time)
        });
        let Some(time) = time else {
            self.unread += 1;
            return;
        };
        if self.first.is_none() {
            self.first = Some(time);
            self.last = time;
            return;
        }
        let step = time - self.last;
        self.last = time;
        let mean = self.sum / self.steps as f64;
        let is_gap = self.steps >= SETTLED && step > GAP * mean && step > STEP * self.finest;
        if step < 0.0 || is_gap {
            self.breaks += 1;
            if self.breaks == 1 {
                self.first_break = line;
            }
            return;
        }
        self.steps += 1;
        self.sum += step;
        self.shortest = self.shortest.min(step);
        self.longest = self.longest.max(step);
        if step > 0.0 {
            self.finest = self.finest.min(step);
        }
    }

    /// Whether every step is 1.
    fn counts(&self) -> bool {
        (self.shortest - 1.0).abs() < 1e-9 && (self.longest - 1.0).abs() < 1e-9
    }

    /// The rate; `name` is the column's, for a notice.
    pub(super) fn reading(&self, name: &str) -> Reading {
        let mean = self.sum / self.steps as f64;
        let column = if name.is_empty() {
            "the first column".to_owned()
        } else {
            format!("the column {name}")
        };
        let uneven = |what: String| Some(NoticeCode::UnevenClock.because(what));
        let first = self.first.unwrap_or_default();
        if self.steps == 0 || self.sum <= 0.0 || self.unread > 0 {
            let notice = uneven(format!(
                "{column} tells no usable times, so that it says nothing of the sample rate"
            ));
            return Reading {
                rate: None,
                notice: notice.filter(|_| self.breaks > 0 || self.unread > 0),
            };
        }
        let (unit, source) = match self.unit.or_else(|| epoch_unit(first)) {
            Some(unit) => (unit, None),
            // Whole numbers without a unit number the rows.
            None if self.counts() => {
                return Reading { rate: None, notice: None };
            }
            None => (1.0, Some(RateSource::ClockWithoutUnit)),
        };
        let rate = 1.0 / (mean * unit);
        // Steps differ by the rounding of the times, and the first and last one are off by as much.
        let error = rate * ((self.longest - self.shortest) / self.sum + ROUNDING);
        let whole = rate.round();
        let is_whole = error < 0.5 && (rate - whole).abs() <= error && whole >= 1.0;
        let rate = if is_whole { whole } else { rate };
        let is_exact = is_whole || error <= EXACT * rate;
        let source = source.unwrap_or(if is_exact && self.breaks == 0 {
            RateSource::Stated
        } else {
            RateSource::Clock
        });
        let jitter = (self.longest - self.shortest) / mean;
        let notice = if self.breaks > 0 {
            uneven(format!(
                "{column} jumps {} of {} times, first in line {}; the mean of the other steps, {rate:.6} Hz, was taken as the sample rate",
                self.breaks,
                self.steps + self.breaks,
                self.first_break
            ))
        } else if jitter > UNEVEN {
            uneven(format!(
                "{column} advances by {:.3} to {:.3} times its mean step; the mean, {rate:.6} Hz, was taken as the sample rate",
                self.shortest / mean,
                self.longest / mean
            ))
        } else {
            None
        };
        Reading { rate: Some((rate, source)), notice }
    }
}

/// The unit of times since 1970, which their size tells: in seconds from 2001 to 2039.
fn epoch_unit(first: f64) -> Option<f64> {
    const UNITS: [f64; 4] = [1.0, 1e-3, 1e-6, 1e-9];
    UNITS.into_iter().find(|unit| (1e9..2.2e9).contains(&(first * unit)))
}

/// The seconds of a time of day, or of a number with its unit: `0.25 sec`.
pub(super) fn seconds(cell: &str) -> Option<f64> {
    let with_unit = || {
        let (value, unit) = cell.trim().rsplit_once(' ')?;
        Some(number(value)?.value * unit_of_time(unit)?)
    };
    time_of_day(cell).or_else(with_unit)
}

/// The seconds of `23:59:59.999` at the end of a cell, after a date or not; also of `11:59:59.999 PM`,
/// and before an offset from UTC or in brackets.
pub(super) fn time_of_day(cell: &str) -> Option<f64> {
    let cell = without_zone(cell.trim().trim_matches(['[', ']']));
    let (cell, half) = match cell.split_at_checked(cell.len().saturating_sub(2)) {
        Some((time, half)) if half.eq_ignore_ascii_case("am") => (time.trim_end(), Some(0.0)),
        Some((time, half)) if half.eq_ignore_ascii_case("pm") => (time.trim_end(), Some(12.0)),
        _ => (cell, None),
    };
    let start = cell.rfind([' ', 'T']).map_or(0, |blank| blank + 1);
    let time = of_24_hours(cell.get(start..)?)?;
    let Some(half) = half else { return Some(time) };
    // 12 is the hour before 1.
    let is_half = (3600.0..46_800.0).contains(&time);
    is_half.then(|| time % 43_200.0 + half * 3600.0)
}

/// A time without what follows it of its zone: `Z`, ` UTC`, ` GMT`, `+01:00`, `-0500`.
fn without_zone(cell: &str) -> &str {
    let cell = cell.trim_end_matches(['Z', 'z']);
    let named = cell.strip_suffix("UTC").or_else(|| cell.strip_suffix("GMT"));
    let cell = named.map_or(cell, str::trim_end);
    let is_offset = |sign: usize| {
        let digits = cell.get(sign + 1..).map(|offset| offset.replace(':', ""));
        digits.is_some_and(|d| matches!(d.len(), 2 | 4) && d.bytes().all(|b| b.is_ascii_digit()))
    };
    // Dates have signs, too: `01-03-2024`.
    let sign = cell.rfind(['+', '-']).filter(|&sign| is_offset(sign));
    match sign.and_then(|sign| cell.get(..sign)).map(str::trim_end) {
        Some(time) if time.contains(':') => time,
        _ => cell,
    }
}

/// The seconds of `23:59:59.999`.
fn of_24_hours(time: &str) -> Option<f64> {
    let mut parts = time.split(':');
    let (hours, minutes) = (parts.next()?.parse::<u32>().ok()?, parts.next()?.parse::<u32>().ok()?);
    let seconds: f64 = parts.next().map_or(Some(0.0), |s| s.replace(',', ".").parse().ok())?;
    // `23:59:59:999`, as some telephones write it.
    let is_thousandth = |part: &str| part.len() == 3 && part.bytes().all(|b| b.is_ascii_digit());
    let thousandths = match parts.next() {
        None => 0.0,
        Some(part) if is_thousandth(part) && seconds.fract() == 0.0 => part.parse::<f64>().ok()?,
        Some(_) => return None,
    };
    let is_time = parts.next().is_none() && minutes < 60 && (0.0..61.0).contains(&seconds);
    let whole = f64::from(hours) * 3600.0 + f64::from(minutes) * 60.0;
    is_time.then(|| whole + seconds + thousandths / 1e3)
}
