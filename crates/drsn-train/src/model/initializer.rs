//! Random weights before training.
//!
//! The weights come from the project's own generator. Burn has one generator for the whole process,
//! so networks created concurrently would change each other's weights.

use burn::{
    module::Param,
    tensor::{Device, Tensor, TensorData},
};
use rand::{RngExt as _, rngs::ChaCha8Rng};
use rand_distr::StandardNormal;

/// Draws the weights of one network, layer by layer, on a device.
pub struct Initializer<'a> {
    rng: ChaCha8Rng,
    device: &'a Device,
}

impl<'a> Initializer<'a> {
    /// An initializer whose weights depend only on the generator.
    pub fn new(rng: ChaCha8Rng, device: &'a Device) -> Self {
        Self { rng, device }
    }

    /// The device of the weights.
    pub(crate) fn device(&self) -> &Device {
        self.device
    }

    /// Normal weights with variance 2 / `fan_in`, which preserves the variance through ReLU.
    ///
    /// Source: K. He et al., "Delving Deep into Rectifiers", ICCV 2015, section 2.2.
    pub(crate) fn he_normal<const D: usize>(
        &mut self,
        shape: [usize; D],
        fan_in: usize,
    ) -> Param<Tensor<D>> {
        let deviation = (2.0 / fan_in as f32).sqrt();
        self.draw(shape, |rng| deviation * rng.sample::<f32, _>(StandardNormal))
    }

    /// Uniform weights within ±√(6 / (`inputs` + `outputs`)) for a layer before a sigmoid, of shape
    /// `[inputs, outputs]`.
    ///
    /// Source: X. Glorot and Y. Bengio, "Understanding the difficulty of training deep feedforward
    /// neural networks", AISTATS 2010, equation 16.
    pub(crate) fn glorot_uniform(&mut self, inputs: usize, outputs: usize) -> Param<Tensor<2>> {
        let limit = (6.0 / (inputs + outputs) as f32).sqrt();
        self.draw([inputs, outputs], |rng| limit * (2.0 * rng.random::<f32>() - 1.0))
    }

    /// A zero bias.
    pub(crate) fn zeros(&self, size: usize) -> Param<Tensor<1>> {
        Param::from_data(TensorData::from(vec![0.0_f32; size].as_slice()), self.device)
    }

    fn draw<const D: usize>(
        &mut self,
        shape: [usize; D],
        mut weight: impl FnMut(&mut ChaCha8Rng) -> f32,
    ) -> Param<Tensor<D>> {
        let count = shape.iter().product();
        let weights: Vec<f32> = (0..count).map(|_| weight(&mut self.rng)).collect();
        Param::from_data(TensorData::new(weights, shape), self.device)
    }
}
