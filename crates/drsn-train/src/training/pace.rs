//! How fast a training is, for its reports.

use std::time::{Duration, Instant};

use super::{BatchReport, EpochSums, Position};
use crate::recipe::Recipe;

/// Longest time left that is told, in seconds.
const LONGEST: f64 = 1e10;

/// Rate and time left since the training was begun or resumed.
pub(super) struct Pace {
    started: Instant,
    done: usize,
    total: usize,
    batches: usize,
    batch: usize,
    epochs: usize,
}

impl Pace {
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

    /// Counts a batch, which `sums` holds already.
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
            left: Duration::from_secs_f64(left.min(LONGEST)),
        }
    }
}
