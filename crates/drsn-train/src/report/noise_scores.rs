//! The scores of one bundle under one noise.

use serde::{Deserialize, Serialize};

use crate::{
    evaluation::{AlarmRates, RecordingScores, Scores},
    recipe::Noise,
};

/// The calibration of the probabilities that a network gives by itself.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Uncalibrated {
    /// Expected calibration error.
    pub calibration_error: f64,
    /// Its interval of 95 %; `None` if there are fewer than two independent units.
    pub calibration_interval: Option<[f64; 2]>,
}

/// Scores under one noise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NoiseScores {
    /// The noise; `None` for clean inputs.
    pub noise: Option<Noise>,
    /// The scores.
    pub scores: Scores,
    /// The calibration without the model's temperature; `None` if it has none, or 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uncalibrated: Option<Uncalibrated>,
    /// Alarms of the model's baseline; `None` if it has none.
    #[serde(default)]
    pub watched: Option<AlarmRates>,
    /// Scores of whole recordings; `None` if the inputs are not windows of recordings.
    #[serde(default)]
    pub recordings: Option<RecordingScores>,
}
