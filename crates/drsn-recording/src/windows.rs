//! The positions of windows of a fixed length in a recording.

use std::{num::NonZeroUsize, ops::Range};

/// Windows of `window` samples, one every `hop` samples, as ranges: `0..window`,
/// `hop..hop + window`, …
///
/// Samples at the end that do not fill a window are left out. There are no windows if `window` is 0
/// or above `length`.
pub fn windows(
    length: usize,
    window: usize,
    hop: NonZeroUsize,
) -> impl ExactSizeIterator<Item = Range<usize>> + DoubleEndedIterator + Clone {
    let count = match length.checked_sub(window) {
        Some(room) if window > 0 => room / hop + 1,
        _ => 0,
    };
    (0..count).map(move |index| index * hop.get()..index * hop.get() + window)
}

/// The same as [`windows`], and one more that ends with the recording if samples are left at the
/// end.
pub fn aligned_windows(
    length: usize,
    window: usize,
    hop: NonZeroUsize,
) -> impl Iterator<Item = Range<usize>> + Clone {
    let regular = windows(length, window, hop);
    let end = regular.clone().next_back().map(|last| last.end);
    let aligned = end.filter(|&end| end < length).map(|_| length - window..length);
    regular.chain(aligned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hop(hop: usize) -> NonZeroUsize {
        NonZeroUsize::new(hop).unwrap()
    }

    #[test]
    fn windows_leave_the_rest_and_aligned_windows_do_not() {
        let plain: Vec<_> = windows(10, 4, hop(4)).collect();
        assert_eq!(plain, [0..4, 4..8]);
        let aligned: Vec<_> = aligned_windows(10, 4, hop(4)).collect();
        assert_eq!(aligned, [0..4, 4..8, 6..10]);
        let fitting: Vec<_> = aligned_windows(8, 4, hop(2)).collect();
        assert_eq!(fitting, [0..4, 2..6, 4..8]);
    }

    #[test]
    fn a_short_recording_has_no_window() {
        assert_eq!(aligned_windows(3, 4, hop(1)).count(), 0);
        assert_eq!(windows(3, 0, hop(1)).len(), 0);
    }

    proptest! {
        #[test]
        fn windows_lie_within_the_recording_and_end_with_it(
            length in 0_usize..500, window in 1_usize..50, step in 1_usize..60
        ) {
            let all: Vec<_> = aligned_windows(length, window, hop(step)).collect();
            prop_assert!(all.iter().all(|w| w.len() == window && w.end <= length));
            for pair in all.windows(2) {
                let step_here = pair[1].start - pair[0].start;
                prop_assert!((1..=step).contains(&step_here), "{step_here}");
            }
            prop_assert_eq!(all.last().map(|w| w.end), (length >= window).then_some(length));
        }
    }
}
