//! Cuts a signal into windows as it arrives.

use std::num::NonZeroUsize;

use drsn_bundle::{PaddingError, SignalSpec};
use drsn_recording::{Notice, NoticeCode};
use ndarray::{Array2, ArrayView2, s};

use crate::engine::inputs::append;

/// Cuts a window every `hop` samples, and at the end of the signal one that is aligned to it.
#[derive(Debug)]
pub(crate) struct WindowCutter {
    window: usize,
    hop: NonZeroUsize,
    /// The samples that later windows still need, of each channel.
    samples: Vec<Vec<f32>>,
    /// The position in the signal of the first of them.
    first: usize,
    /// Where the next window starts.
    next: usize,
    /// Where the last window started.
    last: Option<usize>,
    ended: bool,
}

/// Samples from the start of a window to the start of the next, at least 1. `overlap`, in [0, 1),
/// is the share of a window that the next one repeats.
pub(super) fn hop(window: usize, overlap: f64) -> NonZeroUsize {
    let hop = (window as f64 * (1.0 - overlap)).round() as usize;
    NonZeroUsize::new(hop).unwrap_or(NonZeroUsize::MIN)
}

/// Windows of an ended signal of `length` samples.
fn count_of_windows(length: u64, window: usize, hop: NonZeroUsize) -> u64 {
    match length.checked_sub(window as u64) {
        None => 0,
        Some(room) => room.div_ceil(hop.get() as u64) + 1,
    }
}

impl WindowCutter {
    pub(crate) fn new(channels: usize, window: usize, overlap: f64) -> Self {
        Self {
            window,
            hop: hop(window, overlap),
            samples: vec![Vec::new(); channels],
            first: 0,
            next: 0,
            last: None,
            ended: false,
        }
    }

    /// Samples of each window.
    pub(crate) fn window(&self) -> usize {
        self.window
    }

    /// Samples of each channel so far.
    pub(crate) fn length(&self) -> usize {
        self.first + self.samples.first().map_or(0, Vec::len)
    }

    /// Windows of an ended signal of `length` samples.
    pub(super) fn count_of_windows(&self, length: u64) -> u64 {
        count_of_windows(length, self.window, self.hop)
    }

    /// Adds the next samples, `[C, T]`.
    #[expect(clippy::needless_pass_by_value, reason = "a view is as cheap as a reference to one")]
    pub(crate) fn push(&mut self, block: ArrayView2<'_, f32>) {
        // The window aligned to the end can start anywhere behind the last one.
        let needed = self.last.map_or(0, |last| last + 1);
        let surplus = needed - self.first;
        // Not for every block: draining moves the samples that stay.
        if surplus >= self.window {
            for samples in &mut self.samples {
                samples.drain(..surplus);
            }
            self.first = needed;
        }
        for (samples, new) in self.samples.iter_mut().zip(block.outer_iter()) {
            append(samples, &new);
        }
    }

    /// Ends the signal: from now on [`Self::next_window`] also cuts the window aligned to the end.
    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    /// Extends an ended signal of fewer samples than a window to one, as in training, and tells it.
    ///
    /// # Errors
    /// [`PaddingError`] if the model does not extend such a signal.
    pub(crate) fn pad(&mut self, spec: &SignalSpec) -> Result<Option<Notice>, PaddingError> {
        let (length, window) = (self.length(), self.window);
        if length >= window {
            return Ok(None);
        }
        let channel = |(channel, at): (usize, usize)| self.samples[channel][at];
        let samples = Array2::from_shape_fn((self.samples.len(), length), channel);
        let padded = spec.padded(&samples.view())?;
        self.push(padded.slice(s![.., length..]));
        Ok(Some(NoticeCode::Padded.because(format!(
            "the recording has {length} samples at the model's rate, and was extended at its end to the {window} of a window, as in the training of the model"
        ))))
    }

    /// Whether [`Self::next_window`] would cut a window.
    pub(crate) fn has_window(&self) -> bool {
        self.next_start().is_some()
    }

    /// Appends the next window to `values`, channel after channel, and returns where it starts;
    /// `None` if it needs more samples or there is no further window.
    pub(crate) fn next_window(&mut self, values: &mut Vec<f32>) -> Option<usize> {
        let start = self.next_start()?;
        for samples in &self.samples {
            values.extend_from_slice(&samples[start - self.first..][..self.window]);
        }
        self.last = Some(start);
        self.next = start + self.hop.get();
        Some(start)
    }

    /// Samples of each channel behind the last window.
    pub(crate) fn left_over(&self) -> usize {
        self.length() - self.last.map_or(0, |last| last + self.window)
    }

    /// Memory of the samples that are kept.
    pub(crate) fn bytes(&self) -> u64 {
        self.samples.iter().map(|samples| size_of_val(&samples[..]) as u64).sum()
    }

    fn next_start(&self) -> Option<usize> {
        let length = self.length();
        if self.next + self.window <= length {
            return Some(self.next);
        }
        let aligned = self.ended.then(|| length.checked_sub(self.window)).flatten()?;
        self.last.is_none_or(|last| aligned > last).then_some(aligned)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, aview2, s};
    use proptest::prelude::*;

    use super::*;

    fn cut_all(cutter: &mut WindowCutter) -> Vec<(usize, Vec<f32>)> {
        let mut next = || {
            let mut values = Vec::new();
            cutter.next_window(&mut values).map(|start| (start, values))
        };
        std::iter::from_fn(&mut next).collect()
    }

    #[test]
    fn windows_follow_one_another_and_overlap_as_they_are_told() {
        let mut cutter = WindowCutter::new(1, 4, 0.5);
        cutter.push(aview2(&[[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]]));
        let cut = cut_all(&mut cutter);
        assert_eq!(cut[1], (2, vec![2.0, 3.0, 4.0, 5.0]));
        assert_eq!((cut.len(), cutter.left_over()), (2, 1));
    }

    #[test]
    fn a_stream_without_a_full_window_is_all_left_over() {
        let mut cutter = WindowCutter::new(2, 4, 0.999);
        cutter.push(aview2(&[[1.0, 2.0], [3.0, 4.0]]));
        assert!(!cutter.has_window());
        assert_eq!((cut_all(&mut cutter), cutter.left_over()), (vec![], 2));
    }

    proptest! {
        #[test]
        fn pieces_of_any_size_give_the_same_windows(
            sizes in prop::collection::vec(0_usize..9, 1..20), overlap in 0.0_f64..1.0,
        ) {
            let total: usize = sizes.iter().sum();
            let signal = Array2::from_shape_fn((2, total), |(channel, n)| (1000 * channel + n) as f32);
            let mut whole = WindowCutter::new(2, 5, overlap);
            whole.push(signal.view());
            let expected = cut_all(&mut whole);
            let (mut cutter, mut from, mut found) = (WindowCutter::new(2, 5, overlap), 0, Vec::new());
            for size in sizes {
                cutter.push(signal.slice(s![.., from..from + size]));
                found.extend(cut_all(&mut cutter));
                from += size;
            }
            prop_assert_eq!(found, expected);
            prop_assert_eq!(cutter.left_over(), whole.left_over());
        }
    }
}
