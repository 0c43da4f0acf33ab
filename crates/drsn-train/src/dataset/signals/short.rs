//! Recordings that are shorter than a window, or too short to be divided in time.

use std::collections::HashMap;

use drsn_bundle::{PaddingError, SignalSpec};
use ndarray::{Array2, ArrayView2};

use super::spec::spec;
use crate::{
    dataset::{
        copies::Copies, files::Entry, note::Note, partition, subset::Subset, windows::Segment,
    },
    recipe::{PaddingConfig, SignalConfig, Split},
};

/// A recording beside the length of a window.
pub(super) enum Extended {
    /// It is not shorter.
    Enough,
    /// It is one window, `[channels, window]`.
    Padded(Array2<f32>),
    /// A channel is constant.
    Constant,
}

/// Extends a recording `[channels, samples]` that is shorter than a window, as the server does.
pub(super) fn extended(
    config: &SignalConfig,
    samples: &ArrayView2<'_, f32>,
) -> Result<Extended, String> {
    let SignalConfig { window, .. } = *config;
    let length = samples.ncols();
    if length >= window {
        return Ok(Extended::Enough);
    }
    let spec: SignalSpec = spec(config, samples.nrows(), None, None);
    match spec.padded(samples) {
        Ok(padded) => Ok(Extended::Padded(padded)),
        Err(PaddingError::Constant(_)) => Ok(Extended::Constant),
        Err(PaddingError::Unpadded { .. }) => Err(format!(
            "its {length} samples are too few for a window of {window}: extend such recordings with \
             --set data.padding=zero, repeat or reflect, or leave them out with --skip-bad"
        )),
        Err(PaddingError::TooShort { least, .. }) => Err(format!(
            "its {length} samples are too few for a window of {window}, to which data.padding \
             extends recordings of {least} samples or more: leave it out with --skip-bad"
        )),
    }
}

/// The recordings that were extended, and those that are not divided.
#[derive(Debug, Default)]
pub(super) struct Short {
    pub(super) padded: Vec<String>,
    /// The places of the recording and of its entry.
    undivided: Vec<(usize, usize)>,
}

impl Short {
    /// Divides a recording of `length` samples, at least a window, of an entry of a subset. One
    /// that the split divides in time, and that is too short for it, stays whole if short
    /// recordings are not refused.
    pub(super) fn divide(
        &mut self,
        config: &SignalConfig,
        [recording, entry]: [usize; 2],
        subset: Subset,
        length: usize,
    ) -> Result<Vec<Segment>, String> {
        let SignalConfig { window, split, padding, .. } = config;
        let parts = partition::parts(split, subset, length).into_iter();
        let segments: Vec<Segment> =
            parts.map(|(subset, range)| Segment::new(recording, subset, range)).collect();
        let first = segments.first().map_or(0, |segment| segment.range.len());
        if first >= *window {
            return Ok(segments);
        }
        if *padding == PaddingConfig::Refuse {
            return Err(format!(
                "{first} of its {length} samples are to train on, too few for a window of {window}: let \
                 folders train and test, or the column split of an index, divide whole recordings"
            ));
        }
        self.undivided.push((recording, entry));
        Ok(vec![Segment::new(recording, Subset::Training, 0..length)])
    }

    /// Draws the recordings that are not divided for the parts of the split, copies together.
    pub(super) fn draw(
        &self,
        split: &Split,
        seed: u64,
        entries: &[Entry],
        copies: &Copies,
        segments: &mut [Segment],
    ) {
        let classes: Vec<usize> =
            self.undivided.iter().map(|&(_, entry)| entries[entry].class).collect();
        let mut drawn = vec![Subset::Training; classes.len()];
        partition::draw(&classes, split, seed, &mut drawn);
        let before = vec![Subset::Training; entries.len()];
        let mut subsets = before.clone();
        for (&(_, entry), &subset) in self.undivided.iter().zip(&drawn) {
            subsets[entry] = subset;
        }
        copies.keep_together(&before, &mut subsets);
        let of_recording: HashMap<usize, Subset> =
            self.undivided.iter().map(|&(recording, entry)| (recording, subsets[entry])).collect();
        for segment in segments {
            if let Some(&subset) = of_recording.get(&segment.recording) {
                segment.subset = subset;
            }
        }
    }

    /// What is told of them.
    pub(super) fn notes(&self, config: &SignalConfig, entries: &[Entry]) -> Vec<Note> {
        let recordings = |count: usize| match count {
            1 => "1 recording is".to_owned(),
            count => format!("{count} recordings are"),
        };
        let mut notes = Vec::new();
        if !self.padded.is_empty() {
            let text = format!(
                "{} shorter than a window of {}, and extended to one",
                recordings(self.padded.len()),
                config.window
            );
            notes.push(Note::new(text, self.padded.iter().map(String::as_str)));
        }
        if !self.undivided.is_empty() {
            let text = format!(
                "{} too short to be divided in time, and drawn whole for a part of the split",
                recordings(self.undivided.len())
            );
            let names = self.undivided.iter().map(|&(_, entry)| &entries[entry].name[..]);
            notes.push(Note::new(text, names));
        }
        notes
    }
}
