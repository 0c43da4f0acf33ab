//! The rate of a training, and the time until everything is done.

use std::time::{Duration, Instant};

use super::{
    checkpoint::Position,
    context::TrainingContext,
    history::EpochSums,
    progress::{BatchReport, StepReport},
};

/// Maximum remaining time that is reported, in seconds.
const MAX_SECONDS: f64 = 1e10;
/// A training step costs about as much as this many forward passes.
const PASSES_OF_A_STEP: f64 = 3.0;

/// Work after the last epoch, in forward passes of one input: an estimate.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WorkAfter {
    /// Measuring the statistics: for each normalization, the part of the network before it.
    pub(crate) statistics: f64,
    /// Export: baseline, accuracy on the test inputs, report.
    pub(crate) export: f64,
}

impl WorkAfter {
    /// The work after a training of a network with so many normalizations.
    pub(crate) fn new(context: &TrainingContext<'_>, normalizations: usize) -> Self {
        let data = context.data;
        let inputs = |part: &[usize]| part.len() as f64;
        let test = data.test.as_ref().map_or(0.0, |test| inputs(&test.indices));
        let (training, held_out) = (inputs(&data.training.indices), inputs(&data.held_out.indices));
        let evaluations = 1 + context.recipe.evaluate.len();
        Self {
            statistics: training * normalizations as f64 / 2.0,
            export: training + held_out + 3.0 * test * evaluations as f64,
        }
    }
}

/// Measures the remaining time during a step.
pub(crate) struct StepMeter {
    started: Instant,
    work: f64,
    after: f64,
}

impl StepMeter {
    /// A step with some work, and work `after` it in the same unit.
    pub(crate) fn new(work: f64, after: f64) -> Self {
        Self { started: Instant::now(), work, after }
    }

    /// The state after a share of the work.
    pub(crate) fn report(&self, done: usize, total: usize, share: f64) -> StepReport {
        let seconds = self.started.elapsed().as_secs_f64();
        let rest = self.work * (1.0 - share) + self.after;
        StepReport { done, total, left: duration(seconds * rest / (self.work * share)) }
    }
}

/// A duration of at most [`MAX_SECONDS`]; that if it is unknown.
fn duration(seconds: f64) -> Duration {
    let known = if seconds.is_nan() { MAX_SECONDS } else { seconds };
    Duration::from_secs_f64(known.clamp(0.0, MAX_SECONDS))
}

/// Measures rate and remaining time since the training was started or resumed.
pub(super) struct RateMeter {
    started: Instant,
    done: usize,
    total: usize,
    batches: usize,
    batch: usize,
    epochs: usize,
    /// Work after the training, in batches.
    after: f64,
}

impl RateMeter {
    pub(super) fn new(
        context: &TrainingContext<'_>,
        position: Position,
        normalizations: usize,
    ) -> Self {
        let (recipe, batches) = (context.recipe, context.batches_per_epoch());
        let WorkAfter { statistics, export } = WorkAfter::new(context, normalizations);
        Self {
            after: (statistics + export) / (PASSES_OF_A_STEP * recipe.batch as f64),
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
        let batches = self.total.saturating_sub(self.done) as f64 + self.after;
        BatchReport {
            epoch: position.epoch,
            epochs: self.epochs,
            batch: position.batch,
            batches: self.batches,
            loss: sums.mean_loss(),
            accuracy: sums.accuracy(self.batch),
            rate: (self.done * self.batch) as f64 / seconds.max(1e-9),
            left: duration(seconds * batches / self.done as f64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remaining_time_covers_what_comes_after_a_step() {
        let started = Instant::now().checked_sub(Duration::from_secs(10)).unwrap();
        let meter = StepMeter { started, work: 40.0, after: 20.0 };
        let left = meter.report(3, 12, 0.25).left.as_secs_f64();
        assert!((49.9..60.0).contains(&left), "{left}");
        assert_eq!(meter.report(0, 12, 0.0).left, Duration::from_secs_f64(MAX_SECONDS));
    }
}
