//! The temperature of a model's probabilities.

use serde::{Deserialize, Serialize};

/// Largest temperature.
const MOST: f32 = 100.0;

/// What the logits are divided by before the softmax, so that the probabilities are as high as the
/// model is right; it is in the graph.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Calibration {
    /// The temperature T, from 1 on; 1 leaves the probabilities as the network gives them.
    pub temperature: f32,
    /// Why it is that one.
    pub reason: String,
    /// Number of held-out inputs that it was chosen by.
    pub inputs: u64,
    /// Number of independent groups, files or inputs among them.
    pub units: u64,
}

impl Calibration {
    pub(crate) fn check(&self) -> Result<(), String> {
        let temperature = self.temperature;
        if (1.0..=MOST).contains(&temperature) {
            return Ok(());
        }
        Err(format!("the temperature must be from 1 to {MOST}, and is {temperature}"))
    }
}
