//! The rate of a training, and its remaining time.

use std::time::{Duration, Instant};

use super::{checkpoint::Position, history::EpochSums, progress::BatchReport};
use crate::recipe::Recipe;

/// Maximum remaining time that is reported, in seconds.
const MAX_SECONDS: f64 = 1e10;

/// Measures rate and remaining time since the training was started or resumed.
pub(super) struct RateMeter {
    started: Instant,
    done: usize,
    total: usize,
    batches: usize,
    batch: usize,
    epochs: usize,
}

impl RateMeter {
    pub(super) fn new(recipe: &Recipe, batches: usize, position: Position) -> Self {
        Self {
            started: Instant::now(),
            done: 0,
            total: (recipe.epochs * batches)
                .saturating_sub(position.epoch * batches + position.batch),
            batches,
            batch: recipe.batch,
            epochs: recipe.epochs,
        }
    }

    /// Counts a batch that `sums` already includes.
    pub(super) fn report(&mut self, position: Position, sums: &EpochSums) -> BatchReport {
        self.done += 1;
        let seconds = self.started.elapsed().as_secs_f64();
        let left = seconds * self.total.saturating_sub(self.done) as f64 / self.done as f64;
        BatchReport {
            epoch: position.epoch,
            epochs: self.epochs,
            batch: position.batch,
            batches: self.batches,
            loss: sums.mean_loss(),
            accuracy: sums.accuracy(self.batch),
            rate: (self.done * self.batch) as f64 / seconds.max(1e-9),
            left: Duration::from_secs_f64(left.min(MAX_SECONDS)),
        }
    }
}
