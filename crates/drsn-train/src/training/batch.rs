//! Batches of prepared inputs.

use std::ops::Range;

use burn::tensor::{Device, Int, Tensor, TensorData};
use drsn_bundle::InputSpec;
use rand::{RngExt as _, rngs::ChaCha8Rng};

use super::shift::shift;
use crate::{
    TrainConfig, TrainError,
    dataset::Dataset,
    noise::add_uniform,
    random::{Purpose, stream},
};

/// Prepared inputs with their classes.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Inputs, `[batch, channels, height, width]`.
    pub inputs: Tensor<4>,
    /// Classes, `[batch]`.
    pub targets: Tensor<1, Int>,
    /// The same classes as numbers.
    pub labels: Vec<usize>,
}

/// What happens to an input before it is prepared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Disturbance {
    /// Most pixels of shift in each direction.
    pub shift: usize,
    /// Range of the noise's amplitude, drawn anew for each input.
    pub noise: (f32, f32),
    /// What the random numbers are for.
    pub purpose: Purpose,
    /// Seed of the random numbers.
    pub seed: u64,
}

impl Disturbance {
    /// What an input meets while the network is trained.
    pub fn training(config: &TrainConfig) -> Self {
        Self {
            shift: config.shift,
            noise: (0.0, config.noise as f32),
            purpose: Purpose::Training,
            seed: config.seed,
        }
    }

    /// What an input meets while statistics are measured: noise as in training, and no shift.
    pub fn calibration(config: &TrainConfig) -> Self {
        Self {
            shift: 0,
            noise: (0.0, config.noise as f32),
            purpose: Purpose::Calibration,
            seed: config.seed,
        }
    }

    /// Noise of one amplitude.
    pub fn evaluation(amplitude: f32, seed: u64) -> Self {
        Self { shift: 0, noise: (amplitude, amplitude), purpose: Purpose::Evaluation, seed }
    }

    fn apply(&self, values: &mut [f32], shape: [usize; 3], rng: &mut ChaCha8Rng) {
        if self.shift > 0 {
            let reach = self.shift as i64;
            let by = [0, 1].map(|_| rng.random_range(-reach..=reach) as isize);
            shift(values, shape, by);
        }
        let Range { start, end } = self.noise.0..self.noise.1;
        let amplitude = start + (end - start) * rng.random::<f32>();
        if amplitude > 0.0 {
            add_uniform(values, amplitude, rng);
        }
    }
}

/// Makes batches from a data set.
#[derive(Debug, Clone, Copy)]
pub struct Batches<'a> {
    /// The data.
    pub dataset: &'a Dataset,
    /// How inputs are prepared.
    pub spec: &'a InputSpec,
    /// What happens to them before that.
    pub disturbance: Disturbance,
}

impl Batches<'_> {
    /// The prepared inputs with these indices one behind another, as they are met in `epoch`.
    ///
    /// # Errors
    /// [`TrainError::Prepare`] where one cannot be prepared.
    pub fn values(&self, indices: &[usize], epoch: usize) -> Result<Vec<f32>, TrainError> {
        let shape = planes(self.spec);
        let mut values = Vec::with_capacity(indices.len() * self.spec.elements());
        for &index in indices {
            let begin = values.len();
            values.extend_from_slice(self.dataset.input(index));
            let input = &mut values[begin..];
            let Disturbance { purpose, seed, .. } = self.disturbance;
            let mut rng = stream(seed, purpose, epoch as u64, index as u64);
            self.disturbance.apply(input, shape, &mut rng);
            self.spec.prepare(input)?;
        }
        Ok(values)
    }

    /// The same as tensors on a device, with the classes.
    ///
    /// # Errors
    /// [`TrainError::Prepare`] where an input cannot be prepared.
    pub fn batch(
        &self,
        indices: &[usize],
        epoch: usize,
        device: &Device,
    ) -> Result<Batch, TrainError> {
        let [channels, height, width] = planes(self.spec);
        let values = self.values(indices, epoch)?;
        let inputs = TensorData::new(values, [indices.len(), channels, height, width]);
        let labels: Vec<usize> = indices.iter().map(|&i| self.dataset.label(i)).collect();
        let targets: Vec<i64> = labels.iter().map(|&label| label as i64).collect();
        Ok(Batch {
            inputs: Tensor::from_data(inputs, device),
            targets: Tensor::from_data(TensorData::new(targets, [indices.len()]), device),
            labels,
        })
    }
}

/// `[channels, height, width]` of one input; a signal has height one.
pub fn planes(spec: &InputSpec) -> [usize; 3] {
    match spec {
        InputSpec::Image(image) => [image.channels, image.height, image.width],
        InputSpec::Signal(signal) => [signal.channels, 1, signal.window],
    }
}
