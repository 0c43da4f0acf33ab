//! The copies of counts from which spans of time are made.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::{Span, View, counts::Counts};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
/// Copies of the last hour, and one that is older.
const MINUTES: usize = 61;
/// Copies of the last day, and one that is older.
const HOURS: usize = 25;

/// Counts at the ends of minutes and hours.
#[derive(Debug)]
pub(super) struct Spans {
    start: Instant,
    minutes: VecDeque<(Instant, Counts)>,
    hours: VecDeque<(Instant, Counts)>,
}

impl Spans {
    /// Nothing yet; `none` are counts of zero.
    pub(super) fn new(none: Counts, start: Instant) -> Self {
        let (mut minutes, mut hours) =
            (VecDeque::with_capacity(MINUTES), VecDeque::with_capacity(HOURS));
        minutes.push_back((start, none.clone()));
        hours.push_back((start, none));
        Self { start, minutes, hours }
    }

    /// Ends a minute, and an hour if one is over.
    pub(super) fn tick(&mut self, counts: Counts, now: Instant) {
        let last = self.hours.back().map_or(self.start, |(time, _)| *time);
        // A tick may come a little early or late.
        if now.saturating_duration_since(last) + MINUTE / 2 >= HOUR {
            push(&mut self.hours, HOURS, (now, counts.clone()));
        }
        push(&mut self.minutes, MINUTES, (now, counts));
    }

    pub(super) fn view(&self, counts: &Counts, now: Instant) -> View {
        View {
            age: now.saturating_duration_since(self.start),
            hour: span(&self.minutes, HOUR, counts, now),
            day: span(&self.hours, 24 * HOUR, counts, now),
        }
    }
}

fn push(copies: &mut VecDeque<(Instant, Counts)>, most: usize, copy: (Instant, Counts)) {
    if copies.len() >= most {
        copies.pop_front();
    }
    copies.push_back(copy);
}

/// What came since the youngest copy that is at least so old, or the oldest if none is.
fn span(
    copies: &VecDeque<(Instant, Counts)>,
    length: Duration,
    counts: &Counts,
    now: Instant,
) -> Span {
    let age = |time: Instant| now.saturating_duration_since(time);
    let old = copies.iter().rposition(|(time, _)| age(*time) >= length).unwrap_or(0);
    let from: Vec<&(Instant, Counts)> = copies.iter().skip(old).collect();
    let ends = from.iter().skip(1).map(|(_, counts)| counts).chain([counts]);
    let timeline = from.iter().zip(ends).map(|((time, then), end)| (age(*time), end.since(then)));
    let (age_of_first, first) =
        from.first().map_or((Duration::ZERO, counts), |(time, counts)| (age(*time), counts));
    Span { age: age_of_first, counts: counts.since(first), timeline: timeline.collect() }
}
