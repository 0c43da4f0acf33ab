//! The input shift and level of a whole recording, from those of its windows.
//!
//! Windows of one recording depend on each other: they overlap, or follow one another in a steady
//! signal of the same machine. So their alarms cannot be counted as if each were a draw of its own.
//! Whatever the dependence, n / k times the k-th smallest of n p-values is a p-value (B. Rüger, Das
//! maximale Signifikanzniveau des Tests „Lehne H₀ ab, wenn k unter n gegebenen Tests zur Ablehnung
//! führen“, Metrika 25, 1978). With k = n / 2 it is twice the median.

use serde::Serialize;

use super::{InputShift, ShiftReason};

/// The distance of a recording from the training data.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct WindowsShift {
    /// Median of the windows' scores.
    pub score: f64,
    /// That of the recording, whatever the dependence of its windows.
    pub p_value: f64,
    /// Share of windows that alarm.
    pub alarm_share: f64,
    /// Whether the p-value is below the level.
    pub alarm: bool,
    /// With an alarm, the reason that most of the windows that alarm have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<ShiftReason>,
}

/// How p-values of windows are merged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Merging {
    /// Level of an alarm.
    pub(super) alarm_level: f64,
    /// Number of held-out inputs: it bounds how small a p-value can be.
    pub(super) held_out: u64,
}

impl Merging {
    /// The p-value of a recording from those of its windows, in any order; `None` if there are none.
    ///
    /// Half of the windows decide, or as many more as it takes for an alarm to be possible at all: of
    /// few held-out inputs the least p-value is large.
    pub(super) fn p_value(self, mut windows: Vec<f64>) -> Option<f64> {
        let count = windows.len();
        let least = 1.0 / (1 + self.held_out) as f64;
        let possible = (count as f64 * least / self.alarm_level).floor() as usize + 1;
        let decisive = count.div_ceil(2).max(possible).min(count);
        windows.sort_by(f64::total_cmp);
        let value = windows.get(decisive.checked_sub(1)?)?;
        Some((value * (count as f64 / decisive as f64)).min(1.0))
    }

    /// Summarises the windows of one recording; `None` if there are none.
    pub(super) fn shift(self, windows: &[InputShift]) -> Option<WindowsShift> {
        let count = windows.len();
        let mut scores: Vec<f64> = windows.iter().map(|window| window.score).collect();
        scores.sort_by(f64::total_cmp);
        let score = f64::midpoint(*scores.get(count / 2)?, scores[(count - 1) / 2]);
        let alarms = windows.iter().filter(|window| window.alarm).count();
        let p_value = self.p_value(windows.iter().map(|window| window.p_value).collect())?;
        let alarm_share = alarms as f64 / count as f64;
        let alarm = p_value < self.alarm_level;
        let reason = if alarm { most_frequent(windows) } else { None };
        Some(WindowsShift { score, p_value, alarm_share, alarm, reason })
    }
}

/// The most frequent reason of the windows that alarm: the first of equally frequent ones.
fn most_frequent(windows: &[InputShift]) -> Option<ShiftReason> {
    let count =
        |reason: ShiftReason| windows.iter().filter(|window| window.reason == Some(reason)).count();
    let counted = ShiftReason::ALL.map(|reason| (count(reason), reason));
    let (most, reason) = counted.into_iter().rev().max_by_key(|&(count, _)| count)?;
    (most > 0).then_some(reason)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn merging(held_out: u64) -> Merging {
        Merging { alarm_level: 0.01, held_out }
    }

    fn windows(p_values: &[f64]) -> Vec<InputShift> {
        let window = |(n, &p_value): (usize, &f64)| {
            let alarm = p_value < 0.01;
            let reason = alarm.then_some(ShiftReason::Features);
            InputShift { score: n as f64, p_value, alarm, reason }
        };
        p_values.iter().enumerate().map(window).collect()
    }

    #[test]
    fn half_of_the_windows_decide() {
        let p = |windows: &[f64]| merging(1000).p_value(windows.to_vec()).unwrap();
        assert!((p(&[0.3]) - 0.3).abs() < 1e-12, "one window");
        assert!((p(&[0.3, 0.2]) - 0.4).abs() < 1e-12, "Bonferroni's of two");
        assert!((p(&[0.9, 0.004, 0.003, 0.8]) - 0.008).abs() < 1e-12);
        assert!((p(&[0.9, 0.8, 0.7]) - 1.0).abs() < 1e-12, "never above one");
        assert_eq!(merging(1000).p_value(Vec::new()), None);
    }

    /// Of 120 held-out inputs no p-value is below 1 / 121, and twice the median could never be below
    /// 0.01: then more of the windows decide.
    #[test]
    fn a_recording_can_alarm_however_few_inputs_were_held_out() {
        for held_out in [100, 120, 199, 200, 5_000] {
            for count in 1..50 {
                let least = vec![1.0 / (1 + held_out) as f64; count];
                let p_value = merging(held_out).p_value(least).unwrap();
                assert!(p_value < 0.01, "{count} windows, {held_out} held out: {p_value}");
            }
        }
    }

    /// Regression: recordings that the model was trained on raised an alarm. Their windows depend on
    /// each other, and the alarms of a few were counted as if they were draws of their own.
    #[test]
    fn a_stretch_of_unusual_windows_in_a_usual_recording_is_no_alarm() {
        let mut p_values = vec![0.4; 110];
        p_values.extend([0.003; 10]);
        let found = merging(367).shift(&windows(&p_values)).unwrap();
        assert!(!found.alarm && found.p_value > 0.5, "{found:?}");
        assert!((found.alarm_share - 10.0 / 120.0).abs() < 1e-12);
        let found = merging(367).shift(&windows(&[0.003; 120])).unwrap();
        assert!(found.alarm, "{found:?}");
    }

    #[test]
    fn the_score_is_the_median_and_no_windows_give_none() {
        assert_eq!(merging(500).shift(&windows(&[0.5; 3])).map(|w| w.score), Some(1.0));
        assert_eq!(merging(500).shift(&windows(&[0.5; 4])).map(|w| w.score), Some(1.5));
        assert_eq!(merging(500).shift(&[]), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8))]

        /// The rate of alarms is at most the level for windows that are alike in any degree: a share
        /// of a recording's windows has one common rank, and the others have ranks of their own.
        #[test]
        fn the_rate_of_alarms_is_at_most_the_level(seed in any::<u64>(), alike in 0.0..1.0, count in 1_usize..60) {
            let mut state = seed | 1;
            let mut uniform = || {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 11) as f64 / (1_u64 << 53) as f64
            };
            let (trials, held_out) = (4_000, 999);
            let mut rank = || ((uniform() * 1_000.0).floor() + 1.0) / 1_000.0;
            let mut alarms = 0;
            for _ in 0..trials {
                let common = rank();
                let windows = (0..count)
                    .map(|n| if (n as f64) < alike * count as f64 { common } else { rank() });
                let merged = merging(held_out).p_value(windows.collect()).unwrap();
                alarms += usize::from(merged < 0.01);
            }
            // Six standard deviations above 1 %.
            prop_assert!(alarms <= 78, "{alarms} of {trials}");
        }
    }
}
