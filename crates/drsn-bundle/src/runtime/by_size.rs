//! Sessions of one model on a GPU, each for batches of one size.
//!
//! ONNX Runtime's CUDA provider plans every convolution anew where a batch has another size than the one before it, also
//! where it has met that size: 12 to 230 ms for a network whose run takes half a millisecond to two (`docs/results.md`;
//! <https://github.com/microsoft/onnxruntime/issues/23006>). So there are few sizes, each with a session that meets no
//! other, and a batch is filled up with zeros to the next of them. More sizes would cost memory of the GPU, and save little:
//! a small network takes hardly longer for 64 inputs than for one.

use std::collections::{BTreeMap, btree_map::Entry};

use ort::session::Session;

use super::{Provider, Runtime, RuntimeError, session::load};

/// Each size is so many times the one before it.
const STEP: usize = 8;

/// The sessions by their size; one is opened when a batch of its size comes for the first time.
#[derive(Debug)]
pub(super) struct BySize {
    runtime: Runtime,
    model: Vec<u8>,
    provider: Provider,
    /// The sizes that were chosen, ascending; other batches are run as they come.
    sizes: Vec<usize>,
    sessions: BTreeMap<usize, Session>,
    /// Opened, and for no size yet.
    fresh: Option<Session>,
    /// A batch and what it is filled up with.
    filled: Vec<f32>,
}

/// Sizes that suit batches of up to `largest` inputs, ascending.
pub(super) fn ladder(largest: usize) -> Vec<usize> {
    let smaller = std::iter::successors(Some(1), |size| Some(STEP * size));
    smaller.take_while(|&size| size < largest).chain([largest.max(1)]).collect()
}

impl BySize {
    /// Opens a first session: what is wrong with the device or the model is said now.
    pub(super) fn open(
        runtime: &Runtime,
        model: &[u8],
        provider: Provider,
    ) -> Result<Self, RuntimeError> {
        Ok(Self {
            runtime: runtime.clone(),
            model: model.to_vec(),
            provider,
            sizes: Vec::new(),
            sessions: BTreeMap::new(),
            fresh: Some(load(runtime, model, provider)?),
            filled: Vec::new(),
        })
    }

    /// Runs batches in these sizes, ascending, from now on, and closes the sessions of others.
    pub(super) fn choose(&mut self, sizes: &[usize]) {
        self.sizes = sizes.to_vec();
        self.sessions.retain(|size, _| sizes.contains(size));
    }

    /// The session for a batch, the batch as it takes it, and the size of that.
    pub(super) fn fitting<'s>(
        &'s mut self,
        input: &'s [f32],
        batch: usize,
    ) -> Result<(&'s mut Session, &'s [f32], usize), RuntimeError> {
        let size = fitting_size(&self.sizes, batch);
        let session = match self.sessions.entry(size) {
            Entry::Occupied(session) => session.into_mut(),
            Entry::Vacant(place) => place.insert(match self.fresh.take() {
                Some(session) => session,
                None => load(&self.runtime, &self.model, self.provider)?,
            }),
        };
        if size == batch {
            return Ok((session, input, size));
        }
        let elements = input.len() / batch.max(1);
        self.filled.clear();
        self.filled.extend_from_slice(input);
        self.filled.resize(size * elements, 0.0);
        Ok((session, &self.filled, size))
    }
}

/// The smallest of these sizes that holds a batch; a batch that none of them holds has its own.
fn fitting_size(sizes: &[usize], batch: usize) -> usize {
    sizes.iter().copied().find(|&size| size >= batch).unwrap_or(batch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_few_sizes_and_each_batch_has_the_next() {
        assert_eq!(ladder(1), [1]);
        assert_eq!(ladder(8), [1, 8]);
        assert_eq!(ladder(48), [1, 8, 48]);
        assert_eq!(ladder(64), [1, 8, 64]);
        let sizes = ladder(48);
        for (batch, size) in [(1, 1), (2, 8), (8, 8), (9, 48), (48, 48), (50, 50)] {
            assert_eq!(fitting_size(&sizes, batch), size);
        }
        assert_eq!(fitting_size(&[], 4), 4);
    }
}
