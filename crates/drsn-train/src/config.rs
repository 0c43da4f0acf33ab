//! The recipe of a training: one structure, which the manifest of the trained model records whole.

use drsn_bundle::{Architecture, Stage, Stem, Unit};
use serde::{Deserialize, Serialize};

use crate::TrainError;

/// Everything that a training depends on besides the data.
///
/// The defaults are the recipe of the bundled model `mnist`. In a file, what is not named has its default:
///
/// ```
/// let config: drsn_train::TrainConfig = serde_json::from_str(r#"{"unit": "cs", "epochs": 3}"#)?;
/// assert_eq!(config.seed, drsn_train::TrainConfig::default().seed);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    /// Kind of the building units.
    pub unit: Unit,
    /// The first convolution.
    pub stem: Stem,
    /// The stages of units; none has fewer channels than the one before.
    pub stages: Vec<Stage>,
    /// Width of the threshold networks' hidden layer, as a divisor of the unit's channels.
    pub threshold_reduction: usize,
    /// ε of every batch normalization.
    pub norm_epsilon: f64,
    /// Passes over the training data.
    pub epochs: usize,
    /// Inputs in a batch. What is left over at the end of an epoch sits that epoch out.
    pub batch: usize,
    /// Highest learning rate: it rises to it linearly and falls to zero with a cosine.
    pub learning_rate: f64,
    /// Weight decay (decoupled, as `AdamW` has it) of kernels and matrices; biases and normalizations have none.
    pub weight_decay: f64,
    /// Strongest noise a: an input gets s · U(0, 1) added to each value, with s drawn from U(0, a) for it.
    pub noise: f32,
    /// Most pixels that an image is shifted while training, along each axis and in each direction.
    pub shift: usize,
    /// Inputs of the training set that take no part in training.
    pub held_out: usize,
    /// Trains on so many inputs only; on all that are not held out where it is missing.
    pub limit: Option<usize>,
    /// Seed of everything random.
    pub seed: u64,
    /// Threads that compute. The exact bytes of the trained model may depend on it.
    pub threads: usize,
}

impl Default for TrainConfig {
    fn default() -> Self {
        let stage = |channels, stride| Stage { channels, blocks: 1, stride };
        Self {
            unit: Unit::Cw,
            stem: Stem { channels: 16, kernel: 3, stride: 2 },
            stages: vec![stage(16, 1), stage(32, 2), stage(64, 2)],
            threshold_reduction: 1,
            norm_epsilon: 1e-5,
            epochs: 18,
            batch: 128,
            learning_rate: 3e-3,
            weight_decay: 0.02,
            noise: 0.5,
            shift: 2,
            held_out: 5_000,
            limit: None,
            seed: 1,
            threads: 1,
        }
    }
}

impl TrainConfig {
    /// The network's shape, without a count of its parameters: that is known once it is built.
    pub fn architecture(&self) -> Architecture {
        Architecture {
            unit: self.unit,
            stem: self.stem,
            stages: self.stages.clone(),
            threshold_reduction: self.threshold_reduction,
            parameters: 0,
        }
    }

    /// Checks what the fields demand of one another.
    ///
    /// # Errors
    /// [`TrainError::Config`] with the first field that cannot be.
    pub fn check(&self) -> Result<(), TrainError> {
        let refuse = |reason: String| Err(TrainError::Config { reason });
        let counts = [
            ("stem.channels", self.stem.channels),
            ("stem.kernel", self.stem.kernel),
            ("stem.stride", self.stem.stride),
            ("threshold_reduction", self.threshold_reduction),
            ("epochs", self.epochs),
            ("held_out", self.held_out),
            ("threads", self.threads),
        ];
        if let Some((field, _)) = counts.iter().find(|(_, count)| *count == 0) {
            return refuse(format!("{field} must be at least 1"));
        }
        if self.batch < 2 {
            return refuse(format!(
                "batch must be at least 2, and is {}: normalization needs a spread",
                self.batch
            ));
        }
        let positive = |x: f64| x.is_finite() && x > 0.0;
        if !positive(self.learning_rate) || !positive(self.norm_epsilon) {
            return refuse("learning_rate and norm_epsilon must be positive numbers".to_owned());
        }
        let at_least_zero = |x: f64| x.is_finite() && x >= 0.0;
        if !at_least_zero(f64::from(self.noise)) || !at_least_zero(self.weight_decay) {
            return refuse("noise and weight_decay must not be negative".to_owned());
        }
        self.check_stages()
    }

    fn check_stages(&self) -> Result<(), TrainError> {
        let refuse = |reason: String| Err(TrainError::Config { reason });
        if self.stages.is_empty() {
            return refuse("there must be at least one stage".to_owned());
        }
        let mut width = self.stem.channels;
        for (index, stage) in self.stages.iter().enumerate() {
            if stage.blocks == 0 || stage.stride == 0 {
                return refuse(format!(
                    "blocks and stride of stage {} must be at least 1",
                    index + 1
                ));
            }
            if stage.channels < width {
                return refuse(format!(
                    "stage {} has {} channels and gets {width}: a shortcut can add channels, not remove them",
                    index + 1,
                    stage.channels
                ));
            }
            width = stage.channels;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_can_be_trained() {
        assert!(TrainConfig::default().check().is_ok());
    }

    #[test]
    fn a_stage_that_would_lose_channels_is_refused_by_its_number() {
        let mut config = TrainConfig::default();
        config.stages[2].channels = 8;
        let refusal = config.check().map_err(|e| e.to_string());
        assert!(refusal.is_err_and(|reason| reason.contains("stage 3 has 8 channels and gets 32")));
    }

    #[test]
    fn a_batch_of_one_is_refused() {
        let config = TrainConfig { batch: 1, ..TrainConfig::default() };
        assert!(config.check().is_err());
    }
}
