//! Results of a training, epoch by epoch.

use drsn_bundle::Epoch;
use serde::{Deserialize, Serialize};

/// Results and duration of one epoch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Loss, accuracy and learning rate.
    pub epoch: Epoch,
    /// Duration in seconds, without the part before a resume.
    pub seconds: f64,
    /// Inputs trained on in that time.
    pub inputs: usize,
}

/// Sums over the batches of an epoch so far. A checkpoint saves them, so that the results of an
/// interrupted epoch cover all of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct EpochSums {
    /// Complete batches.
    pub batches: usize,
    /// Sum of their losses.
    pub loss: f64,
    /// Their correctly classified inputs.
    pub right: usize,
}

impl EpochSums {
    /// Adds a batch.
    pub(super) fn add(&mut self, loss: f32, correct: usize) {
        self.batches += 1;
        self.loss += f64::from(loss);
        self.right += correct;
    }

    /// Mean loss of the batches.
    pub(super) fn mean_loss(&self) -> f64 {
        self.loss / self.batches.max(1) as f64
    }

    /// Accuracy on the batches, which have `batch` inputs each.
    pub(super) fn accuracy(&self, batch: usize) -> f64 {
        self.right as f64 / (self.batches.max(1) * batch) as f64
    }
}

/// The first epoch with the highest held-out accuracy, counted from 0; `None` if there is no epoch.
pub(crate) fn best_epoch(history: &[EpochRecord]) -> Option<usize> {
    let best = history.iter().map(|record| record.epoch.held_out_accuracy).fold(f64::MIN, f64::max);
    history.iter().position(|record| record.epoch.held_out_accuracy >= best)
}

#[cfg(test)]
fn epoch(held_out_accuracy: f64) -> EpochRecord {
    let epoch = Epoch {
        loss: 1.0,
        accuracy: 0.5,
        held_out_loss: 1.0,
        held_out_accuracy,
        learning_rate: 0.1,
    };
    EpochRecord { epoch, seconds: 1.0, inputs: 100 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_several_best_epochs_is_the_best() {
        assert_eq!(best_epoch(&[]), None);
        assert_eq!(best_epoch(&[0.5, 0.9, 0.7, 0.9].map(epoch)), Some(1));
    }
}
