//! Stretches of a recording in which a channel is constant: a window within one cannot be
//! normalised.

use std::ops::Range;

use ndarray::{ArrayView1, ArrayView2};

use crate::dataset::{
    constant_windows::Counts,
    windows::{Segment, WindowSpec},
};

/// Divides segments of `[channels, samples]` so that in no window of theirs a channel is constant,
/// and counts the windows that are left out. The others stay where they are.
pub(super) fn leave_out(
    samples: &ArrayView2<'_, f32>,
    segments: Vec<Segment>,
    spec: WindowSpec,
) -> (Vec<Segment>, Counts) {
    let mut parts = Vec::new();
    let mut counts = Counts::default();
    for segment in segments {
        let before = spec.starts(&segment).len();
        counts.windows += before;
        let stretches = find(samples, &segment.range, spec.length);
        if stretches.is_empty() {
            parts.push(segment);
            continue;
        }
        let ranges = varying(&segment.range, spec.length, &stretches).into_iter();
        let varying: Vec<Segment> = ranges.map(|range| Segment { range, ..segment }).collect();
        let after = varying.iter().map(|part| spec.starts(part).len()).sum::<usize>();
        counts.constant += before - after;
        parts.extend(varying);
    }
    (parts, counts)
}

/// Finds the stretches of at least `window` samples (not 0) in a range of `[channels, samples]`, in
/// the order of their beginnings.
fn find(samples: &ArrayView2<'_, f32>, range: &Range<usize>, window: usize) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> =
        samples.rows().into_iter().flat_map(|values| of_channel(&values, range, window)).collect();
    found.sort_by_key(|stretch| stretch.start);
    found
}

#[expect(clippy::float_cmp, reason = "constant means equal to the last bit")]
fn of_channel(
    values: &ArrayView1<'_, f32>,
    range: &Range<usize>,
    window: usize,
) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = range.start;
    for end in range.start + 1..=range.end {
        if end < range.end && values[end] == values[start] {
            continue;
        }
        if end - start >= window {
            found.push(start..end);
        }
        start = end;
    }
    found
}

/// The parts of a range in which no window is within one of its stretches, each at least as long as
/// a window. `stretches` are in the order of their beginnings.
fn varying(range: &Range<usize>, window: usize, stretches: &[Range<usize>]) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let mut start = range.start;
    for samples in stretches {
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
    use std::num::NonZeroUsize;

    use ndarray::Array2;
    use proptest::prelude::*;

    use super::*;
    use crate::dataset::subset::Subset;

    /// Regression: a recording that ends with silence, as many clips of sounds do, stopped the
    /// training.
    #[test]
    fn silence_is_left_out_of_its_segment_and_counted() {
        let samples = Array2::from_shape_fn((2, 100), |(channel, n)| {
            if channel == 1 && n >= 60 { 0.0 } else { (n % 7) as f32 }
        });
        let [hop, test_hop] = [5, 10].map(|hop| NonZeroUsize::new(hop).unwrap());
        let spec = WindowSpec { length: 10, hop, test_hop };
        for (subset, range, left, windows, constant) in [
            (Subset::Training, 0..90, Some(0..69), 17, 5),
            (Subset::Training, 0..69, Some(0..69), 12, 0),
            (Subset::Training, 70..90, None, 3, 3),
            (Subset::Test, 50..100, Some(50..69), 5, 4),
        ] {
            let segments = vec![Segment::new(0, subset, range)];
            let (parts, counts) = leave_out(&samples.view(), segments, spec);
            let ranges: Vec<_> = parts.into_iter().map(|segment| segment.range).collect();
            assert_eq!(ranges, Vec::from_iter(left));
            assert_eq!(counts, Counts { windows, constant });
        }
    }

    proptest! {
        /// Against the definition: exactly the windows in which every channel varies remain.
        #[test]
        fn exactly_the_windows_that_vary_remain(
            values in prop::collection::vec((0..2_u8, 1..9_usize), 1..12),
            others in prop::collection::vec(0..2_u8, 100),
            window in 2..6_usize,
            skip in 0..4_usize,
            hop in 1..5_usize,
        ) {
            let first: Vec<u8> = values.iter().flat_map(|&(v, n)| vec![v; n]).collect();
            let length = first.len();
            let samples = Array2::from_shape_fn((2, length), |(channel, n)| {
                f32::from(if channel == 0 { first[n] } else { others[n / 3] })
            });
            let hop = NonZeroUsize::new(hop).unwrap();
            let spec = WindowSpec { length: window, hop, test_hop: hop };
            let whole = Segment::new(0, Subset::Test, skip.min(length)..length);
            let all: Vec<usize> = spec.starts(&whole).collect();
            let (parts, counts) = leave_out(&samples.view(), vec![whole], spec);
            let left: Vec<usize> = parts.iter().flat_map(|part| spec.starts(part)).collect();
            let varies = |start: &usize| samples.rows().into_iter().all(|row| {
                (*start..start + window).any(|n| row[n] != row[*start])
            });
            let expected: Vec<usize> = all.iter().copied().filter(varies).collect();
            let constant = all.len() - expected.len();
            prop_assert_eq!(left, expected);
            prop_assert_eq!(counts, Counts { windows: all.len(), constant });
            // However a window is shifted within its part, it varies.
            let mut shifted =
                parts.iter().flat_map(|part| part.range.start..(part.range.end + 1).saturating_sub(window));
            prop_assert!(shifted.all(|start| varies(&start)));
        }
    }
}
