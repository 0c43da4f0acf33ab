//! Windows of recordings.

use std::{num::NonZeroUsize, ops::Range};

use drsn_recording::windows;
use ndarray::ArrayViewMutD;

use super::{DatasetError, DatasetSource, Origin, samples::Samples, subset::Subset};

/// A recording whose samples are stored.
#[derive(Debug)]
pub(super) struct StoredRecording {
    pub(super) name: String,
    pub(super) class: usize,
    pub(super) group: Option<String>,
    /// Position of its first sample; the channels are stored one after another.
    pub(super) place: u64,
    /// Number of samples of each channel.
    pub(super) length: usize,
    /// Position of the first sample in the file, for names: of a part it is not 0.
    pub(super) first: usize,
    /// Number of samples that were recorded; what follows them was added.
    pub(super) recorded: usize,
}

/// A part of a recording that belongs to one subset.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) recording: usize,
    pub(super) subset: Subset,
    pub(super) range: Range<usize>,
    /// Where its first window would start: before `range` if something was left out there.
    pub(super) origin: usize,
}

impl Segment {
    /// A segment from which nothing was left out.
    pub(super) fn new(recording: usize, subset: Subset, range: Range<usize>) -> Self {
        Self { recording, subset, origin: range.start, range }
    }
}

/// How windows are cut.
#[derive(Debug, Clone, Copy)]
pub(super) struct WindowSpec {
    pub(super) length: usize,
    pub(super) hop: NonZeroUsize,
    pub(super) test_hop: NonZeroUsize,
}

impl WindowSpec {
    /// Start positions of the windows in a segment: every so many samples from its origin.
    pub(super) fn starts(&self, segment: &Segment) -> impl ExactSizeIterator<Item = usize> {
        let hop = if segment.subset == Subset::Test { self.test_hop } else { self.hop };
        let Segment { range, origin, .. } = segment;
        let start = origin + (range.start - origin).div_ceil(hop.get()) * hop.get();
        let length = range.end.saturating_sub(start);
        windows(length, self.length, hop).map(move |window| start + window.start)
    }
}

/// A window: its segment and its start position in the recording.
#[derive(Debug)]
struct Window {
    segment: usize,
    start: usize,
}

/// Windows of all recordings, segment by segment.
#[derive(Debug)]
pub(super) struct Windows {
    samples: Samples,
    recordings: Vec<StoredRecording>,
    segments: Vec<Segment>,
    length: usize,
    positions: Vec<Window>,
}

impl Windows {
    /// Cuts the segments into windows.
    pub(super) fn new(
        samples: Samples,
        recordings: Vec<StoredRecording>,
        segments: Vec<Segment>,
        spec: WindowSpec,
    ) -> Self {
        let windows = segments.iter().enumerate().flat_map(|(index, segment)| {
            spec.starts(segment).map(move |start| Window { segment: index, start })
        });
        let positions = windows.collect();
        Self { samples, recordings, segments, length: spec.length, positions }
    }

    /// Indices of the windows of one subset.
    pub(super) fn of(&self, subset: Subset) -> Vec<usize> {
        (0..self.positions.len())
            .filter(|&index| self.segments[self.positions[index].segment].subset == subset)
            .collect()
    }

    fn recording(&self, index: usize) -> &StoredRecording {
        &self.recordings[self.segments[self.positions[index].segment].recording]
    }
}

impl DatasetSource for Windows {
    fn len(&self) -> usize {
        self.positions.len()
    }

    fn label(&self, index: usize) -> usize {
        self.recording(index).class
    }

    fn name(&self, index: usize) -> String {
        let StoredRecording { name, first, recorded, .. } = self.recording(index);
        let start = self.positions[index].start;
        let end = start + self.length;
        let padded = if end > *recorded { ", padded" } else { "" };
        let last = first + end.min(*recorded).saturating_sub(1);
        format!("{name}, samples {} to {last}{padded}", first + start)
    }

    fn origin(&self, index: usize) -> Origin<'_> {
        let StoredRecording { name, recorded, first, group, .. } = self.recording(index);
        let Window { segment, start } = &self.positions[index];
        Origin {
            file: Some(name),
            samples: Some(*recorded),
            recording: Some(self.segments[*segment].recording),
            start: Some(first + start),
            group: group.as_deref(),
        }
    }

    fn read(
        &self,
        index: usize,
        shift: isize,
        mut values: ArrayViewMutD<'_, f32>,
    ) -> Result<(), DatasetError> {
        let window = &self.positions[index];
        let range = &self.segments[window.segment].range;
        let start =
            window.start.saturating_add_signed(shift).clamp(range.start, range.end - self.length);
        let StoredRecording { place, length, .. } = self.recording(index);
        for (channel, values) in values.outer_iter_mut().enumerate() {
            self.samples.read(place + (channel * length + start) as u64, values)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Array2};
    use proptest::prelude::*;

    use super::*;
    use crate::{
        dataset::{partition::parts, samples::Spool},
        recipe::Split,
    };

    /// Windows of recordings with two channels whose samples encode their position:
    /// `10⁶ · recording + sample`, negated in the second channel.
    fn windows_of(lengths: &[usize], split: &Split, spec: WindowSpec) -> Windows {
        let mut spool = Spool::new(1 << 10);
        let mut recordings = Vec::new();
        let mut segments = Vec::new();
        for (recording, &length) in lengths.iter().enumerate() {
            let channel = Array1::from_shape_fn(length, |x| (1_000_000 * recording + x) as f32);
            let place = spool.position();
            spool.push(&channel).unwrap();
            spool.push(&-channel).unwrap();
            recordings.push(StoredRecording {
                name: format!("{recording}.wav"),
                class: recording,
                group: None,
                place,
                length,
                first: 0,
                recorded: length,
            });
            for (subset, range) in parts(split, Subset::Training, length) {
                segments.push(Segment::new(recording, subset, range));
            }
        }
        Windows::new(spool.finish().unwrap(), recordings, segments, spec)
    }

    fn spec(length: usize, hop: usize, test_hop: usize) -> WindowSpec {
        let [hop, test_hop] = [hop, test_hop].map(|hop| NonZeroUsize::new(hop).unwrap());
        WindowSpec { length, hop, test_hop }
    }

    #[test]
    fn windows_are_counted_named_and_labelled() {
        let split = Split::Time { training: 0.5, held_out: 0.25 };
        let windows = windows_of(&[40, 41], &split, spec(10, 5, 10));
        let count = |subset| windows.of(subset).len();
        assert_eq!(Subset::ALL.map(count), [6, 2, 2]);
        let last = windows.len() - 1;
        assert_eq!((windows.label(last), &*windows.name(last)), (1, "1.wav, samples 31 to 40"));
    }

    proptest! {
        #[test]
        fn no_sample_is_in_two_subsets_however_windows_are_shifted(
            lengths in prop::collection::vec(1_usize..400, 1..4),
            training in 0.1_f64..0.8,
            held_out in 0.0_f64..0.2,
            window in 1_usize..40,
            hop in 1_usize..50,
            test_hop in 1_usize..50,
            shift in -60_isize..60,
        ) {
            let split = Split::Time { training, held_out };
            let windows = windows_of(&lengths, &split, spec(window, hop, test_hop));
            let mut samples: Vec<Vec<i64>> = Vec::new();
            for subset in Subset::ALL {
                let mut of_this = Vec::new();
                for index in windows.of(subset) {
                    let mut values = Array2::zeros((2, window));
                    windows.read(index, shift, values.view_mut().into_dyn()).unwrap();
                    let (first, second) = (values.row(0), values.row(1));
                    prop_assert!(first.windows(2).into_iter().all(|pair| pair[1] - pair[0] == 1.0));
                    prop_assert!(first.iter().zip(second).all(|(a, b)| *a == -b));
                    prop_assert_eq!(first[0] as usize / 1_000_000, windows.label(index));
                    of_this.extend(first.iter().map(|&x| x as i64));
                }
                samples.push(of_this);
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
            let windows = windows_of(&[length], &split, spec(window, hop, 1));
            let expected = if length < window { 0 } else { (length - window) / hop + 1 };
            prop_assert_eq!(windows.of(Subset::Training).len(), expected);
            prop_assert_eq!(windows.len(), expected);
        }
    }
}
