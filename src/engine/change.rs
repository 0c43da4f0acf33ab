//! Whether the inputs of a model have changed: the sequential test of its baseline over all of them.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use drsn_bundle::{Manifest, baseline::ChangeDetector};

/// The test over all inputs since the model was loaded, in the order of their answers.
#[derive(Debug)]
pub(crate) struct ChangeWatch {
    started: Instant,
    /// Its places are seconds since then. Held for a few nanoseconds at a time.
    detector: Mutex<ChangeDetector>,
}

/// How the test stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Standing {
    pub(crate) alarm: bool,
    /// How near it is to an alarm, in [0, 1].
    pub(crate) evidence: f64,
    /// Age of the first input that speaks for a change; `None` if none does now.
    pub(crate) age: Option<Duration>,
}

impl ChangeWatch {
    /// Of a model with at most one false alarm in so many inputs on average; `None` without a baseline
    /// of the shift.
    pub(super) fn of(manifest: &Manifest, false_alarm_every: usize) -> Option<Self> {
        let detector = manifest.baseline.as_ref()?.change_detector(false_alarm_every as u64)?;
        Some(Self { started: Instant::now(), detector: Mutex::new(detector) })
    }

    /// Adds an input with this p-value.
    pub(crate) fn add(&self, p_value: f64) {
        let now = self.started.elapsed().as_secs();
        self.detector.lock().unwrap_or_else(PoisonError::into_inner).add(now, p_value);
    }

    pub(crate) fn standing(&self) -> Standing {
        let detector = *self.detector.lock().unwrap_or_else(PoisonError::into_inner);
        let start = detector.start().map(Duration::from_secs);
        Standing {
            alarm: detector.alarm(),
            evidence: detector.evidence(),
            age: start.map(|start| self.started.elapsed().saturating_sub(start)),
        }
    }
}
