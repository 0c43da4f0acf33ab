//! Augmentation and noise that are applied to raw inputs.

use ndarray::ArrayViewMut2;
use rand::rngs::ChaCha8Rng;

use crate::{
    noise,
    random::Purpose,
    recipe::{Augmentation, Noise, Recipe, TrainingNoise},
};

/// The changes to a raw input before it is prepared: augmentation and noise.
#[derive(Debug, Clone)]
pub struct Disturbance {
    pub(super) augmentation: Augmentation,
    noise: NoiseChoice,
    pub(super) purpose: Purpose,
    pub(super) seed: u64,
}

#[derive(Debug, Clone)]
enum NoiseChoice {
    Random(Option<TrainingNoise>),
    Fixed(Option<Noise>),
}

impl Disturbance {
    /// Augmentation and noise of training.
    pub fn training(recipe: &Recipe) -> Self {
        Self {
            augmentation: recipe.augmentation.clone(),
            noise: NoiseChoice::Random(recipe.noise.clone()),
            purpose: Purpose::Training,
            seed: recipe.seed,
        }
    }

    /// Noise of training without augmentation, for measuring statistics; but windows are spliced as
    /// in training: their parts are louder and quieter than whole windows, which moves statistics.
    pub fn statistics(recipe: &Recipe) -> Self {
        let splice = recipe.augmentation.splice;
        let augmentation = Augmentation { splice, ..Augmentation::default() };
        Self { augmentation, ..Self::held_out(recipe) }
    }

    /// Noise of training without augmentation.
    pub(crate) fn held_out(recipe: &Recipe) -> Self {
        // Noise that is drawn once is part of the data: it is the same as in training.
        let once = recipe.noise.as_ref().is_some_and(|noise| noise.drawn_once);
        Self {
            augmentation: Augmentation::default(),
            noise: NoiseChoice::Random(recipe.noise.clone()),
            purpose: if once { Purpose::Training } else { Purpose::Statistics },
            seed: recipe.seed,
        }
    }

    /// Clean windows, each spliced of two.
    pub(crate) fn spliced(recipe: &Recipe) -> Self {
        let augmentation = Augmentation { splice: 1.0, ..Augmentation::default() };
        Self { augmentation, ..Self::data(recipe) }
    }

    /// The data as stored: only noise that is drawn once, which is part of the data.
    pub(crate) fn data(recipe: &Recipe) -> Self {
        let part_of_data = recipe.noise.clone().filter(|noise| noise.drawn_once);
        Self {
            augmentation: Augmentation::default(),
            noise: NoiseChoice::Random(part_of_data),
            purpose: Purpose::Training,
            seed: recipe.seed,
        }
    }

    /// Noise of fixed strength, or none.
    pub fn evaluation(noise: Option<Noise>, seed: u64) -> Self {
        Self {
            augmentation: Augmentation::default(),
            noise: NoiseChoice::Fixed(noise),
            purpose: Purpose::Evaluation,
            seed,
        }
    }

    /// Whether an input has the same noise in every epoch.
    pub(super) fn drawn_once(&self) -> bool {
        matches!(&self.noise, NoiseChoice::Random(Some(noise)) if noise.drawn_once)
    }

    /// Adds noise to the parts of a raw input, see [`noise::parts`].
    pub(super) fn add_noise(&self, parts: ArrayViewMut2<'_, f32>, rng: &mut ChaCha8Rng) {
        let noise = match &self.noise {
            NoiseChoice::Random(random) => random.as_ref().and_then(|random| random.draw(rng)),
            NoiseChoice::Fixed(noise) => *noise,
        };
        if let Some(noise) = noise {
            noise::add(&noise, parts, rng);
        }
    }
}
