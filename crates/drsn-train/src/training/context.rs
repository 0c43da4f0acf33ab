//! What a training works on.

use burn::tensor::Device;
use drsn_bundle::InputSpec;

use super::{
    batch::{Batches, chw_shape},
    disturbance::Disturbance,
    workers::Workers,
};
use crate::{
    dataset::{Data, Part},
    model::{Drsn, Initializer, LogMel},
    random::{Purpose, stream},
    recipe::{FrontEndConfig, Recipe},
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
        let front_end = self.front_end();
        let input = chw_shape(&self.data.input);
        let input = front_end.as_ref().map_or(input, |layer| layer.output(input[2]));
        let network = Drsn::new(
            &self.recipe.network.architecture(),
            input,
            self.data.classes.len(),
            self.recipe.network.norm_epsilon,
            &mut Initializer::new(rng, device),
        );
        Drsn { front_end, ..network }
    }

    /// The layer before the first convolution, if there is one. Signals without a sample rate have
    /// none: with a front end, such data is refused when it is opened.
    fn front_end(&self) -> Option<LogMel> {
        let FrontEndConfig::LogMel(config) = self.recipe.network.front_end?;
        match &self.data.input {
            InputSpec::Signal(signal) => {
                Some(LogMel::new(config, signal.channels, signal.sample_rate_hz?))
            }
            InputSpec::Image(_) => None,
        }
    }

    /// Held-out inputs with the noise of training.
    pub(crate) fn held_out(&self) -> Batches<'_> {
        self.batches(&self.data.held_out, Disturbance::held_out(self.recipe))
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
