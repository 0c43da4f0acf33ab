//! Stretches of a recording in which a channel is constant: a window within one cannot be
//! normalised.

use std::ops::Range;

use ndarray::{ArrayView1, ArrayView2};

use crate::dataset::{note::Note, subset::Subset, windows::Segment};

/// A stretch of one channel, at least as long as a window.
#[derive(Debug, Clone, PartialEq)]
struct Stretch {
    /// The channel, from 0.
    channel: usize,
    /// Its value.
    value: f32,
    /// Its samples.
    samples: Range<usize>,
}

/// Refuses segments of `[channels, samples]` with a window in which a channel is constant; or, if
/// they are to be left out, divides the segments so that there is none, and tells whether there
/// was one.
pub(super) fn leave_out(
    samples: &ArrayView2<'_, f32>,
    segments: Vec<Segment>,
    window: usize,
    are_left_out: bool,
) -> Result<(Vec<Segment>, bool), String> {
    let mut parts = Vec::new();
    let mut is_shortened = false;
    for segment in segments {
        let stretches = find(samples, &segment.range, window);
        let Some(Stretch { channel, value, samples }) = stretches.first() else {
            parts.push(segment);
            continue;
        };
        let ranges = varying(&segment.range, window, &stretches);
        if !are_left_out || ranges.is_empty() && segment.subset == Subset::Training {
            return Err(format!(
                "channel {channel} is constant ({value}) from sample {} to {}, for at least a \
                 window of {window}: list the parts with a signal in an index, or leave such \
                 windows out with --skip-bad",
                samples.start,
                samples.end - 1
            ));
        }
        is_shortened = true;
        parts.extend(ranges.into_iter().map(|range| Segment { range, ..segment }));
    }
    Ok((parts, is_shortened))
}

/// Tells of which recordings windows were left out, if of any.
pub(super) fn note(names: Vec<String>) -> Option<Note> {
    let recordings = match names.len() {
        0 => return None,
        1 => "1 recording".to_owned(),
        count => format!("{count} recordings"),
    };
    Some(Note::new(format!("constant windows of {recordings} were left out"), names))
}

/// Finds the stretches of at least `window` samples (not 0) in a range of `[channels, samples]`, in
/// the order of their beginnings.
fn find(samples: &ArrayView2<'_, f32>, range: &Range<usize>, window: usize) -> Vec<Stretch> {
    let channels = samples.rows().into_iter().enumerate();
    let mut found: Vec<Stretch> = channels
        .flat_map(|(channel, values)| of_channel(channel, &values, range, window))
        .collect();
    found.sort_by_key(|stretch| stretch.samples.start);
    found
}

#[expect(clippy::float_cmp, reason = "constant means equal to the last bit")]
fn of_channel(
    channel: usize,
    values: &ArrayView1<'_, f32>,
    range: &Range<usize>,
    window: usize,
) -> Vec<Stretch> {
    let mut found = Vec::new();
    let mut start = range.start;
    for end in range.start + 1..=range.end {
        if end < range.end && values[end] == values[start] {
            continue;
        }
        if end - start >= window {
            found.push(Stretch { channel, value: values[start], samples: start..end });
        }
        start = end;
    }
    found
}

/// The parts of a range in which no window is within one of its stretches, each at least as long as
/// a window. `stretches` are in the order of their beginnings.
fn varying(range: &Range<usize>, window: usize, stretches: &[Stretch]) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let mut start = range.start;
    for Stretch { samples, .. } in stretches {
        // The last sample of the stretch's first window is left out, and so is the first one of its
        // last window.
        let end = samples.start + window - 1;
        if end >= start + window {
            parts.push(start..end);
        }
        start = start.max(samples.end - window + 1);
    }
    if range.end >= start + window {
        parts.push(start..range.end);
    }
    parts
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;
    use proptest::prelude::*;

    use super::*;

    fn segment(subset: Subset, range: Range<usize>) -> Segment {
        Segment { recording: 0, subset, range }
    }

    /// Regression: a recording that ends with silence, as many clips of sounds do, stopped the
    /// training in the middle with "a dead sensor cannot be classified", and nothing but another
    /// file helped.
    #[test]
    fn silence_is_refused_with_what_to_do_or_left_out_of_its_segment() {
        let samples = Array2::from_shape_fn((2, 100), |(channel, n)| {
            if channel == 1 && n >= 60 { 0.0 } else { (n % 7) as f32 }
        });
        let leave_out = |subset, range, are_left_out| {
            leave_out(&samples.view(), vec![segment(subset, range)], 10, are_left_out)
        };
        let error = leave_out(Subset::Training, 0..90, false).unwrap_err();
        let expected =
            "channel 1 is constant (0) from sample 60 to 89, for at least a window of 10: ";
        assert!(error.starts_with(expected) && error.ends_with("--skip-bad"), "{error}");
        for (subset, range, expected) in [
            (Subset::Training, 0..90, Some((Some(0..69), true))),
            (Subset::Training, 0..69, Some((Some(0..69), false))),
            (Subset::Training, 70..90, None),
            (Subset::Test, 70..90, Some((None, true))),
        ] {
            let found = leave_out(subset, range, true).ok().map(|(segments, is_shortened)| {
                let mut ranges = segments.into_iter().map(|segment| segment.range);
                let (first, rest) = (ranges.next(), ranges.count());
                assert_eq!(rest, 0);
                (first, is_shortened)
            });
            assert_eq!(found, expected);
        }
        assert_eq!(note(Vec::new()), None);
        let told = note(vec!["a.wav".to_owned()]).unwrap().to_string();
        assert_eq!(told, "constant windows of 1 recording were left out: a.wav");
    }

    proptest! {
        /// Against the definition: exactly the windows in which every channel varies remain.
        #[test]
        fn exactly_the_windows_that_vary_remain(
            values in prop::collection::vec((0..2_u8, 1..9_usize), 1..12),
            others in prop::collection::vec(0..2_u8, 100),
            window in 2..6_usize,
            skip in 0..4_usize,
        ) {
            let first: Vec<u8> = values.iter().flat_map(|&(v, n)| vec![v; n]).collect();
            let length = first.len();
            let samples = Array2::from_shape_fn((2, length), |(channel, n)| {
                f32::from(if channel == 0 { first[n] } else { others[n / 3] })
            });
            let range = skip.min(length)..length;
            let stretches = find(&samples.view(), &range, window);
            let parts = varying(&range, window, &stretches);
            let starts = |range: &Range<usize>| range.start..(range.end + 1).saturating_sub(window);
            let left: Vec<usize> = parts.iter().flat_map(starts).collect();
            let varies = |start: &usize| samples.rows().into_iter().all(|row| {
                (*start..start + window).any(|n| row[n] != row[*start])
            });
            prop_assert_eq!(left, starts(&range).filter(varies).collect::<Vec<_>>());
        }
    }
}
