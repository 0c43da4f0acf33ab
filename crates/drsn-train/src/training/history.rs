//! What a training gave, epoch by epoch.

use drsn_bundle::Epoch;
use serde::{Deserialize, Serialize};

/// One epoch, and how long it took.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// What it gave.
    pub epoch: Epoch,
    /// Time that it took, in seconds, as far as this run saw it.
    pub seconds: f64,
    /// Inputs that were trained on in that time.
    pub inputs: usize,
}

/// What the batches of an epoch gave so far. A checkpoint keeps it, so that an epoch that was interrupted counts whole.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct EpochSums {
    /// Batches that are done.
    pub batches: usize,
    /// Sum of their losses.
    pub loss: f64,
    /// Inputs of them that were classified rightly.
    pub right: usize,
}

impl EpochSums {
    /// Counts a batch.
    pub(super) fn add(&mut self, loss: f32, right: usize) {
        self.batches += 1;
        self.loss += f64::from(loss);
        self.right += right;
    }

    /// The mean loss of the batches.
    pub(super) fn mean_loss(&self) -> f64 {
        self.loss / self.batches.max(1) as f64
    }

    /// The accuracy on the batches, of `batch` inputs each.
    pub(super) fn accuracy(&self, batch: usize) -> f64 {
        self.right as f64 / (self.batches.max(1) * batch) as f64
    }
}

/// The epoch with the highest held-out accuracy, counted from 0; the first of several. None before the first.
pub fn best_epoch(history: &[EpochRecord]) -> Option<usize> {
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
