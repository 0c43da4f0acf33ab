//! Pieces of samples to windows.

use std::collections::VecDeque;

use crate::error::{ApiError, ErrorKind};

/// The samples of a stream that wait to fill a window.
#[derive(Debug)]
pub(super) struct Windows {
    /// Of each channel, as many.
    channels: Vec<VecDeque<f32>>,
    window: usize,
    /// Samples from a window's start to the next one's.
    hop: usize,
    /// Position in the stream of the first sample that waits.
    start: u64,
    /// Position after the last window that was cut.
    covered: u64,
}

/// A full window, channel after channel, and where it lies in the stream.
#[derive(Debug, PartialEq)]
pub(super) struct Window {
    pub(super) samples: Vec<f32>,
    pub(super) start: u64,
    pub(super) end: u64,
}

impl Windows {
    /// `overlap`, in [0, 1), is the share of a window that the next one repeats.
    pub(super) fn new(channels: usize, window: usize, overlap: f64) -> Self {
        let hop = (window as f64 * (1.0 - overlap)).round() as usize;
        Self {
            channels: vec![VecDeque::new(); channels],
            window,
            hop: hop.clamp(1, window),
            start: 0,
            covered: 0,
        }
    }

    /// Takes in a piece: as many samples of each channel, channel after channel.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] where the channels do not have equally many.
    pub(super) fn push(&mut self, planar: &[f32]) -> Result<(), ApiError> {
        let channels = self.channels.len();
        if !planar.len().is_multiple_of(channels) {
            return Err(ErrorKind::InvalidArgument.because(format!(
                "a piece has as many samples of each of the {channels} channels, and this has {} in all",
                planar.len()
            )));
        }
        if planar.is_empty() {
            return Ok(());
        }
        for (channel, samples) in
            self.channels.iter_mut().zip(planar.chunks(planar.len() / channels))
        {
            channel.extend(samples);
        }
        Ok(())
    }

    /// Whether a window is full.
    pub(super) fn has_window(&self) -> bool {
        self.waiting() >= self.window
    }

    /// The next full window.
    pub(super) fn cut(&mut self) -> Option<Window> {
        if !self.has_window() {
            return None;
        }
        let mut samples = Vec::with_capacity(self.window * self.channels.len());
        for channel in &mut self.channels {
            samples.extend(channel.range(..self.window));
            channel.drain(..self.hop);
        }
        let (start, end) = (self.start, self.start + self.window as u64);
        self.start += self.hop as u64;
        self.covered = end;
        Some(Window { samples, start, end })
    }

    /// Samples of each channel that no window has taken in.
    pub(super) fn left_over(&self) -> u64 {
        (self.start + self.waiting() as u64).saturating_sub(self.covered)
    }

    /// Memory of the samples that wait.
    pub(super) fn bytes(&self) -> u64 {
        (self.waiting() * self.channels.len() * size_of::<f32>()) as u64
    }

    fn waiting(&self) -> usize {
        self.channels.first().map_or(0, VecDeque::len)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut_all(windows: &mut Windows) -> Vec<Window> {
        std::iter::from_fn(|| windows.cut()).collect()
    }

    #[test]
    fn windows_follow_one_another_and_overlap_as_they_are_told() {
        let mut windows = Windows::new(1, 4, 0.5);
        windows.push(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
        let cut = cut_all(&mut windows);
        assert_eq!(cut[1], Window { samples: vec![2.0, 3.0, 4.0, 5.0], start: 2, end: 6 });
        assert_eq!((cut.len(), windows.left_over()), (2, 1));
    }

    #[test]
    fn a_stream_without_a_full_window_is_all_left_over() {
        let mut windows = Windows::new(2, 4, 0.999);
        windows.push(&[1.0, 2.0, 3.0, 4.0]).unwrap();
        assert_eq!((windows.cut(), windows.left_over()), (None, 2));
        assert!(windows.push(&[1.0]).is_err());
    }

    proptest! {
        #[test]
        fn pieces_of_any_size_give_the_same_windows(
            sizes in prop::collection::vec(0_usize..9, 1..20), overlap in 0.0_f64..1.0,
        ) {
            let total: usize = sizes.iter().sum();
            let sample = |channel: usize, n: usize| (channel * 1000 + n) as f32;
            let piece = |from: usize, to: usize| -> Vec<f32> {
                (0..2).flat_map(|c| (from..to).map(move |n| sample(c, n))).collect()
            };
            let mut whole = Windows::new(2, 5, overlap);
            whole.push(&piece(0, total)).unwrap();
            let expected = cut_all(&mut whole);
            let (mut windows, mut from, mut found) = (Windows::new(2, 5, overlap), 0, Vec::new());
            for size in sizes {
                windows.push(&piece(from, from + size)).unwrap();
                found.extend(cut_all(&mut windows));
                from += size;
            }
            prop_assert_eq!(found, expected);
            prop_assert_eq!(windows.left_over(), whole.left_over());
        }
    }
}
