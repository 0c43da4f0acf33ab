//! Prepared inputs.

use std::{ops::Range, sync::Arc};

use drsn_bundle::baseline::Level;

/// Prepared inputs of one request, one after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Inputs {
    /// Numbers in one input.
    pub(super) elements: usize,
    /// All inputs.
    pub(super) values: Vec<f32>,
    /// The raw levels of each one's channels, before it was prepared; empty where the model has no baseline of them.
    pub(super) levels: Vec<Level>,
}

impl Inputs {
    /// Number of inputs.
    pub fn count(&self) -> usize {
        self.values.len() / self.elements
    }

    /// Memory that they take.
    pub fn bytes(&self) -> u64 {
        (size_of_val(&self.values[..]) + size_of_val(&self.levels[..])) as u64
    }

    /// Takes the raw levels out; none where the model has no baseline of them.
    pub fn take_levels(&mut self) -> Vec<Level> {
        std::mem::take(&mut self.levels)
    }

    /// All inputs, one after the other.
    pub fn into_values(self) -> Vec<f32> {
        self.values
    }

    /// The inputs, and the ranges of pieces of at most `most` inputs.
    pub fn into_pieces(self, most: usize) -> (Arc<Vec<f32>>, Vec<Piece>) {
        let count = self.count();
        let pieces = (0..count).step_by(most).map(|first| {
            let piece = most.min(count - first);
            Piece { range: first * self.elements..(first + piece) * self.elements, count: piece }
        });
        (Arc::new(self.values), pieces.collect())
    }
}

/// Some of a request's inputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Where their numbers are.
    pub range: Range<usize>,
    /// Number of inputs.
    pub count: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_hold_every_input_in_order() {
        let inputs =
            Inputs { elements: 2, values: vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0], levels: vec![] };
        let (values, pieces) = inputs.into_pieces(2);
        assert_eq!(values.len(), 6);
        assert_eq!(pieces, [Piece { range: 0..4, count: 2 }, Piece { range: 4..6, count: 1 }]);
    }
}
