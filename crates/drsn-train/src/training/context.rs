//! What a training works on.

use burn::tensor::Device;

use super::{
    batch::{Batches, chw_shape},
    disturbance::Disturbance,
    workers::Workers,
};
use crate::{
    dataset::{Data, Part},
    model::{Drsn, Initializer},
    random::{Purpose, stream},
    recipe::Recipe,
};

/// Recipe, data and threads of a training.
#[derive(Clone, Copy)]
pub struct TrainingContext<'a> {
    /// The recipe.
    pub recipe: &'a Recipe,
    /// The data.
    pub data: &'a Data,
    /// [`Data::digest`] of the data: a checkpoint cannot be resumed with other data.
    pub digest: &'a str,
    /// The threads that compute.
    pub workers: &'a Workers,
}

impl TrainingContext<'_> {
    /// The network with its initial random weights.
    pub fn network(&self, device: &Device) -> Drsn {
        let rng = stream(self.recipe.seed, Purpose::Weights, 0, 0);
        Drsn::new(
            &self.recipe.network.architecture(),
            chw_shape(&self.data.input),
            self.data.classes.len(),
            self.recipe.network.norm_epsilon,
            &mut Initializer::new(rng, device),
        )
    }

    /// Held-out inputs with the noise of training.
    pub(crate) fn held_out(&self) -> Batches<'_> {
        self.batches(&self.data.held_out, Disturbance::statistics(self.recipe))
    }

    /// Inputs of a part of the data under a disturbance.
    pub(crate) fn batches<'b>(&'b self, part: &'b Part, disturbance: Disturbance) -> Batches<'b> {
        Batches { part, input: &self.data.input, disturbance }
    }

    /// Batches in an epoch.
    pub(super) fn batches_per_epoch(&self) -> usize {
        self.data.training.indices.len() / self.recipe.batch
    }
}

/// Describes the data as [`Disturbance::data`] leaves it.
pub(crate) fn describe_data(recipe: &Recipe, data: &Data) -> String {
    let description = &data.description;
    match &recipe.noise {
        None => description.clone(),
        Some(noise) if noise.drawn_once => format!("{description}, with {}", noise.describe()),
        Some(_) => format!("{description}, without the noise of the training"),
    }
}
