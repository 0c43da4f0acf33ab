//! The class activation map: whether a model has one, and how its positions lie over an input.

use drsn_bundle::{
    Bundle, InputSpec, onnx,
    runtime::{Outputs, RuntimeError, Session},
};
use ndarray::{Array3, ArrayD, ArrayView2, Axis, Ix2, concatenate};

/// Rows of noise on which a map is tried, besides the golden inputs.
const NOISE_ROWS: usize = 3;
/// Most numbers of a map, in all classes: more would cost a request as much as the network.
const MOST: usize = 1 << 18;
/// Largest difference that is rounding, relative to the largest number.
const TOLERANCE: f32 = 1e-3;

/// The positions of the last feature map, which cover an input in equal parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MapShape {
    /// Positions along a signal.
    Signal {
        /// Number of positions.
        positions: usize,
    },
    /// Rows and columns over a picture.
    Image {
        /// Number of rows.
        height: usize,
        /// Number of columns.
        width: usize,
    },
}

impl MapShape {
    /// The shape of the map in a graph of [`onnx::with_class_map`]. `None` if its means over the
    /// positions are not the logits, except for a number that is the same for every input, or if
    /// its axes are not those of the input.
    ///
    /// # Errors
    /// [`RuntimeError`] if the runtime fails.
    pub(super) fn prove(
        session: &mut Session,
        bundle: &Bundle,
    ) -> Result<Option<Self>, RuntimeError> {
        let input = &bundle.manifest.input;
        let rows: Vec<usize> = std::iter::once(NOISE_ROWS).chain(input.shape()).collect();
        let mut state = 1_u32;
        let noise = ArrayD::from_shape_simple_fn(rows, || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            3.0 * ((state >> 8) as f32 / (1 << 23) as f32 - 1.0)
        });
        let Ok(inputs) = concatenate(Axis(0), &[bundle.golden.input.view(), noise.view()]) else {
            return Ok(None);
        };
        let mut outputs = session.run(inputs.view())?;
        let shape = Self::of(outputs.get(onnx::CLASS_MAP)?.shape(), input);
        let Some(shape) = shape else { return Ok(None) };
        let logits = outputs.take(onnx::LOGITS)?;
        let map = shape.take(&mut outputs)?;
        Ok(adds_up(&map, &logits.view()).then_some(shape))
    }

    /// The shape of a map `[batch, classes, …]`: one spatial axis for a signal, or two of which one
    /// has a single position; two for an image.
    fn of(shape: &[usize], input: &InputSpec) -> Option<Self> {
        if shape.iter().skip(1).try_fold(1, |all: usize, &size| all.checked_mul(size))? > MOST {
            return None;
        }
        match (input, shape) {
            (
                InputSpec::Signal(_),
                &[_, _, positions] | &[_, _, 1, positions] | &[_, _, positions, 1],
            ) => Some(Self::Signal { positions }),
            (InputSpec::Image(_), &[_, _, height, width]) => Some(Self::Image { height, width }),
            _ => None,
        }
    }

    /// Moves the map out of a run's outputs, `[batch, classes, positions]`.
    ///
    /// # Errors
    /// [`RuntimeError::MissingOutput`] if the outputs have no map of this shape.
    pub(super) fn take(self, outputs: &mut Outputs) -> Result<Array3<f32>, RuntimeError> {
        let missing = || RuntimeError::MissingOutput { output: onnx::CLASS_MAP.to_owned() };
        let map = outputs.take_any(onnx::CLASS_MAP)?;
        let &[batch, classes, ..] = map.shape() else { return Err(missing()) };
        map.into_shape_with_order((batch, classes, self.positions())).map_err(|_| missing())
    }

    /// Number of positions.
    pub(crate) fn positions(self) -> usize {
        match self {
            Self::Signal { positions } => positions,
            Self::Image { height, width } => height * width,
        }
    }
}

/// Whether the map's means and the logits, `[batch, classes]`, differ by the same numbers for every
/// input. A number that is added to the logits of all classes does not matter: probabilities do not
/// depend on it.
fn adds_up(map: &Array3<f32>, logits: &ArrayView2<'_, f32>) -> bool {
    let Some(means) = map.mean_axis(Axis(2)) else { return false };
    let Ok(means) = means.into_dimensionality::<Ix2>() else { return false };
    if means.dim() != logits.dim() {
        return false;
    }
    let mut biases = logits - &means;
    for mut row in biases.rows_mut() {
        let mean = row.mean().unwrap_or_default();
        row -= mean;
    }
    let largest = logits.iter().chain(&means).fold(1e-2_f32, |largest, x| largest.max(x.abs()));
    let first = biases.row(0);
    biases
        .rows()
        .into_iter()
        .all(|row| row.iter().zip(first).all(|(a, b)| (a - b).abs() <= TOLERANCE * largest))
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn a_map_whose_means_are_not_the_logits_is_none() {
        let map = array![[[1.0, 3.0], [0.0, 2.0]], [[5.0, 5.0], [1.0, -1.0]]];
        // The means are 2 and 1, and 5 and 0; the biases 0.5 and −0.5.
        assert!(adds_up(&map, &array![[2.5, 0.5], [5.5, -0.5]].view()));
        // All logits of an input may be larger, as logarithms of probabilities are smaller.
        assert!(adds_up(&map, &array![[2.5, 0.5], [8.5, 2.5]].view()));
        assert!(!adds_up(&map, &array![[2.5, 0.5], [5.5, 0.5]].view()));
        assert!(!adds_up(&map, &array![[2.5, 0.5], [f32::NAN, -0.5]].view()));
    }
}
