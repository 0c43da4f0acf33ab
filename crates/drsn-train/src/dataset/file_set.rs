//! Data sets of image or recording files.

use std::sync::Arc;

use drsn_bundle::InputSpec;
use rand::seq::SliceRandom as _;

use super::{Data, DatasetError, DatasetSource, Note, Part, files::Listing, note::files_are};
use crate::random::{Purpose, stream};

/// The parts of a data set of image or recording files.
pub(super) struct FileSet<'a> {
    pub(super) listing: &'a Listing,
    pub(super) source: Arc<dyn DatasetSource>,
    /// Indices of the training, held-out and test inputs.
    pub(super) subsets: [Vec<usize>; 3],
    pub(super) input: InputSpec,
    /// Description of the contents, which follows the name of the set.
    pub(super) contents: String,
    pub(super) skipped: Vec<String>,
    pub(super) notes: Vec<Note>,
}

impl FileSet<'_> {
    /// Limits the training inputs, shuffles the held-out ones, and names the set after its folder
    /// or index.
    pub(super) fn into_data(self, seed: u64, limit: Option<usize>) -> Result<Data, DatasetError> {
        let Self { listing, source, subsets, input, contents, skipped, mut notes } = self;
        if !skipped.is_empty() {
            let text = format!("{} left out because of a fault", files_are(skipped.len()));
            notes.push(Note::new(text, Vec::<String>::new()));
        }
        let [mut training, mut held_out, test] = subsets;
        let present = training.iter().map(|&index| source.label(index));
        listing.check_classes("input to train on", present)?;
        // Each epoch draws its own order, so the order matters only if inputs are left out.
        if limit.is_some_and(|limit| limit < training.len()) {
            training.shuffle(&mut stream(seed, Purpose::Limit, 0, 0));
            training.truncate(limit.unwrap_or(usize::MAX));
        }
        held_out.shuffle(&mut stream(seed, Purpose::HeldOut, 0, 0));
        let name = listing
            .origin
            .file_stem()
            .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let part = |indices| Part { source: Arc::clone(&source), indices };
        let contents =
            notes.iter().fold(contents, |contents, note| format!("{contents}; {}", note.text));
        Ok(Data {
            input,
            description: format!("{name}: {contents}"),
            classes: listing.classes.clone(),
            test_name: format!("{name} test"),
            test: (!test.is_empty()).then(|| part(test)),
            training: part(training),
            held_out: part(held_out),
            skipped,
            notes,
        })
    }
}
