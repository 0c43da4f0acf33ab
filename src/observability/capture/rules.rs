//! Which inputs are kept.

use std::{
    sync::{Mutex, PoisonError},
    time::Instant,
};

use crate::config::CaptureFlags;

/// Why an input is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each reason may apply beside the others")]
pub(crate) struct Reasons {
    /// Its shift alarms.
    shift: bool,
    /// Its level alarms.
    level: bool,
    /// Its most probable class is not probable.
    uncertain: bool,
    /// It is one of the share of all inputs.
    sample: bool,
}

impl Reasons {
    /// The reasons' names, in the order of their importance.
    pub(super) fn names(self) -> impl Iterator<Item = &'static str> {
        let Self { shift, level, uncertain, sample } = self;
        [(shift, "shift"), (level, "level"), (uncertain, "uncertain"), (sample, "sample")]
            .into_iter()
            .filter_map(|(applies, name)| applies.then_some(name))
    }

    /// The most important reason.
    pub(super) fn first(self) -> &'static str {
        self.names().next().unwrap_or("sample")
    }
}

/// Which inputs of a model are kept.
#[derive(Debug)]
pub(super) struct Rules {
    below: f64,
    share: f64,
    alarms: Mutex<Allowance>,
    uncertain: Mutex<Allowance>,
    samples: Mutex<Allowance>,
}

/// How many more may be kept now: a token bucket that is full after a minute.
#[derive(Debug)]
struct Allowance {
    per_minute: f64,
    left: f64,
    at: Instant,
}

impl Rules {
    pub(super) fn new(flags: &CaptureFlags) -> Self {
        let per_minute = f64::from(flags.capture_per_minute.get());
        let allowance =
            || Mutex::new(Allowance { per_minute, left: per_minute, at: Instant::now() });
        Self {
            below: flags.capture_below,
            share: flags.capture_share,
            alarms: allowance(),
            uncertain: allowance(),
            samples: allowance(),
        }
    }

    /// Why an input is to be kept, if it is.
    pub(super) fn reasons(&self, shift: bool, level: bool, probability: f32) -> Option<Reasons> {
        let uncertain = f64::from(probability) < self.below;
        let sample = fastrand::f64() < self.share;
        (shift || level || uncertain || sample).then_some(Reasons {
            shift,
            level,
            uncertain,
            sample,
        })
    }

    /// Whether there is room for one more input with these reasons; takes it.
    pub(super) fn admit(&self, reasons: Reasons) -> bool {
        let Reasons { shift, level, uncertain, sample } = reasons;
        let now = Instant::now();
        let take = |applies: bool, allowance: &Mutex<Allowance>| {
            applies && allowance.lock().unwrap_or_else(PoisonError::into_inner).take(now)
        };
        // Each of them, so that a sample takes no more than its own.
        take(shift || level, &self.alarms)
            | take(uncertain, &self.uncertain)
            | take(sample, &self.samples)
    }
}

impl Allowance {
    fn take(&mut self, now: Instant) -> bool {
        let minutes = now.saturating_duration_since(self.at).as_secs_f64() / 60.0;
        self.left = (self.left + minutes * self.per_minute).min(self.per_minute);
        self.at = self.at.max(now);
        let is_taken = self.left >= 1.0;
        if is_taken {
            self.left -= 1.0;
        }
        is_taken
    }
}

#[cfg(test)]
mod tests {
    use std::{num::NonZero, time::Duration};

    use super::*;

    fn rules(share: f64) -> Rules {
        Rules::new(&CaptureFlags {
            folder: None,
            capture_bytes: NonZero::<u64>::MIN,
            capture_below: 0.5,
            capture_share: share,
            capture_per_minute: NonZero::new(60).unwrap(),
        })
    }

    #[test]
    fn alarms_and_uncertain_inputs_are_kept_and_others_are_not() {
        let rules = rules(0.0);
        let names = |shift, level, probability| {
            let reasons = rules.reasons(shift, level, probability);
            reasons.map(|reasons| reasons.names().collect::<Vec<_>>().join(","))
        };
        assert_eq!(names(false, false, 0.5), None);
        assert_eq!(names(false, false, 0.499).as_deref(), Some("uncertain"));
        assert_eq!(names(true, true, 0.1).as_deref(), Some("shift,level,uncertain"));
        assert_eq!(names(false, true, 0.9).as_deref(), Some("level"));
    }

    #[test]
    fn the_share_is_drawn_at_random() {
        let rules = rules(0.01);
        let drawn = (0..100_000).filter(|_| rules.reasons(false, false, 1.0).is_some()).count();
        // Five standard deviations of a binomial distribution.
        assert!((843..=1157).contains(&drawn), "{drawn}");
    }

    #[test]
    fn a_storm_of_alarms_leaves_room_for_samples_and_is_followed_by_one_a_second() {
        let rules = rules(0.0);
        let alarm = Reasons { shift: true, level: false, uncertain: false, sample: false };
        let sample = Reasons { shift: false, sample: true, ..alarm };
        let admitted = (0..10_000).filter(|_| rules.admit(alarm)).count();
        assert!((60..=70).contains(&admitted), "{admitted}");
        assert!(rules.admit(sample));
        let mut allowance = rules.alarms.lock().unwrap();
        let later = Instant::now() + Duration::from_millis(2100);
        assert_eq!((0..10).filter(|_| allowance.take(later)).count(), 2);
    }
}
