//! Where a long recording changed: the sequential test of its baseline over its windows.

use drsn_bundle::baseline::ChangeDetector;
use serde::Serialize;

/// A stretch of a recording that is unlike the training data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Change {
    /// First sample of the windows that speak for it, at the model's sample rate.
    pub(crate) start: u64,
    /// One past the last sample of the window that proved it.
    pub(crate) found: u64,
    /// First sample of the window by which as many usual ones had come; null if the recording ends before.
    pub(crate) end: Option<u64>,
}

/// The changes among windows of a length, given by their first samples and their p-values.
pub(crate) fn changes(
    mut detector: ChangeDetector,
    windows: impl Iterator<Item = (usize, f64)>,
    length: usize,
) -> Vec<Change> {
    let mut changes: Vec<Change> = Vec::new();
    for (first, p_value) in windows {
        let before = detector.alarm();
        detector.add(first as u64, p_value);
        match (before, detector.alarm(), changes.last_mut()) {
            (false, true, _) => {
                let start = detector.start().unwrap_or(first as u64);
                changes.push(Change { start, found: (first + length) as u64, end: None });
            }
            (true, false, Some(change)) => change.end = Some(first as u64),
            _ => {}
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use drsn_bundle::Manifest;

    use super::*;

    #[test]
    fn a_change_has_a_start_and_an_end_and_a_usual_recording_has_none() {
        let json = include_bytes!("../../../models/bearing/1/manifest.json");
        let baseline = Manifest::from_json(json).unwrap().baseline.unwrap();
        let detector = baseline.change_detector(10_000).unwrap();
        let held_out = baseline.shift.unwrap().held_out.count;
        let least = 1.0 / (held_out + 1) as f64;
        let usual = |n: usize| (n * 8, 0.5);
        let windows = (0..100).map(usual).chain((100..200).map(|n| (n * 8, least)));
        let found = changes(detector, windows.clone(), 16);
        let [change] = found[..] else { panic!("{found:?}") };
        assert_eq!((change.start, change.end), (800, None));
        assert!((800..800 + 50 * 8).contains(&change.found), "{change:?}");
        let found = changes(detector, windows.chain((200..500).map(usual)), 16);
        assert!(found.len() == 1 && found[0].end.is_some_and(|end| end > 1_600), "{found:?}");
        assert_eq!(changes(detector, (0..5_000).map(usual), 16), []);
    }
}
