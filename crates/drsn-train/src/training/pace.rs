//! Counts what a training did, for its reports.

use std::time::{Duration, Instant};

use super::{BatchReport, Position};
use crate::recipe::Recipe;

/// Longest time left that is told, in seconds.
const LONGEST: f64 = 1e10;

/// What an epoch came to.
pub(super) struct EpochMeans {
    pub(super) loss: f64,
    pub(super) accuracy: f64,
    pub(super) learning_rate: f64,
}

/// Mean loss, accuracy, rate and time left.
pub(super) struct Pace {
    started: Instant,
    done: usize,
    total: usize,
    batches: usize,
    batch: usize,
    epochs: usize,
    epoch_batches: usize,
    loss: f64,
    right: usize,
    learning_rate: f64,
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
            epoch_batches: 0,
            loss: 0.0,
            right: 0,
            learning_rate: 0.0,
        }
    }

    /// Counts a batch.
    pub(super) fn report(
        &mut self,
        position: Position,
        loss: f32,
        right: usize,
        learning_rate: f64,
    ) -> BatchReport {
        self.learning_rate = learning_rate;
        self.done += 1;
        self.epoch_batches += 1;
        self.loss += f64::from(loss);
        self.right += right;
        let seconds = self.started.elapsed().as_secs_f64();
        let left = seconds * self.total.saturating_sub(self.done) as f64 / self.done as f64;
        BatchReport {
            epoch: position.epoch,
            epochs: self.epochs,
            batch: position.batch,
            batches: self.batches,
            loss: self.loss / self.epoch_batches as f64,
            accuracy: self.right as f64 / (self.epoch_batches * self.batch) as f64,
            rate: (self.done * self.batch) as f64 / seconds.max(1e-9),
            left: Duration::from_secs_f64(left.min(LONGEST)),
        }
    }

    /// Mean loss and accuracy of the epoch, and its last learning rate; the next one begins.
    pub(super) fn end_epoch(&mut self) -> EpochMeans {
        let batches = self.epoch_batches.max(1);
        let means = EpochMeans {
            loss: self.loss / batches as f64,
            accuracy: self.right as f64 / (batches * self.batch) as f64,
            learning_rate: self.learning_rate,
        };
        self.epoch_batches = 0;
        self.loss = 0.0;
        self.right = 0;
        means
    }
}
