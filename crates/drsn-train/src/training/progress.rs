//! Progress reports of a training.

use std::time::Duration;

use super::history::EpochRecord;

/// State of a training after a batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BatchReport {
    /// Current epoch, counted from 0.
    pub epoch: usize,
    /// Total number of epochs.
    pub epochs: usize,
    /// Complete batches of this epoch.
    pub batch: usize,
    /// Batches in an epoch.
    pub batches: usize,
    /// Mean loss of this epoch's batches.
    pub loss: f64,
    /// Accuracy on these batches, each with its own statistics and weights.
    pub accuracy: f64,
    /// Inputs per second since the training was started or resumed.
    pub rate: f64,
    /// Remaining time at that rate until everything is done, the steps after the training too.
    pub left: Duration,
}

/// How far a step outside the training loop is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepReport {
    /// Complete parts.
    pub done: usize,
    /// Parts of the step.
    pub total: usize,
    /// Remaining time until everything is done.
    pub left: Duration,
}

/// Observes a training, on the thread that runs it. By default, every method does nothing.
pub trait Progress: Send {
    /// A batch is complete.
    fn batch(&mut self, report: &BatchReport) {
        let _ = report;
    }

    /// An epoch, counted from 0, is complete.
    fn epoch(&mut self, epoch: usize, epochs: usize, record: &EpochRecord) {
        let _ = (epoch, epochs, record);
    }

    /// A step outside the training loop starts.
    fn step(&mut self, message: &str) {
        let _ = message;
    }

    /// The data was read, and this is what is in it, line by line.
    fn data(&mut self, summary: &[String]) {
        let _ = summary;
    }

    /// A part of the current step is complete.
    fn part(&mut self, report: &StepReport) {
        let _ = report;
    }

    /// There is a result, or something that the user should know.
    fn note(&mut self, message: &str) {
        let _ = message;
    }
}

/// Ignores all progress.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoProgress;

impl Progress for NoProgress {}
