//! Windows of recordings as a source of inputs.

use std::{num::NonZeroUsize, ops::Range};

use drsn_recording::windows;

use super::{DatasetError, Source, listing::Side, samples::Samples};

/// A recording whose samples are kept.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) name: String,
    pub(super) class: usize,
    /// Place of its first sample; the channels lie behind one another.
    pub(super) place: u64,
    /// Samples of each channel.
    pub(super) length: usize,
}

/// A part of a recording that is on one side of the split.
#[derive(Debug)]
pub(super) struct Stretch {
    pub(super) recording: usize,
    pub(super) side: Side,
    pub(super) range: Range<usize>,
}

/// How windows are cut.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    pub(super) window: usize,
    pub(super) hop: NonZeroUsize,
    pub(super) test_hop: NonZeroUsize,
}

impl Cut {
    /// Beginnings of the windows that lie in a stretch.
    pub(super) fn begins(&self, stretch: &Stretch) -> impl Iterator<Item = usize> {
        let hop = if stretch.side == Side::Test { self.test_hop } else { self.hop };
        let begin = stretch.range.start;
        windows(stretch.range.len(), self.window, hop).map(move |window| begin + window.start)
    }
}

#[derive(Debug)]
struct Place {
    stretch: usize,
    begin: usize,
}

/// Windows of all recordings, stretch by stretch.
#[derive(Debug)]
pub(super) struct Windows {
    samples: Samples,
    recordings: Vec<Kept>,
    stretches: Vec<Stretch>,
    window: usize,
    places: Vec<Place>,
}

impl Windows {
    /// Cuts the stretches into windows.
    pub(super) fn new(
        samples: Samples,
        recordings: Vec<Kept>,
        stretches: Vec<Stretch>,
        cut: Cut,
    ) -> Self {
        let places = stretches.iter().enumerate().flat_map(|(index, stretch)| {
            cut.begins(stretch).map(move |begin| Place { stretch: index, begin })
        });
        let places = places.collect();
        Self { samples, recordings, stretches, window: cut.window, places }
    }

    /// The windows on one side.
    pub(super) fn on(&self, side: Side) -> Vec<usize> {
        (0..self.places.len())
            .filter(|&index| self.stretches[self.places[index].stretch].side == side)
            .collect()
    }

    fn recording(&self, index: usize) -> &Kept {
        &self.recordings[self.stretches[self.places[index].stretch].recording]
    }
}

impl Source for Windows {
    fn len(&self) -> usize {
        self.places.len()
    }

    fn label(&self, index: usize) -> usize {
        self.recording(index).class
    }

    fn name(&self, index: usize) -> String {
        let begin = self.places[index].begin;
        format!("{}, samples {begin} to {}", self.recording(index).name, begin + self.window - 1)
    }

    fn read(&self, index: usize, shift: isize, values: &mut [f32]) -> Result<(), DatasetError> {
        let place = &self.places[index];
        let range = &self.stretches[place.stretch].range;
        let begin =
            place.begin.saturating_add_signed(shift).clamp(range.start, range.end - self.window);
        let Kept { place, length, .. } = self.recording(index);
        for (channel, values) in values.chunks_exact_mut(self.window).enumerate() {
            self.samples.read(place + (channel * length + begin) as u64, values)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        dataset::{partition::parts, samples::Spool},
        recipe::Split,
    };

    /// Windows of recordings in two channels whose samples tell their place: `10⁶ · recording + sample`, the second
    /// channel negative.
    fn windows_of(lengths: &[usize], split: &Split, cut: Cut) -> Windows {
        let mut spool = Spool::new(1 << 10);
        let mut recordings = Vec::new();
        let mut stretches = Vec::new();
        for (recording, &length) in lengths.iter().enumerate() {
            let channel: Vec<f32> =
                (0..length).map(|x| (1_000_000 * recording + x) as f32).collect();
            let place = spool.push(&channel).unwrap();
            spool.push(&channel.iter().map(|x| -x).collect::<Vec<_>>()).unwrap();
            recordings.push(Kept {
                name: format!("{recording}.wav"),
                class: recording,
                place,
                length,
            });
            for (side, range) in parts(split, Side::Training, length) {
                stretches.push(Stretch { recording, side, range });
            }
        }
        Windows::new(spool.finish().unwrap(), recordings, stretches, cut)
    }

    fn cut(window: usize, hop: usize, test_hop: usize) -> Cut {
        let [hop, test_hop] = [hop, test_hop].map(|hop| NonZeroUsize::new(hop).unwrap());
        Cut { window, hop, test_hop }
    }

    #[test]
    fn windows_are_counted_named_and_labelled() {
        let split = Split::Time { training: 0.5, held_out: 0.25 };
        let windows = windows_of(&[40, 41], &split, cut(10, 5, 10));
        let count = |side| windows.on(side).len();
        assert_eq!([Side::Training, Side::HeldOut, Side::Test].map(count), [6, 2, 2]);
        let last = windows.len() - 1;
        assert_eq!((windows.label(last), &*windows.name(last)), (1, "1.wav, samples 31 to 40"));
    }

    proptest! {
        #[test]
        fn no_sample_is_on_two_sides_however_windows_are_shifted(
            lengths in prop::collection::vec(1_usize..400, 1..4),
            training in 0.1_f64..0.8,
            held_out in 0.0_f64..0.2,
            window in 1_usize..40,
            hop in 1_usize..50,
            test_hop in 1_usize..50,
            shift in -60_isize..60,
        ) {
            let split = Split::Time { training, held_out };
            let windows = windows_of(&lengths, &split, cut(window, hop, test_hop));
            let mut samples: Vec<Vec<i64>> = Vec::new();
            for side in [Side::Training, Side::HeldOut, Side::Test] {
                let mut on_this = Vec::new();
                for index in windows.on(side) {
                    let mut values = vec![0.0; 2 * window];
                    windows.read(index, shift, &mut values).unwrap();
                    let (first, second) = values.split_at(window);
                    prop_assert!(first.windows(2).all(|pair| pair[1] - pair[0] == 1.0));
                    prop_assert!(first.iter().zip(second).all(|(a, b)| *a == -b));
                    prop_assert_eq!(first[0] as usize / 1_000_000, windows.label(index));
                    on_this.extend(first.iter().map(|&x| x as i64));
                }
                samples.push(on_this);
            }
            for (a, b) in [(0, 1), (0, 2), (1, 2)] {
                prop_assert!(samples[a].iter().all(|x| !samples[b].contains(x)));
            }
        }

        #[test]
        fn every_window_that_fits_is_there(
            length in 1_usize..500, window in 1_usize..60, hop in 1_usize..60
        ) {
            let split = Split::Time { training: 1.0, held_out: 0.0 };
            let windows = windows_of(&[length], &split, cut(window, hop, 1));
            let expected = if length < window { 0 } else { (length - window) / hop + 1 };
            prop_assert_eq!(windows.on(Side::Training).len(), expected);
            prop_assert_eq!(windows.len(), expected);
        }
    }
}
