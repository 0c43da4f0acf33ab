//! Sessions of one model on a GPU, one for each batch size.
//!
//! ONNX Runtime's CUDA provider plans every convolution anew if a batch has another size than the
//! one before it, even a size that it has planned before: 12 to 230 ms for a network that runs in
//! half a millisecond to two (`docs/results/serving.md`;
//! <https://github.com/microsoft/onnxruntime/issues/23006>). So there are few sizes, each with a
//! session of its own, and a batch is padded with zeros to the next of them. More sizes would cost
//! GPU memory and save little: a small network hardly takes longer for 64 inputs than for one.

use std::collections::{BTreeMap, btree_map::Entry};

use ndarray::{ArrayViewD, Dimension as _};
use ort::session::Session;

use super::{Provider, Runtime, RuntimeError, load::load};

/// The sessions by batch size, each opened for the first batch of its size.
#[derive(Debug)]
pub(super) struct Buckets {
    runtime: Runtime,
    model: Vec<u8>,
    provider: Provider,
    /// The bucket sizes, ascending; a batch larger than the last runs in its own size.
    sizes: Vec<usize>,
    sessions: BTreeMap<usize, Session>,
    /// A session that is open and has no size yet.
    unused: Option<Session>,
    /// A padded batch.
    padded: Vec<f32>,
}

impl Buckets {
    /// Opens a first session, so that a faulty device or model is reported now.
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
            unused: Some(load(runtime, model, provider)?),
            padded: Vec::new(),
        })
    }

    /// Sets the bucket sizes, ascending, and closes the sessions of other sizes.
    pub(super) fn set_sizes(&mut self, sizes: &[usize]) {
        self.sizes = sizes.to_vec();
        self.sessions.retain(|size, _| sizes.contains(size));
    }

    /// The session for a batch `[N, …]`, and the batch padded to that session's size.
    pub(super) fn session_for<'s>(
        &'s mut self,
        inputs: ArrayViewD<'s, f32>,
    ) -> Result<(&'s mut Session, ArrayViewD<'s, f32>), RuntimeError> {
        let mut shape = inputs.raw_dim();
        let batch = shape[0];
        shape[0] = bucket(&self.sizes, batch);
        let session = match self.sessions.entry(shape[0]) {
            Entry::Occupied(session) => session.into_mut(),
            Entry::Vacant(place) => place.insert(match self.unused.take() {
                Some(session) => session,
                None => load(&self.runtime, &self.model, self.provider)?,
            }),
        };
        if shape[0] == batch {
            return Ok((session, inputs));
        }
        self.padded.clear();
        self.padded.extend(&inputs);
        self.padded.resize(shape.size(), 0.0);
        let padded = ArrayViewD::from_shape(shape, &self.padded)
            .map_err(|error| RuntimeError::Run { reason: error.to_string() })?;
        Ok((session, padded))
    }
}

/// The smallest of these sizes that holds a batch, or the batch's own size if none does.
fn bucket(sizes: &[usize], batch: usize) -> usize {
    sizes.iter().copied().find(|&size| size >= batch).unwrap_or(batch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_has_the_next_bucket_or_its_own_size() {
        let sizes = Provider::Cuda(0).batch_sizes(48);
        for (batch, size) in [(1, 1), (2, 8), (8, 8), (9, 48), (48, 48), (50, 50)] {
            assert_eq!(bucket(&sizes, batch), size);
        }
        assert_eq!(bucket(&[], 4), 4);
    }
}
