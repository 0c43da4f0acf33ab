//! Where labelled inputs come from, and which of them are for what.

use std::{fmt, sync::Arc};

use drsn_bundle::InputSpec;

use super::DatasetError;

/// Labelled raw inputs: pictures with pixels in [0, 1], or windows of recordings, before any preparation.
///
/// A source holds no more in memory than it must: it reads inputs when they are asked for, from several threads.
pub trait Source: fmt::Debug + Send + Sync {
    /// Number of inputs.
    fn len(&self) -> usize;

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The class of one input.
    fn label(&self, index: usize) -> usize;

    /// What a person would call one input: a file, a window's beginning in it.
    fn name(&self, index: usize) -> String;

    /// Reads one input, `[C, H, W]` or `[C, L]`, into `values`, which has its length.
    ///
    /// A window begins `shift` samples later (earlier where it is negative), as far as its part of the recording
    /// reaches; pictures have no use for it.
    ///
    /// # Errors
    /// [`DatasetError`] with the file and the reason.
    fn read(&self, index: usize, shift: isize, values: &mut [f32]) -> Result<(), DatasetError>;
}

/// Some inputs of a source.
#[derive(Debug, Clone)]
pub struct Part {
    /// The source.
    pub source: Arc<dyn Source>,
    /// Which of its inputs.
    pub indices: Vec<usize>,
}

/// A data set, opened and split.
#[derive(Debug, Clone)]
pub struct Data {
    /// What the network takes, and how raw inputs are prepared for it.
    pub input: InputSpec,
    /// Labels of the classes.
    pub classes: Vec<String>,
    /// What the data is, in words: name, source, licence where they are known, and how it was split.
    pub description: String,
    /// Trained on.
    pub training: Part,
    /// Held out, in random order: for checks while and after training, never trained on.
    pub held_out: Part,
    /// For the final evaluation, and for nothing else; none where the split leaves none.
    pub test: Option<Part>,
    /// Name of the test data in evaluations, like `MNIST test`.
    pub test_name: String,
    /// Files that were left out because they cannot be read, each with its reason.
    pub skipped: Vec<String>,
}

/// What each class counts where every class is to count the same: inputs / (classes · inputs of the class).
pub fn class_weights(part: &Part, classes: usize) -> Vec<f32> {
    let mut counts = vec![0_usize; classes];
    for &index in &part.indices {
        if let Some(count) = counts.get_mut(part.source.label(index)) {
            *count += 1;
        }
    }
    let inputs = part.indices.len() as f32;
    counts.iter().map(|&count| inputs / (classes * count.max(1)) as f32).collect()
}
