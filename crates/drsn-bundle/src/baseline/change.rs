//! A sequential test of whether a stream of inputs has changed, with a bound on how often it is wrong.
//!
//! It is a cumulative sum over p-values, S ← min(max(S + 1/p − 1/α, 0), h), where α is the alarm level.
//! It alarms when S reaches h, until S is back at 0. Each alarm uses up h of the sum of all positive
//! steps, so the number of alarms among T inputs is at most that sum divided by h, and its mean at most
//! T · E[(1/p − 1/α)₊] / h, whatever the dependence of the inputs. A p-value is a rank among n held-out
//! inputs, so that mean of a step is known, and h is N times it: on average one false alarm in N
//! inputs or fewer.

use super::Baseline;

/// Held-out inputs up to which sums over their ranks are exact.
const EXACT: u64 = 10_000;
/// The Euler–Mascheroni constant.
const GAMMA: f64 = 0.577_215_664_901_532_9;

/// The test, at some place of a stream.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChangeDetector {
    alarm_level: f64,
    /// h.
    limit: f64,
    /// S.
    sum: f64,
    /// The first sample of the input at which S left 0 the last time.
    start: u64,
    alarm: bool,
}

impl Baseline {
    /// The test at the start of a stream, with at most one false alarm in so many inputs on average;
    /// `None` without a baseline of the shift.
    pub fn change_detector(&self, false_alarm_every: u64) -> Option<ChangeDetector> {
        let held_out = self.shift.as_ref()?.held_out.count;
        Some(ChangeDetector::new(self.alarm_level, held_out, false_alarm_every))
    }
}

impl ChangeDetector {
    fn new(alarm_level: f64, held_out: u64, false_alarm_every: u64) -> Self {
        let limit = false_alarm_every as f64 * mean_step(alarm_level, held_out);
        Self { alarm_level, limit, sum: 0.0, start: 0, alarm: false }
    }

    /// Adds the next input, which begins at sample `start`.
    pub fn add(&mut self, start: u64, p_value: f64) {
        if self.sum <= 0.0 {
            self.start = start;
        }
        let step = 1.0 / p_value - 1.0 / self.alarm_level;
        self.sum = (self.sum + step).clamp(0.0, self.limit);
        self.alarm = self.sum >= self.limit || (self.alarm && self.sum > 0.0);
    }

    /// Whether the stream has changed.
    pub fn alarm(&self) -> bool {
        self.alarm
    }

    /// S / h: how near it is to an alarm, in [0, 1].
    pub fn evidence(&self) -> f64 {
        self.sum / self.limit
    }

    /// The first sample of the inputs that speak for a change; `None` if none do now.
    pub fn start(&self) -> Option<u64> {
        (self.sum > 0.0).then_some(self.start)
    }
}

/// E[(1/p − 1/α)₊] of unchanged inputs: p is uniform on 1/(n + 1), …, 1.
fn mean_step(alarm_level: f64, held_out: u64) -> f64 {
    let ranks = (held_out + 1) as f64;
    // With rounding, a rank exactly at the level adds nothing either way.
    let below = (alarm_level * ranks).floor().max(1.0) as u64;
    let harmonic = if below <= EXACT {
        (1..=below).map(|rank| 1.0 / rank as f64).sum()
    } else {
        (below as f64).ln() + GAMMA + 0.5 / below as f64
    };
    harmonic - below as f64 / ranks / alarm_level
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Uniform(u64);

    impl Uniform {
        fn next(&mut self) -> f64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 >> 11) as f64 / (1_u64 << 53) as f64
        }

        /// The p-value of an unchanged input.
        fn p_value(&mut self, held_out: u64) -> f64 {
            let ranks = (held_out + 1) as f64;
            ((self.next() * ranks).floor() + 1.0) / ranks
        }
    }

    /// Alarms among `inputs` inputs, of which `alike` at a time have the same p-value.
    fn alarms(held_out: u64, every: u64, alike: u64, inputs: u64, seed: u64) -> u64 {
        let mut random = Uniform(seed);
        let mut detector = ChangeDetector::new(0.01, held_out, every);
        let (mut p_value, mut alarms) = (1.0, 0);
        for n in 0..inputs {
            if n.is_multiple_of(alike) {
                p_value = random.p_value(held_out);
            }
            let before = detector.alarm();
            detector.add(n, p_value);
            alarms += u64::from(detector.alarm() && !before);
        }
        alarms
    }

    #[test]
    fn the_mean_step_is_that_of_the_definition() {
        for (level, held_out) in [(0.01, 100), (0.01, 367), (0.05, 5_000), (0.01, 3_000_000)] {
            let ranks = held_out + 1;
            let step = |rank: u64| (ranks as f64 / rank as f64 - 1.0 / level).max(0.0);
            let expected = (1..=ranks).map(step).sum::<f64>() / ranks as f64;
            let found = mean_step(level, held_out);
            assert!((found - expected).abs() < 1e-6 * expected, "{held_out}: {found}, {expected}");
        }
    }

    /// The bound holds for independent inputs, and for stretches of any length that are all alike. It is
    /// reached by the worst stretches: those just as long as it takes to find a change.
    #[test]
    fn false_alarms_are_at_most_one_in_so_many_inputs_however_they_depend() {
        let (held_out, every, inputs) = (367, 2_000, 4_000_000);
        let allowed = (inputs / every) as f64;
        let mut most = 0;
        for alike in [1, 2, 5, 7, 8, 10, 20, 50, 200, 1_000] {
            let found = alarms(held_out, every, alike, inputs, 88_172_645_463_325_252);
            eprintln!("{alike} alike: {found} alarms, {allowed} allowed");
            // Stretches alarm independently of each other.
            assert!(found as f64 <= allowed + 4.0 * allowed.sqrt(), "{alike}: {found}");
            most = most.max(found);
        }
        assert!(most as f64 >= 0.5 * allowed, "the bound is near: {most}");
        assert_eq!(alarms(held_out, 10_000, 1, inputs, 7), 0, "independent inputs at the default");
    }

    #[test]
    fn a_change_is_found_soon_and_where_it_began() {
        // Inputs after the change until it is found, for a share of them that is as unusual as can be.
        for (held_out, share, most) in
            [(367, 1.0, 39), (367, 0.5, 200), (5_000, 1.0, 8), (5_000, 0.5, 30)]
        {
            let mut random = Uniform(12_345);
            let (mut delays, mut early) = (Vec::new(), 0);
            for _ in 0..200 {
                let mut detector = ChangeDetector::new(0.01, held_out, 10_000);
                (0..500).for_each(|n| detector.add(n, random.p_value(held_out)));
                let mut n = 500;
                while !detector.alarm() {
                    let is_unusual = random.next() < share;
                    let least = 1.0 / (held_out + 1) as f64;
                    let p_value = if is_unusual { least } else { random.p_value(held_out) };
                    detector.add(n, p_value);
                    n += 1;
                }
                delays.push(n - 500);
                early += u64::from(detector.start().is_some_and(|start| start < 500));
            }
            delays.sort_unstable();
            let (median, slow) = (delays[100], delays[190]);
            eprintln!("{held_out} held out, {share} unusual: after {median}, 95 % within {slow}");
            assert!(slow <= most && early <= 20, "{held_out}, {share}: {slow}, {early}");
        }
    }

    #[test]
    fn an_alarm_lasts_until_what_spoke_for_it_is_used_up() {
        let mut detector = ChangeDetector::new(0.01, 5_000, 10_000);
        assert_eq!((detector.start(), detector.alarm()), (None, false));
        detector.add(100, 0.7);
        (0..10).for_each(|n| detector.add(200 + n, 1.0 / 5_001.0));
        assert!(detector.alarm() && detector.start() == Some(200));
        assert!((detector.evidence() - 1.0).abs() < 1e-12);
        detector.add(300, 1.0);
        assert!(detector.alarm(), "one usual input ends no alarm");
        (0..1_000).for_each(|n| detector.add(301 + n, 1.0));
        assert_eq!((detector.alarm(), detector.start()), (false, None));
    }

    /// What one calibration set does to the rate: the probability of each least p-value is itself random.
    #[test]
    fn the_rate_given_the_held_out_inputs_is_known_with_a_confidence() {
        let mut random = Uniform(99);
        for (held_out, most) in [(367, 3.2), (1_000, 3.0), (5_000, 2.5)] {
            let ranks = (held_out + 1) as f64;
            let below = (0.01 * ranks).floor() as usize;
            let mut ratios: Vec<f64> = (0..4_000)
                .map(|_| {
                    // Gaps between ordered uniform numbers are exponential ones over their sum.
                    let gaps: Vec<f64> =
                        (0..below).map(|_| -(1.0 - random.next()).ln() / ranks).collect();
                    let steps = (1..).map(|rank| ranks / f64::from(rank) - 100.0);
                    gaps.iter().zip(steps).map(|(gap, step)| gap * step).sum::<f64>()
                        / mean_step(0.01, held_out)
                })
                .collect();
            ratios.sort_by(f64::total_cmp);
            eprintln!(
                "{held_out} held out: with 95 % confidence {:.2} times as often",
                ratios[3_800]
            );
            assert!(ratios[3_800] < most);
        }
    }
}
