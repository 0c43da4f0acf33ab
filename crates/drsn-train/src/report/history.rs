//! How a training went, epoch by epoch.

use serde::{Deserialize, Serialize};

/// All epochs of a training, from the first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TrainingHistory {
    /// The epochs that are complete.
    pub epochs: Vec<EpochRecord>,
}

/// One epoch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Its number, from one.
    pub epoch: usize,
    /// Mean loss of its batches.
    pub loss: f64,
    /// Accuracy on the same batches, in [0, 1].
    pub accuracy: f64,
    /// Loss on held-out inputs after it, with the statistics of batches; none where they were not looked at.
    #[serde(default)]
    pub held_out_loss: Option<f64>,
    /// Accuracy on held-out inputs after it, with the statistics of batches.
    #[serde(default)]
    pub held_out_accuracy: Option<f64>,
    /// Learning rate of its last batch.
    pub learning_rate: f64,
    /// Seconds it took.
    pub seconds: f64,
    /// Inputs trained on in a second.
    pub rate: f64,
}

/// Held-out accuracy of a trained network by where its normalizations take their statistics from, in [0, 1].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CalibrationStory {
    /// Running means, as they were kept while training.
    pub running: f64,
    /// Exact statistics of the training data, as the exported model has them.
    pub exact: f64,
    /// Those of each batch, as in training.
    pub batch: f64,
}
