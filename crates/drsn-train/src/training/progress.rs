//! What a training tells while it runs.

use std::time::Duration;

use super::EpochRecord;

/// How a training stands after a batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BatchReport {
    /// The epoch that runs, counted from zero.
    pub epoch: usize,
    /// Epochs in all.
    pub epochs: usize,
    /// Batches of this epoch that are done.
    pub batch: usize,
    /// Batches of an epoch.
    pub batches: usize,
    /// Mean loss of this epoch's batches.
    pub loss: f64,
    /// Accuracy on the same batches, with the statistics and weights of each batch.
    pub accuracy: f64,
    /// Inputs in a second since the training was begun or resumed.
    pub rate: f64,
    /// Time left at that rate.
    pub left: Duration,
}

/// Listens to a training, on the thread that leads it. Every method does nothing unless it is written.
pub trait Progress: Send {
    /// A batch is done.
    fn batch(&mut self, report: &BatchReport) {
        let _ = report;
    }

    /// An epoch, counted from zero, of `epochs` is done.
    fn epoch(&mut self, epoch: usize, epochs: usize, record: &EpochRecord) {
        let _ = (epoch, epochs, record);
    }

    /// Another step begins, in words.
    fn step(&mut self, what: &str) {
        let _ = what;
    }
}

/// Listens to nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quiet;

impl Progress for Quiet {}
