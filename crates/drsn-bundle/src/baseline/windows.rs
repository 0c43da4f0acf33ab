//! The input shift of a whole recording, from the shifts of its windows.

use serde::Serialize;

use super::InputShift;

/// The distance of a recording from the training data.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct WindowsShift {
    /// Median of the windows' scores.
    pub score: f64,
    /// Share of windows that alarm.
    pub alarm_share: f64,
    /// Whether more windows alarm than the level explains.
    pub alarm: bool,
}

/// Summarises the windows of one recording; `None` if there are none.
///
/// It alarms if so many alarming windows, each with a probability equal to the level, would be
/// rarer than the level (a one-sided binomial test). Windows that overlap, or follow one another in
/// a steady signal, are not independent: then it alarms more often.
pub fn over_windows(windows: &[InputShift], alarm_level: f64) -> Option<WindowsShift> {
    let count = windows.len();
    let mut scores: Vec<f64> = windows.iter().map(|window| window.score).collect();
    scores.sort_by(f64::total_cmp);
    let score = f64::midpoint(*scores.get(count / 2)?, scores[(count - 1) / 2]);
    let alarms = windows.iter().filter(|window| window.alarm).count();
    let explained = is_explained(alarms, count, alarm_level);
    Some(WindowsShift { score, alarm_share: alarms as f64 / count as f64, alarm: !explained })
}

/// Whether so many alarms among `count` windows are no rarer than the level.
pub(super) fn is_explained(alarms: usize, count: usize, alarm_level: f64) -> bool {
    // A single alarming window has exactly the level's probability, except for rounding.
    at_least(alarms, count, alarm_level) > alarm_level * (1.0 + 1e-9)
}

/// Probability of at least `successes` in `count` trials of probability `p` each, 0 < p < 1.
fn at_least(successes: usize, count: usize, p: f64) -> f64 {
    // In logarithms, as (1 − p)^count underflows in f64 for long recordings.
    let odds = (p / (1.0 - p)).ln();
    let mut log_term = count as f64 * (-p).ln_1p();
    let mut sum = 0.0;
    for i in 0..=count {
        if i >= successes {
            sum += log_term.exp();
        }
        log_term += ((count - i) as f64 / (i + 1) as f64).ln() + odds;
    }
    sum.min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn windows(alarms: usize, count: usize) -> Vec<InputShift> {
        let window = |n| InputShift { score: n as f64, p_value: 0.5, alarm: n < alarms };
        (0..count).map(window).collect()
    }

    #[test]
    fn the_binomial_tail_is_that_of_the_definition() {
        assert!((at_least(2, 3, 0.5) - 0.5).abs() < 1e-12);
        assert!((at_least(0, 20_000, 0.5) - 1.0).abs() < 1e-9);
        assert!((at_least(10_000, 20_000, 0.5) - 0.502_820).abs() < 1e-5);
        assert!((at_least(1, 100, 0.01) - 0.633_968).abs() < 1e-6);
    }

    #[test]
    fn a_recording_alarms_if_more_windows_do_than_the_level_explains() {
        // P(X ≥ 4) is 0.018 for 100 windows at 0.01, and P(X ≥ 5) is 0.0034.
        for (alarms, count, expected) in
            [(0, 100, false), (4, 100, false), (5, 100, true), (0, 1, false), (1, 1, true)]
        {
            let found = over_windows(&windows(alarms, count), 0.01).unwrap();
            assert_eq!(found.alarm, expected, "{alarms} of {count}");
        }
    }

    #[test]
    fn the_score_is_the_median_and_no_windows_give_none() {
        assert_eq!(over_windows(&windows(0, 3), 0.01).map(|w| w.score), Some(1.0));
        assert_eq!(over_windows(&windows(2, 4), 0.01).map(|w| w.score), Some(1.5));
        assert_eq!(over_windows(&windows(2, 4), 0.01).map(|w| w.alarm_share), Some(0.5));
        assert_eq!(over_windows(&[], 0.01), None);
    }
}
