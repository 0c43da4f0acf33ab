//! Batches of prepared inputs.

use burn::tensor::{Device, Tensor, TensorData};
use drsn_bundle::InputSpec;
use ndarray::{ArrayD, ArrayViewD, ArrayViewMutD, Axis};

use super::{disturbance::Disturbance, error::InputError, splice::Parts};
use crate::dataset::Part;

/// Prepared inputs with their classes.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Inputs, `[channels, height, width, batch]`.
    pub inputs: Tensor<4>,
    /// The class of each input; of a spliced one that of its larger part.
    pub labels: Vec<usize>,
    /// The classes of the inputs' parts.
    pub(super) parts: Vec<Parts>,
}

/// An input of a source, as in one epoch: its noise and augmentation depend on both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draw {
    /// Index in the source.
    pub index: usize,
    /// The epoch.
    pub epoch: usize,
}

/// Makes batches of inputs of a part of a data set.
#[derive(Debug, Clone)]
pub struct Batches<'a> {
    /// The data.
    pub part: &'a Part,
    /// How inputs are prepared.
    pub input: &'a InputSpec,
    /// What is done to raw inputs before they are prepared.
    pub disturbance: Disturbance,
}

impl Batches<'_> {
    /// Reads and prepares the inputs with these indices of the source, as in `epoch`:
    /// `[inputs, channels, height, width]`, or `[inputs, channels, samples]` for signals.
    ///
    /// # Errors
    /// [`InputError`] with the name of the input that cannot be read or prepared.
    pub fn values(&self, indices: &[usize], epoch: usize) -> Result<ArrayD<f32>, InputError> {
        self.drawn(&draws(indices, epoch))
    }

    /// As [`Self::values`], of inputs as in different epochs.
    fn drawn(&self, draws: &[Draw]) -> Result<ArrayD<f32>, InputError> {
        let mut values = self.buffer(draws.len());
        for (draw, input) in draws.iter().zip(values.outer_iter_mut()) {
            self.read(draw.index, draw.epoch, input)?;
        }
        Ok(values)
    }

    /// Zeros in the shape of [`Self::values`].
    pub(crate) fn buffer(&self, inputs: usize) -> ArrayD<f32> {
        let shape: Vec<usize> = std::iter::once(inputs).chain(self.input.shape()).collect();
        ArrayD::zeros(shape)
    }

    /// Reads and prepares one input, as in `epoch`.
    ///
    /// # Errors
    /// As [`Self::values`].
    pub(crate) fn read(
        &self,
        index: usize,
        epoch: usize,
        mut values: ArrayViewMutD<'_, f32>,
    ) -> Result<(), InputError> {
        self.raw(index, epoch, values.view_mut())?;
        self.prepare(index, values)
    }

    /// Prepares a raw input.
    ///
    /// # Errors
    /// [`InputError::Preparation`] with its name.
    pub(crate) fn prepare(
        &self,
        index: usize,
        values: ArrayViewMutD<'_, f32>,
    ) -> Result<(), InputError> {
        prepare(self.input, values, || self.part.source.name(index))
    }

    /// Prepares these inputs and puts them on a device, with their classes.
    ///
    /// # Errors
    /// As [`Self::values`].
    pub fn batch(&self, draws: &[Draw], device: &Device) -> Result<Batch, InputError> {
        let values = self.drawn(draws)?;
        let parts: Vec<Parts> = draws.iter().map(|&draw| self.parts(draw)).collect();
        Ok(Batch {
            inputs: Tensor::from_data(batch_last(values.view()), device),
            labels: parts.iter().map(Parts::largest).collect(),
            parts,
        })
    }
}

/// Inputs as in one epoch.
pub(crate) fn draws(indices: &[usize], epoch: usize) -> Vec<Draw> {
    indices.iter().map(|&index| Draw { index, epoch }).collect()
}

/// Prepares a raw input; `name` is its name in an error.
pub(crate) fn prepare(
    spec: &InputSpec,
    values: ArrayViewMutD<'_, f32>,
    name: impl Fn() -> String,
) -> Result<(), InputError> {
    let unprepared = |reason: String| InputError::Preparation { input: name(), reason };
    let values = values.into_slice();
    let values = values.ok_or_else(|| unprepared("its values are not contiguous".to_owned()))?;
    spec.prepare(values).map_err(|error| unprepared(error.to_string()))
}

/// Transposes inputs, `[batch, channels, height, width]` or `[batch, channels, samples]`, to
/// `[channels, height, width, batch]`; a signal has height 1.
pub fn batch_last(inputs: ArrayViewD<'_, f32>) -> TensorData {
    let inputs = if inputs.ndim() == 3 { inputs.insert_axis(Axis(2)) } else { inputs };
    let (batch, shape) = inputs.shape().split_first().unwrap_or((&0, &[]));
    let shape: Vec<usize> = shape.iter().chain([batch]).copied().collect();
    let mut turned = ArrayD::zeros(&shape[..]);
    let last = Axis(inputs.ndim() - 1);
    for (input, mut place) in inputs.outer_iter().zip(turned.axis_iter_mut(last)) {
        place.assign(&input);
    }
    TensorData::new(turned.into_raw_vec_and_offset().0, shape)
}

/// Shape `[channels, height, width]` of one input; a signal has height 1.
pub fn chw_shape(spec: &InputSpec) -> [usize; 3] {
    match spec {
        InputSpec::Image(image) => [image.channels, image.height, image.width],
        InputSpec::Signal(signal) => [signal.channels, 1, signal.window],
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn the_batch_becomes_the_last_axis() {
        let inputs = array![[[1.0, 2.0, 3.0]], [[4.0, 5.0, 6.0]]];
        let data = batch_last(inputs.view().into_dyn());
        assert_eq!(data.shape().to_vec(), [1, 1, 3, 2]);
        assert_eq!(data.try_to_vec::<f32>().unwrap(), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    }
}
