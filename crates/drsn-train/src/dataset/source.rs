//! A source of labelled inputs, and a data set opened and split.

use std::{fmt, sync::Arc};

use drsn_bundle::InputSpec;
use ndarray::ArrayViewMutD;

use super::{DatasetError, Note};

/// Labelled raw inputs: images with pixels in [0, 1], or windows of recordings, before preparation.
///
/// Inputs are read on demand and from several threads, so a source need not hold them in memory.
pub trait DatasetSource: fmt::Debug + Send + Sync {
    /// Number of inputs.
    fn len(&self) -> usize;

    /// Whether there are no inputs.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Class of one input.
    fn label(&self, index: usize) -> usize;

    /// Name of one input for messages: its file, and the window's position in it.
    fn name(&self, index: usize) -> String;

    /// Where one input is from, as far as it is known.
    fn origin(&self, index: usize) -> Origin<'_> {
        let _ = index;
        Origin::default()
    }

    /// Reads one input, `[C, H, W]` or `[C, L]`, into `values`.
    ///
    /// A window starts `shift` samples later (earlier if negative), but stays within its part of
    /// the recording. Images ignore `shift`.
    ///
    /// # Errors
    /// [`DatasetError`] with the file and the reason.
    fn read(
        &self,
        index: usize,
        shift: isize,
        values: ArrayViewMutD<'_, f32>,
    ) -> Result<(), DatasetError>;
}

/// Where an input is from. Inputs of one file or of one group resemble each other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin<'a> {
    /// Name of its file.
    pub file: Option<&'a str>,
    /// Samples of that file that are used, of each channel.
    pub samples: Option<usize>,
    /// Number of the recording that it is a window of, or of a part of one with a label of its own.
    pub recording: Option<usize>,
    /// The first sample of a window in its file, of each channel.
    pub start: Option<usize>,
    /// Its group, such as a machine or a person.
    pub group: Option<&'a str>,
}

/// Some inputs of a source.
#[derive(Debug, Clone)]
pub struct Part {
    /// The source.
    pub source: Arc<dyn DatasetSource>,
    /// Indices of the inputs.
    pub indices: Vec<usize>,
}

/// A data set, opened and split.
#[derive(Debug, Clone)]
pub struct Data {
    /// Shape of the network's input, and how raw inputs are prepared for it.
    pub input: InputSpec,
    /// Labels of the classes.
    pub classes: Vec<String>,
    /// Description of the data: name, source and licence if known, and the split.
    pub description: String,
    /// Inputs to train on.
    pub training: Part,
    /// Held-out inputs, in random order: for checks during and after training, never trained on.
    pub held_out: Part,
    /// Inputs for the final evaluation only; `None` if the split leaves none.
    pub test: Option<Part>,
    /// Name of the test data in evaluations, such as `MNIST test`.
    pub test_name: String,
    /// Files that were left out because they cannot be read, each with the reason.
    pub skipped: Vec<String>,
    /// What else a user should know, such as files that were left out or are there twice.
    pub notes: Vec<Note>,
}

/// Weights that give every class the same total weight: inputs / (classes · inputs of the class).
pub(crate) fn class_weights(part: &Part, classes: usize) -> Vec<f32> {
    let mut counts = vec![0_usize; classes];
    for &index in &part.indices {
        if let Some(count) = counts.get_mut(part.source.label(index)) {
            *count += 1;
        }
    }
    let inputs = part.indices.len() as f32;
    counts.iter().map(|&count| inputs / (classes * count.max(1)) as f32).collect()
}
