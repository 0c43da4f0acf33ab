//! The scores of one bundle under one noise.

use serde::{Deserialize, Serialize};

use crate::{
    evaluation::{AlarmRates, RecordingScores, Scores},
    recipe::Noise,
};

/// Scores under one noise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NoiseScores {
    /// The noise; `None` for clean inputs.
    pub noise: Option<Noise>,
    /// The scores.
    pub scores: Scores,
    /// Alarms of the model's baseline; `None` if it has none.
    #[serde(default)]
    pub watched: Option<AlarmRates>,
    /// Scores of whole recordings; `None` if the inputs are not windows of recordings.
    #[serde(default)]
    pub recordings: Option<RecordingScores>,
}
