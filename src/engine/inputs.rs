//! The prepared inputs of a request: what a model's queue accepts.

use std::{ops::Range, sync::Arc};

use drsn_bundle::baseline::Level;
use ndarray::{Array2, ArrayD, ArrayView, Axis, Dimension};

/// The prepared inputs of one request, in one buffer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Inputs {
    /// `[N, C, L]` for signals, `[N, C, H, W]` for images.
    values: ArrayD<f32>,
    before: BeforePreparation,
}

/// What is known of the inputs of a request as they were before they were prepared.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct BeforePreparation {
    /// The levels of each input's channels, `[N, C]`; `[N, 0]` if the model's baseline has no levels.
    pub(crate) levels: Array2<Level>,
    /// The inputs themselves, if they may be captured.
    pub(crate) raw: Option<Box<RawInputs>>,
}

/// Inputs before they were prepared.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct RawInputs {
    /// Their values, one input after the other.
    pub(crate) values: Vec<f32>,
    /// The first sample of each, if they are windows of a longer signal; otherwise empty.
    pub(crate) starts: Vec<usize>,
}

impl BeforePreparation {
    /// The memory of the inputs themselves, in bytes.
    pub(crate) fn bytes_of_raw(&self) -> u64 {
        self.raw.as_ref().map_or(0, |raw| size_of_val(raw.values.as_slice()) as u64)
    }

    /// An input's values, and its first sample if it is a window of a longer signal. None if inputs are
    /// not captured.
    pub(crate) fn raw(&self, index: usize) -> Option<(&[f32], Option<usize>)> {
        let raw = self.raw.as_ref()?;
        let elements = raw.values.len() / self.levels.nrows().max(1);
        let values = raw.values.get(index * elements..(index + 1) * elements)?;
        Some((values, raw.starts.get(index).copied()))
    }
}

impl Inputs {
    /// Prepared values `[N, …]`, with what is known of them before.
    pub(crate) fn new(values: ArrayD<f32>, before: BeforePreparation) -> Self {
        debug_assert_eq!(values.len_of(Axis(0)), before.levels.nrows());
        Self { values, before }
    }

    /// Number of inputs.
    pub(crate) fn count(&self) -> usize {
        self.values.len_of(Axis(0))
    }

    /// Memory of the values and levels, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        let levels = self.before.levels.len() * size_of::<Level>();
        (self.values.len() * size_of::<f32>() + levels) as u64 + self.before.bytes_of_raw()
    }

    /// Takes out what is known of the inputs before they were prepared.
    pub(crate) fn take_before(&mut self) -> BeforePreparation {
        std::mem::take(&mut self.before)
    }

    /// The values, `[N, …]`.
    pub(super) fn into_values(self) -> ArrayD<f32> {
        self.values
    }

    /// The values `[N, …]`, and the rows of each piece of at most `max` inputs.
    pub(super) fn into_pieces(
        self,
        max: usize,
    ) -> (Arc<ArrayD<f32>>, impl Iterator<Item = Range<usize>>) {
        let count = self.count();
        let pieces = (0..count).step_by(max).map(move |first| first..count.min(first + max));
        (Arc::new(self.values), pieces)
    }
}

/// Appends an array's values in row-major order.
pub(crate) fn append<D: Dimension>(values: &mut Vec<f32>, array: &ArrayView<'_, f32, D>) {
    match array.to_slice() {
        Some(slice) => values.extend_from_slice(slice),
        None => values.extend(array),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_hold_every_input_in_order() {
        let values = ArrayD::zeros([3, 1, 2].as_slice());
        let before =
            BeforePreparation { levels: Array2::default((3, 0)), ..BeforePreparation::default() };
        let inputs = Inputs::new(values, before);
        let (values, pieces) = inputs.into_pieces(2);
        assert_eq!(values.shape(), [3, 1, 2]);
        assert_eq!(pieces.collect::<Vec<_>>(), [0..2, 2..3]);
    }
}
