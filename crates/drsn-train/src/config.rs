//! The recipe of a training: one structure, which the manifest of the trained model records whole.

use drsn_bundle::{Architecture, ShrinkageFunction, Stage, Stem, Unit};
use serde::{Deserialize, Serialize};

use crate::TrainError;

/// Height and width of the images.
const SIDE: usize = 28;

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
    pub noise: f64,
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
            shrinkage: ShrinkageFunction::Soft,
            kernel: 3,
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
        check_ranges(&[
            ("stem.channels", self.stem.channels, 1, 4_096),
            ("stem.kernel", self.stem.kernel, 1, 64),
            ("stem.stride", self.stem.stride, 1, 64),
            ("stages", self.stages.len(), 1, 100),
            ("threshold_reduction", self.threshold_reduction, 1, 4_096),
            ("epochs", self.epochs, 1, 1_000_000),
            // Normalization needs a spread.
            ("batch", self.batch, 2, 1_000_000),
            ("shift", self.shift, 0, SIDE - 1),
            ("held_out", self.held_out, 1, 1_000_000),
            ("threads", self.threads, 1, 1_024),
        ])?;
        if self.held_out < self.batch {
            return refuse(format!(
                "held_out must be at least one batch of {}, and is {}: the network is checked on whole batches",
                self.batch, self.held_out
            ));
        }
        let positive = |x: f64| x.is_finite() && x > 0.0;
        if !positive(self.learning_rate) || !positive(self.norm_epsilon) {
            return refuse("learning_rate and norm_epsilon must be positive numbers".to_owned());
        }
        let at_least_zero = |x: f64| x.is_finite() && x >= 0.0;
        // They are used in 32 bits.
        let single = |x: f64| f64::from(x as f32);
        if !at_least_zero(single(self.noise)) || !at_least_zero(single(self.weight_decay)) {
            return refuse("noise and weight_decay must be finite and not negative".to_owned());
        }
        self.check_stages()
    }

    fn check_stages(&self) -> Result<(), TrainError> {
        let refuse = |reason: String| Err(TrainError::Config { reason });
        let mut width = self.stem.channels;
        for (index, stage) in self.stages.iter().enumerate() {
            let field = |name: &str| format!("{name} of stage {}", index + 1);
            check_ranges(&[
                (&field("channels"), stage.channels, 1, 4_096),
                (&field("blocks"), stage.blocks, 1, 1_000),
                (&field("stride"), stage.stride, 1, 64),
            ])?;
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

/// Refuses the first field, given with its value, that is not between its least and its largest value.
fn check_ranges(fields: &[(&str, usize, usize, usize)]) -> Result<(), TrainError> {
    let outside =
        |&&(_, value, least, most): &&(&str, usize, usize, usize)| !(least..=most).contains(&value);
    let Some((field, value, least, most)) = fields.iter().find(outside) else { return Ok(()) };
    let reason = format!("{field} must be between {least} and {most}, and is {value}");
    Err(TrainError::Config { reason })
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
    fn hostile_recipes_are_refused_by_the_field() {
        for (field, value) in [
            ("threads", "100000000"),
            ("shift", "28"),
            ("shift", "18446744073709551615"),
            ("epochs", "18446744073709551615"),
            ("batch", "18446744073709551615"),
            ("held_out", "18446744073709551615"),
            ("held_out", "100"),
            ("threshold_reduction", "5000"),
            ("noise", "1e300"),
            ("noise", "-1"),
            ("weight_decay", "1e300"),
            ("learning_rate", "0"),
            ("stages", "[]"),
            ("stages", r#"[{"channels": 5000, "blocks": 1, "stride": 1}]"#),
            ("stages", r#"[{"channels": 16, "blocks": 1001, "stride": 1}]"#),
            ("stages", r#"[{"channels": 16, "blocks": 1, "stride": 65}]"#),
            ("stem", r#"{"channels": 16, "kernel": 65, "stride": 1}"#),
            ("stem", r#"{"channels": 18446744073709551615, "kernel": 3, "stride": 1}"#),
            ("stem", r#"{"channels": 16, "kernel": 3, "stride": 65}"#),
        ] {
            let recipe = format!(r#"{{"{field}": {value}}}"#);
            let config: TrainConfig = serde_json::from_str(&recipe).unwrap();
            let refusal = config.check().unwrap_err().to_string();
            assert!(refusal.contains(field.trim_end_matches('s')), "{recipe}: {refusal}");
        }
    }

    #[test]
    fn noise_is_written_as_it_was_given() {
        let config = TrainConfig { noise: 0.3, ..TrainConfig::default() };
        assert!(serde_json::to_string(&config).unwrap().contains(r#""noise":0.3,"#));
    }

    #[test]
    fn a_batch_of_one_is_refused() {
        let config = TrainConfig { batch: 1, ..TrainConfig::default() };
        assert!(config.check().is_err());
    }
}
