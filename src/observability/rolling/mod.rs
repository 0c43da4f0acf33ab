//! The rolling view of a model: what came in the last hour and the last day, in memory of a fixed
//! size.
//!
//! Requests only add to counts that never fall. Once a minute they are copied, and a span of time is
//! the difference of two copies.

mod counts;
mod spans;

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

pub(crate) use counts::{Counts, P_VALUES};
use counts::{LEVEL_ALARMS, LEVEL_INPUTS, Layout, SHIFT_ALARMS, millionths};
use spans::Spans;

/// What came for a model, since this version of it was first loaded.
#[derive(Debug)]
pub(crate) struct Rolling {
    classes: Vec<String>,
    blocks: Vec<String>,
    layout: Layout,
    counts: Box<[AtomicU64]>,
    spans: Mutex<Spans>,
}

/// What came until now.
#[derive(Debug)]
pub(crate) struct View {
    /// Time since the counting began.
    pub(crate) age: Duration,
    pub(crate) hour: Span,
    pub(crate) day: Span,
}

/// What came in a span of time that ends now.
#[derive(Debug)]
pub(crate) struct Span {
    /// Time since its begin: up to a minute, or of a day up to an hour, more than its name says.
    pub(crate) age: Duration,
    pub(crate) counts: Counts,
    /// Its minutes, or of a day its hours, each with the time since it began; the oldest first.
    pub(crate) timeline: Vec<(Duration, Counts)>,
}

impl Rolling {
    /// Nothing yet, of a model with these classes and blocks.
    pub(crate) fn new(classes: Vec<String>, blocks: Vec<String>, now: Instant) -> Self {
        let layout = Layout { classes: classes.len(), blocks: blocks.len() };
        let counts = (0..layout.len()).map(|_| AtomicU64::new(0)).collect();
        let spans = Mutex::new(Spans::new(Counts::none(layout), now));
        Self { classes, blocks, layout, counts, spans }
    }

    /// Whether it is of a model with these classes and blocks.
    pub(crate) fn is_of(&self, classes: &[String], blocks: &[String]) -> bool {
        self.classes == classes && self.blocks == blocks
    }

    /// Counts an answer with this most probable class.
    pub(crate) fn add_prediction(&self, class: usize) {
        if class < self.layout.classes {
            self.add(Layout::class(class), 1);
        }
    }

    /// Counts the shift of an input: its p-value, whether it alarms, and the mean z-score of each
    /// block's channels.
    pub(crate) fn add_shift(&self, p_value: f64, alarm: bool, z: impl Iterator<Item = f64>) {
        self.add(Layout::p_value(p_value), 1);
        if alarm {
            self.add(SHIFT_ALARMS, 1);
        }
        for (block, z) in z.take(self.layout.blocks).enumerate() {
            self.add(self.layout.block(block), millionths(z));
        }
    }

    /// Counts the level of an input.
    pub(crate) fn add_level(&self, alarm: bool) {
        self.add(LEVEL_INPUTS, 1);
        if alarm {
            self.add(LEVEL_ALARMS, 1);
        }
    }

    /// Ends a minute.
    pub(crate) fn tick(&self, now: Instant) {
        let counts = self.now();
        self.spans.lock().unwrap_or_else(PoisonError::into_inner).tick(counts, now);
    }

    /// What came until now.
    pub(crate) fn view(&self, now: Instant) -> View {
        let counts = self.now();
        self.spans.lock().unwrap_or_else(PoisonError::into_inner).view(&counts, now)
    }

    fn add(&self, place: usize, amount: u64) {
        if let Some(count) = self.counts.get(place) {
            // Sums of z-scores wrap around below zero.
            count.fetch_add(amount, Ordering::Relaxed);
        }
    }

    fn now(&self) -> Counts {
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed));
        Counts::of(self.layout, counts.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn rolling(start: Instant) -> Rolling {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        Rolling::new(names(&["a", "b"]), names(&["stage1"]), start)
    }

    #[test]
    fn a_view_has_what_came_and_when_it_began() {
        let start = Instant::now();
        let rolling = rolling(start);
        let none = rolling.view(start).hour;
        assert_eq!((none.counts.predictions(), none.counts.mean_z(0)), (0, None));
        rolling.add_prediction(1);
        rolling.add_shift(0.004, true, [-1.5].into_iter());
        rolling.add_shift(1.0, false, [0.5].into_iter());
        rolling.add_level(true);
        let View { age, hour, day } = rolling.view(start + MINUTE / 2);
        assert_eq!((age, hour.age, day.age), (MINUTE / 2, MINUTE / 2, MINUTE / 2));
        for Span { counts, timeline, .. } in [hour, day] {
            assert_eq!(counts.classes(), [0, 1]);
            assert_eq!((counts.shift_inputs(), counts.shift_alarms()), (2, 1));
            assert_eq!((counts.level_inputs(), counts.level_alarms()), (1, 1));
            let p_values: Vec<u64> = counts.p_values().to_vec();
            assert_eq!(p_values, [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1]);
            assert!((counts.mean_z(0).unwrap() + 0.5).abs() < 1e-6);
            assert_eq!((timeline.len(), timeline[0].1.predictions()), (1, 1));
        }
    }

    #[test]
    fn what_is_older_than_an_hour_and_a_day_is_forgotten_in_memory_of_a_fixed_size() {
        let start = Instant::now();
        let rolling = rolling(start);
        let mut now = start;
        for minute in 0..3 * 24 * 60_u32 {
            rolling.add_prediction(usize::from(minute >= 24 * 60));
            now += MINUTE;
            rolling.tick(now);
        }
        let View { age, hour, day } = rolling.view(now + MINUTE / 4);
        assert_eq!(age, 3 * 24 * 60 * MINUTE + MINUTE / 4);
        assert!((60..=61).contains(&hour.counts.predictions()), "{hour:?}");
        assert!((60 * MINUTE..=61 * MINUTE).contains(&hour.age), "{hour:?}");
        assert!(hour.timeline.len() <= 62 && day.timeline.len() <= 26);
        assert!((24 * 60..=25 * 60).contains(&day.counts.predictions()), "{day:?}");
        assert_eq!(day.counts.classes()[0], 0, "of the first day");
        let hours: Vec<u64> = day.timeline.iter().map(|(_, hour)| hour.predictions()).collect();
        assert!(hours.iter().take(24).all(|&count| count == 60), "{hours:?}");
        let sum: u64 = hour.timeline.iter().map(|(_, minute)| minute.predictions()).sum();
        assert_eq!(sum, hour.counts.predictions());
    }

    /// The machine may sleep, or the task that ticks may come late.
    #[test]
    fn time_without_a_tick_is_told_and_not_taken_for_an_hour() {
        let start = Instant::now();
        let rolling = rolling(start);
        rolling.add_prediction(0);
        rolling.tick(start + MINUTE);
        let later = start + 300 * MINUTE;
        rolling.add_prediction(1);
        let hour = rolling.view(later).hour;
        assert_eq!((hour.counts.classes(), hour.age), (&[0, 1][..], 299 * MINUTE));
    }

    #[test]
    fn a_score_that_is_out_of_range_or_no_number_does_no_harm() {
        let start = Instant::now();
        let rolling = rolling(start);
        for z in [f64::NAN, f64::INFINITY, -1e300] {
            rolling.add_shift(f64::NAN, false, [z].into_iter());
        }
        rolling.add_prediction(7);
        let hour = rolling.view(start).hour;
        assert_eq!((hour.counts.shift_inputs(), hour.counts.predictions()), (3, 0));
        assert!(hour.counts.mean_z(0).unwrap().is_finite());
    }
}
