//! Batches of prepared inputs.

use burn::tensor::{Device, Int, Tensor, TensorData};
use drsn_bundle::InputSpec;
use rand::{RngExt as _, rngs::ChaCha8Rng};

use crate::{
    TrainError,
    dataset::{Part, augmentation},
    noise,
    random::{Purpose, stream},
    recipe::{Augmentation, Noise, Recipe, TrainingNoise},
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

/// What happens to a raw input before it is prepared.
#[derive(Debug, Clone)]
pub struct Disturbance {
    /// Shifts, flips, gains.
    augmentation: Augmentation,
    noise: Noisy,
    purpose: Purpose,
    seed: u64,
}

#[derive(Debug, Clone)]
enum Noisy {
    Random(Option<TrainingNoise>),
    Fixed(Option<Noise>),
}

impl Disturbance {
    /// What an input meets while the network is trained.
    pub fn training(recipe: &Recipe) -> Self {
        Self {
            augmentation: recipe.augmentation.clone(),
            noise: Noisy::Random(recipe.noise.clone()),
            purpose: Purpose::Training,
            seed: recipe.seed,
        }
    }

    /// What an input meets while statistics are measured: noise as in training, and nothing else.
    pub fn calibration(recipe: &Recipe) -> Self {
        // Noise that is drawn once is a part of the data: it is the same as in training.
        let once = recipe.noise.as_ref().is_some_and(|noise| noise.drawn_once);
        Self {
            augmentation: Augmentation::default(),
            noise: Noisy::Random(recipe.noise.clone()),
            purpose: if once { Purpose::Training } else { Purpose::Calibration },
            seed: recipe.seed,
        }
    }

    /// An input as it lies in the data: noise that is drawn once is a part of it, other noise is not.
    pub(crate) fn data(recipe: &Recipe) -> Self {
        let part_of_data = recipe.noise.clone().filter(|noise| noise.drawn_once);
        Self {
            augmentation: Augmentation::default(),
            noise: Noisy::Random(part_of_data),
            purpose: Purpose::Training,
            seed: recipe.seed,
        }
    }

    /// Noise of one strength, or none.
    pub fn evaluation(noise: Option<Noise>, seed: u64) -> Self {
        Self {
            augmentation: Augmentation::default(),
            noise: Noisy::Fixed(noise),
            purpose: Purpose::Evaluation,
            seed,
        }
    }

    fn drawn_once(&self) -> bool {
        matches!(&self.noise, Noisy::Random(Some(noise)) if noise.drawn_once)
    }

    fn add_noise(&self, values: &mut [f32], parts: usize, rng: &mut ChaCha8Rng) {
        let noise = match &self.noise {
            Noisy::Random(random) => random.as_ref().and_then(|random| random.draw(rng)),
            Noisy::Fixed(noise) => *noise,
        };
        if let Some(noise) = noise {
            noise::add(&noise, values, parts, rng);
        }
    }
}

/// Makes batches of a part of a data set.
#[derive(Debug, Clone)]
pub struct Batches<'a> {
    /// The data.
    pub part: &'a Part,
    /// How inputs are prepared.
    pub input: &'a InputSpec,
    /// What happens to them before that.
    pub disturbance: Disturbance,
}

impl Batches<'_> {
    /// The prepared inputs with these indices of the source one behind another, as they are met in `epoch`.
    ///
    /// # Errors
    /// [`TrainError::Input`] where one cannot be read or prepared, with its name.
    pub fn values(&self, indices: &[usize], epoch: usize) -> Result<Vec<f32>, TrainError> {
        let size = self.input.elements();
        let mut values = vec![0.0; indices.len() * size];
        for (&index, input) in indices.iter().zip(values.chunks_exact_mut(size.max(1))) {
            self.raw(index, epoch, input)?;
            self.prepare(index, input)?;
        }
        Ok(values)
    }

    /// Prepares an input that was read.
    ///
    /// # Errors
    /// [`TrainError::Input`] with its name.
    pub(crate) fn prepare(&self, index: usize, values: &mut [f32]) -> Result<(), TrainError> {
        self.input.prepare(values).map_err(|e| TrainError::Input {
            input: self.part.source.name(index),
            reason: e.to_string(),
        })
    }

    /// One input as it is met in `epoch`, before it is prepared.
    ///
    /// # Errors
    /// [`TrainError::Dataset`] where it cannot be read.
    pub fn raw(&self, index: usize, epoch: usize, values: &mut [f32]) -> Result<(), TrainError> {
        let Disturbance { purpose, seed, augmentation, .. } = &self.disturbance;
        let stream = |epoch: usize| stream(*seed, *purpose, epoch as u64, index as u64);
        let mut rng = stream(epoch);
        let reach = augmentation.shift as i64;
        let shift = if reach > 0 { rng.random_range(-reach..=reach) } else { 0 };
        self.part.source.read(index, shift as isize, values)?;
        let parts = noise::parts(self.input);
        if self.disturbance.drawn_once() {
            self.disturbance.add_noise(values, parts, &mut stream(0));
        }
        match self.input {
            InputSpec::Image(image) => {
                // What lies outside the picture becomes zero once it is prepared.
                let outside = &image.mean;
                augmentation::image(augmentation, values, planes(self.input), outside, &mut rng);
            }
            InputSpec::Signal(_) => augmentation::signal(augmentation, values, &mut rng),
        }
        if !self.disturbance.drawn_once() {
            self.disturbance.add_noise(values, parts, &mut rng);
        }
        Ok(())
    }

    /// The prepared inputs as tensors on a device, with their classes.
    ///
    /// # Errors
    /// As [`Self::values`].
    pub fn batch(
        &self,
        indices: &[usize],
        epoch: usize,
        device: &Device,
    ) -> Result<Batch, TrainError> {
        let values = self.values(indices, epoch)?;
        let labels: Vec<usize> = indices.iter().map(|&i| self.part.source.label(i)).collect();
        let targets: Vec<i64> = labels.iter().map(|&label| label as i64).collect();
        Ok(Batch {
            inputs: Tensor::from_data(batch_last(&values, planes(self.input)), device),
            targets: Tensor::from_data(TensorData::new(targets, [indices.len()]), device),
            labels,
        })
    }
}

/// Prepared inputs of `[channels, height, width]` that lie one behind another as `[channels, height, width, batch]`.
pub fn batch_last(values: &[f32], shape: [usize; 3]) -> TensorData {
    let [channels, height, width] = shape;
    let size = channels * height * width;
    let batch = values.len() / size.max(1);
    let mut turned = vec![0.0; values.len()];
    for (n, input) in values.chunks_exact(size.max(1)).enumerate() {
        for (&value, place) in input.iter().zip(turned.iter_mut().skip(n).step_by(batch)) {
            *place = value;
        }
    }
    TensorData::new(turned, [channels, height, width, batch])
}

/// `[channels, height, width]` of one input; a signal has height one.
pub fn planes(spec: &InputSpec) -> [usize; 3] {
    match spec {
        InputSpec::Image(image) => [image.channels, image.height, image.width],
        InputSpec::Signal(signal) => [signal.channels, 1, signal.window],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_batch_becomes_the_last_axis() {
        let data = batch_last(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1, 1, 3]);
        assert_eq!(data.try_to_vec::<f32>().unwrap(), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    }
}
