//! What a training works on.

use burn::tensor::Device;

use super::{Batches, Disturbance, Workers, planes};
use crate::{
    dataset::{Data, Part},
    model::{Drsn, Initializer},
    random::{Purpose, stream},
    recipe::Recipe,
};

/// What a training works on.
#[derive(Clone, Copy)]
pub struct Task<'a> {
    /// The recipe.
    pub recipe: &'a Recipe,
    /// The data.
    pub data: &'a Data,
    /// [`Data::digest`] of the data: a checkpoint goes on with no other.
    pub digest: &'a str,
    /// The threads that compute.
    pub workers: &'a Workers,
}

impl Task<'_> {
    /// The network with its random weights.
    pub fn network(&self, device: &Device) -> Drsn {
        let rng = stream(self.recipe.seed, Purpose::Weights, 0, 0);
        Drsn::new(
            &self.recipe.network.architecture(),
            planes(&self.data.input),
            self.data.classes.len(),
            self.recipe.network.norm_epsilon,
            &mut Initializer::new(rng, device),
        )
    }

    /// Held-out inputs with noise as in training.
    pub(crate) fn held_out(&self) -> Batches<'_> {
        self.batches(&self.data.held_out, Disturbance::calibration(self.recipe))
    }

    /// Inputs of a part as they are met under a disturbance.
    pub(crate) fn batches<'b>(&'b self, part: &'b Part, disturbance: Disturbance) -> Batches<'b> {
        Batches { part, input: &self.data.input, disturbance }
    }

    /// Batches of an epoch.
    pub(super) fn steps(&self) -> usize {
        self.data.training.indices.len() / self.recipe.batch
    }
}

/// The data as it lies there, as [`Disturbance::data`] gives it, in words.
pub(crate) fn in_words(recipe: &Recipe, data: &Data) -> String {
    let description = &data.description;
    match &recipe.noise {
        None => description.clone(),
        Some(noise) if noise.drawn_once => format!("{description}, with {}", noise.in_words()),
        Some(_) => format!("{description}, without the noise of the training"),
    }
}
