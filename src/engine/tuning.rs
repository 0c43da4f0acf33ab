//! The best batch of a model, measured when it starts: the smallest that costs hardly more for each input than the
//! best does, with what a batch costs beside the network. Larger ones only let requests wait for one another.

use std::{
    fmt,
    iter::successors,
    time::{Duration, Instant},
};

use drsn_bundle::runtime::{Provider, RuntimeError};
use ndarray::{ArrayViewD, Axis, Slice};

use crate::engine::{allocator, session::ModelSession};

/// Largest batch that is tried on the processor. Twice as many inputs cost up to three per cent less each, take half as
/// much memory again, and would take half of the time in which all sizes are compared.
const LARGEST: usize = 16;
/// The same on a GPU, where 64 inputs take hardly longer than one.
const LARGEST_ON_A_GPU: usize = 64;
/// How long the measuring may take: a server is ready soon after its start.
const ALTOGETHER: Duration = Duration::from_millis(60);
/// The same on a GPU, which takes a second to start anyway.
const ALTOGETHER_ON_A_GPU: Duration = Duration::from_millis(300);
/// Sizes are added while all of them together can be run so many times.
const LEAST_ROUNDS: u32 = 3;
/// A batch is as good as the best where an input costs at most this share more.
const TOLERANCE: f64 = 0.03;
/// What a batch costs beside the network, in microseconds: it is put together, and its requests are woken. (Measured:
/// `docs/results/serving.md`, the server's time for a request by the largest batch.)
const OF_A_BATCH: f64 = 10.0;

/// What an input costs in a batch of some size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct BatchCost {
    /// Inputs in the batch.
    pub(crate) batch: usize,
    /// The runtime's time for one of them, in microseconds.
    pub(crate) microseconds: f64,
}

impl BatchCost {
    /// What some inputs would take.
    fn expected(&self, inputs: usize) -> Duration {
        Duration::from_secs_f64(self.microseconds * inputs as f64 / 1e6)
    }
}

/// What was measured, by batch; empty where the batch was given.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Tuning(pub(crate) Vec<BatchCost>);

impl Tuning {
    /// Measures batches of 1, 2, 4, … on the processor, and of the few sizes in which a GPU runs them, as long as time is
    /// left. The inputs are zeros: a network's work does not depend on them. The session's memory is that of a small batch
    /// afterwards.
    ///
    /// The sizes take turns, and the fastest run of each counts: what else happens on the machine makes runs slower for
    /// some time, and must not meet one size only.
    ///
    /// # Errors
    /// [`RuntimeError::Run`] where the runtime fails with a single input. Where it fails with more, as for want of memory,
    /// they are no batch to take.
    pub(crate) fn measure(session: &mut ModelSession) -> Result<Self, RuntimeError> {
        let provider = session.provider();
        let altogether = if provider == Provider::Cpu { ALTOGETHER } else { ALTOGETHER_ON_A_GPU };
        let mut started = Instant::now();
        let (mut costs, mut zeros) = (Vec::<BatchCost>::new(), session.zeros(1));
        for batch in sizes(provider) {
            let expected = costs.last().map_or(Duration::ZERO, |cost| cost.expected(batch));
            if started.elapsed() + expected > altogether / LEAST_ROUNDS {
                break;
            }
            zeros = session.zeros(batch);
            let first = Instant::now();
            match session.run(zeros.view(), false) {
                Err(error) if batch > 1 => {
                    tracing::warn!(%error, batch, "a batch of this size fails, smaller ones are taken");
                    break;
                }
                outcome => outcome?,
            };
            // It gets the memory. On a GPU it also plans the network, which takes longer than all the rest.
            if provider != Provider::Cpu {
                started += first.elapsed();
            }
            costs.push(BatchCost { batch, microseconds: an_input(session, zeros.view())? });
        }
        let round: Duration = costs.iter().map(|cost| cost.expected(cost.batch)).sum();
        while started.elapsed() + round <= altogether {
            for cost in &mut costs {
                let again =
                    an_input(session, zeros.slice_axis(Axis(0), Slice::from(..cost.batch)))?;
                cost.microseconds = cost.microseconds.min(again);
            }
        }
        session.give_back_memory()?;
        Ok(Self(costs))
    }

    /// The batch to take; 1 where nothing was measured.
    pub(crate) fn best_batch(&self) -> usize {
        let whole = |cost: &BatchCost| cost.microseconds + OF_A_BATCH / cost.batch as f64;
        let least = self.0.iter().map(whole).fold(f64::INFINITY, f64::min);
        let good = self.0.iter().find(|cost| whole(cost) <= least * (1.0 + TOLERANCE));
        good.map_or(1, |cost| cost.batch)
    }
}

/// The sizes to measure, ascending.
fn sizes(provider: Provider) -> Vec<usize> {
    match provider {
        Provider::Cpu => successors(Some(1), |batch| Some(2 * batch))
            .take_while(|&batch| batch <= LARGEST)
            .collect(),
        Provider::Cuda(_) => provider.batch_sizes(LARGEST_ON_A_GPU),
    }
}

/// What one run takes for each input, in microseconds.
///
/// On the processor it is the time that this thread had, so that a server which loads a model under load does not measure
/// how long it waited.
fn an_input(session: &mut ModelSession, inputs: ArrayViewD<'_, f32>) -> Result<f64, RuntimeError> {
    let batch = inputs.len_of(Axis(0));
    let is_own = session.provider() == Provider::Cpu;
    let clock = || allocator::processor_time().filter(|_| is_own);
    let (run, before) = (Instant::now(), clock());
    session.run(inputs, false)?;
    let elapsed = run.elapsed();
    let spent = clock().zip(before).map(|(after, before)| after.saturating_sub(before));
    Ok(spent.unwrap_or(elapsed).as_secs_f64() * 1e6 / batch as f64)
}

impl fmt::Display for Tuning {
    /// Microseconds for each input, by batch: `1: 90.1, 2: 70.5`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, cost) in self.0.iter().enumerate() {
            let separator = if position == 0 { "" } else { ", " };
            write!(f, "{separator}{}: {:.1}", cost.batch, cost.microseconds)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best(costs: &[f64]) -> usize {
        let costs = costs.iter().enumerate();
        Tuning(costs.map(|(n, &microseconds)| BatchCost { batch: 1 << n, microseconds }).collect())
            .best_batch()
    }

    #[test]
    fn the_smallest_batch_that_is_nearly_the_best_is_taken() {
        assert_eq!(best(&[1000.0, 800.0, 600.0, 510.0, 500.0, 505.0]), 8);
        assert_eq!(best(&[10_000.0, 10_100.0, 9_800.0]), 1);
        assert_eq!(best(&[1000.0, 500.0, 900.0]), 2);
        assert_eq!(best(&[]), 1);
    }

    #[test]
    fn what_a_batch_costs_beside_the_network_is_shared_by_its_inputs() {
        // As measured with `bearing`: the network alone would take 4, and the server has least to do with 8 and 16.
        assert_eq!(best(&[143.7, 128.8, 121.5, 120.0, 119.0]), 8);
        // A network that takes long has nothing of it.
        assert_eq!(best(&[20_000.0, 20_000.0, 20_000.0]), 1);
    }
}
