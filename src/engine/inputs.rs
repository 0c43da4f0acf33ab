//! The prepared inputs of a request: what a model's queue accepts.

use std::{ops::Range, sync::Arc};

use drsn_bundle::baseline::Level;
use ndarray::{Array2, ArrayD, ArrayView, Axis, Dimension};

/// The prepared inputs of one request, in one buffer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Inputs {
    /// `[N, C, L]` for signals, `[N, C, H, W]` for images.
    values: ArrayD<f32>,
    /// The levels of each input's raw channels before it was prepared, `[N, C]`; `[N, 0]` if the
    /// model's baseline has no levels.
    levels: Array2<Level>,
}

impl Inputs {
    /// Prepared values `[N, …]`, with the levels of their raw channels.
    pub(crate) fn new(values: ArrayD<f32>, levels: Array2<Level>) -> Self {
        debug_assert_eq!(values.len_of(Axis(0)), levels.nrows());
        Self { values, levels }
    }

    /// Number of inputs.
    pub(crate) fn count(&self) -> usize {
        self.values.len_of(Axis(0))
    }

    /// Memory of the values and levels, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        (self.values.len() * size_of::<f32>() + self.levels.len() * size_of::<Level>()) as u64
    }

    /// Takes the levels out, `[N, C]`.
    pub(crate) fn take_levels(&mut self) -> Array2<Level> {
        std::mem::take(&mut self.levels)
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
        let inputs = Inputs::new(values, Array2::default((3, 0)));
        let (values, pieces) = inputs.into_pieces(2);
        assert_eq!(values.shape(), [3, 1, 2]);
        assert_eq!(pieces.collect::<Vec<_>>(), [0..2, 2..3]);
    }
}
