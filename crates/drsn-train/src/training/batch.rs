//! Batches of prepared inputs.

use burn::tensor::{Device, Int, Tensor, TensorData};
use drsn_bundle::InputSpec;
use ndarray::{ArrayD, ArrayViewD, ArrayViewMutD, Axis, ShapeError};
use rand::RngExt as _;

use super::{disturbance::Disturbance, error::InputError};
use crate::{
    dataset::{Part, augmentation},
    noise,
    random::stream,
};

/// Prepared inputs with their classes.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Inputs, `[channels, height, width, batch]`.
    pub inputs: Tensor<4>,
    /// Classes, `[batch]`.
    pub targets: Tensor<1, Int>,
    /// The same classes as numbers.
    pub labels: Vec<usize>,
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

    /// Reads one raw input as in `epoch`, with augmentation and noise.
    ///
    /// # Errors
    /// [`InputError`] if it cannot be read, or does not have its shape.
    pub(crate) fn raw(
        &self,
        index: usize,
        epoch: usize,
        mut values: ArrayViewMutD<'_, f32>,
    ) -> Result<(), InputError> {
        let Disturbance { purpose, seed, augmentation, .. } = &self.disturbance;
        let wrong_shape = |error: ShapeError| InputError::Preparation {
            input: self.part.source.name(index),
            reason: error.to_string(),
        };
        let stream = |epoch: usize| stream(*seed, *purpose, epoch as u64, index as u64);
        let mut rng = stream(epoch);
        let reach = augmentation.shift as i64;
        let shift = if reach > 0 { rng.random_range(-reach..=reach) } else { 0 };
        self.part.source.read(index, shift as isize, values.view_mut())?;
        if self.disturbance.drawn_once() {
            let parts = noise::parts(self.input, values.view_mut()).map_err(wrong_shape)?;
            self.disturbance.add_noise(parts, &mut stream(0));
        }
        match self.input {
            InputSpec::Image(image) => {
                // Preparation turns the mean into zero.
                let outside = &image.mean;
                let values = values.view_mut().into_dimensionality().map_err(wrong_shape)?;
                augmentation::image(augmentation, values, outside, &mut rng);
            }
            InputSpec::Signal(_) => {
                augmentation::signal(augmentation, values.view_mut(), &mut rng);
            }
        }
        if !self.disturbance.drawn_once() {
            let parts = noise::parts(self.input, values).map_err(wrong_shape)?;
            self.disturbance.add_noise(parts, &mut rng);
        }
        Ok(())
    }

    /// Prepares these inputs and puts them on a device, with their classes.
    ///
    /// # Errors
    /// As [`Self::values`].
    pub fn batch(&self, draws: &[Draw], device: &Device) -> Result<Batch, InputError> {
        let values = self.drawn(draws)?;
        let labels: Vec<usize> =
            draws.iter().map(|draw| self.part.source.label(draw.index)).collect();
        let targets: Vec<i64> = labels.iter().map(|&label| label as i64).collect();
        Ok(Batch {
            inputs: Tensor::from_data(batch_last(values.view()), device),
            targets: Tensor::from_data(TensorData::new(targets, [draws.len()]), device),
            labels,
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
