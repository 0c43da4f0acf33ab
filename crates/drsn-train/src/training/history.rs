//! Results of a training, epoch by epoch.

use drsn_bundle::Epoch;
use serde::{Deserialize, Serialize};

use crate::recipe::Metric;

/// Results and duration of one epoch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Loss, accuracy and learning rate.
    pub epoch: Epoch,
    /// Held-out recall, as the mean over classes, in [0, 1]; 0 in older checkpoints.
    #[serde(default)]
    pub held_out_macro_recall: f64,
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

/// The first epoch with the best held-out result, counted from 0; `None` if there is no epoch.
pub(crate) fn best_epoch(history: &[EpochRecord], metric: Metric) -> Option<usize> {
    let results = history.iter().map(|record| match metric {
        Metric::Accuracy => record.epoch.held_out_accuracy,
        Metric::MacroRecall => record.held_out_macro_recall,
        Metric::Loss => -record.epoch.held_out_loss,
    });
    let best = results.clone().fold(f64::MIN, f64::max);
    results.into_iter().position(|result| result >= best)
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
    EpochRecord { epoch, held_out_macro_recall: 0.5, seconds: 1.0, inputs: 100 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_several_best_epochs_is_the_best() {
        assert_eq!(best_epoch(&[], Metric::Accuracy), None);
        assert_eq!(best_epoch(&[0.5, 0.9, 0.7, 0.9].map(epoch), Metric::Accuracy), Some(1));
    }

    #[test]
    fn the_metric_decides_which_epoch_is_the_best() {
        let mut history = [0.9, 0.8, 0.7].map(epoch);
        history[1].held_out_macro_recall = 0.6;
        history[2].epoch.held_out_loss = 0.4;
        for (metric, best) in [(Metric::Accuracy, 0), (Metric::MacroRecall, 1), (Metric::Loss, 2)] {
            assert_eq!(best_epoch(&history, metric), Some(best), "{metric:?}");
        }
    }
}
