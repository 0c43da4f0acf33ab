//! Chooses a model's first largest batch, by measuring when it starts: the smallest batch whose cost per
//! input, overhead included, is close to the lowest. Larger batches only make requests wait for one
//! another.

use std::{
    fmt,
    iter::successors,
    sync::Arc,
    time::{Duration, Instant},
};

use drsn_bundle::{
    Bundle,
    runtime::{Provider, Runtime, RuntimeError},
};
use ndarray::{ArrayViewD, Axis, Slice};

use crate::{
    config::MaxBatch,
    engine::{
        allocator,
        cap::{BATCH_OVERHEAD, Cap, TOLERANCE},
        session::ModelSession,
    },
};

/// Largest batch to try on the CPU. Twice as many inputs cost up to three per cent less each, need
/// half as much memory again, and would use up half of the time in which all sizes are compared.
const MAX_CPU_BATCH: usize = 16;
/// Largest batch to try on a GPU, where 64 inputs take hardly longer than one.
const MAX_GPU_BATCH: usize = 64;
/// Time limit of the measurement on the CPU: a server should be ready soon after its start.
const CPU_TIME_LIMIT: Duration = Duration::from_millis(60);
/// Time limit on a GPU, which needs a second to start anyway.
const GPU_TIME_LIMIT: Duration = Duration::from_millis(300);
/// Larger sizes are added as long as all sizes together can be run this often.
const MIN_ROUNDS: u32 = 3;
/// The largest batch of a model, and how it was chosen.
pub(super) struct Batching {
    pub(super) cap: Cap,
    /// The largest that it may become.
    pub(super) ceiling: usize,
    pub(super) tuning: Tuning,
    /// The session that was measured, for the first worker.
    pub(super) session: ModelSession,
}

impl Batching {
    /// Uses the configured size, or measures.
    ///
    /// # Errors
    /// As for opening a session and [`Tuning::measure`].
    pub(super) fn choose(
        configured: MaxBatch,
        runtime: &Runtime,
        bundle: &Arc<Bundle>,
        provider: Provider,
    ) -> Result<Self, RuntimeError> {
        let mut session = ModelSession::open(runtime, bundle, provider)?;
        if let MaxBatch::Fixed(batch) = configured {
            let (ceiling, tuning) = (batch.get(), Tuning::default());
            return Ok(Self { cap: Cap::fixed(ceiling), ceiling, tuning, session });
        }
        let tuning = Tuning::measure(&mut session)?;
        let best = tuning.best_batch();
        let (cap, ceiling) = match provider {
            Provider::Cpu => (Cap::searched(sizes(provider), best), MAX_CPU_BATCH),
            // There a batch is padded to one of few sizes, each with a session of its own.
            Provider::Cuda(_) => (Cap::fixed(best), best),
        };
        Ok(Self { cap, ceiling, tuning, session })
    }
}

/// The cost of an input in a batch of some size.
#[derive(Debug, Clone, Copy, PartialEq)]
struct BatchCost {
    /// Inputs in the batch.
    batch: usize,
    /// Inference time per input, in microseconds.
    microseconds: f64,
}

impl BatchCost {
    /// The expected time of a batch of `inputs`.
    fn expected(&self, inputs: usize) -> Duration {
        Duration::from_secs_f64(self.microseconds * inputs as f64 / 1e6)
    }
}

/// The measured costs, by batch size; empty if the batch size was configured.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Tuning(Vec<BatchCost>);

impl Tuning {
    /// Measures batches of 1, 2, 4, … on the CPU, or of the few sizes that a GPU runs, until the
    /// time limit. The inputs are zeros: a network's work does not depend on them. Afterwards the
    /// session has the memory of a small batch.
    ///
    /// The sizes take turns, and the fastest run of each counts: other load on the machine slows
    /// down runs for some time, and must not affect one size only.
    ///
    /// # Errors
    /// [`RuntimeError::Run`] if the runtime fails with a single input. If it fails with more, for
    /// example because it lacks memory, smaller batches are used.
    fn measure(session: &mut ModelSession) -> Result<Self, RuntimeError> {
        let provider = session.provider();
        let limit = if provider == Provider::Cpu { CPU_TIME_LIMIT } else { GPU_TIME_LIMIT };
        let mut started = Instant::now();
        let (mut costs, mut zeros) = (Vec::<BatchCost>::new(), session.zeros(1));
        for batch in sizes(provider) {
            let expected = costs.last().map_or(Duration::ZERO, |cost| cost.expected(batch));
            if started.elapsed() + expected > limit / MIN_ROUNDS {
                break;
            }
            zeros = session.zeros(batch);
            let first = Instant::now();
            match session.run(zeros.view(), false) {
                Err(error) if batch > 1 => {
                    tracing::warn!(%error, batch, "inference fails with a batch of this size; using smaller ones");
                    break;
                }
                outcome => outcome?,
            };
            // The first run allocates memory. On a GPU it also plans the network, which takes
            // longer than all the rest and does not count.
            if provider != Provider::Cpu {
                started += first.elapsed();
            }
            let microseconds = time_per_input(session, zeros.view())?;
            costs.push(BatchCost { batch, microseconds });
        }
        let round: Duration = costs.iter().map(|cost| cost.expected(cost.batch)).sum();
        while started.elapsed() + round <= limit {
            for cost in &mut costs {
                let again =
                    time_per_input(session, zeros.slice_axis(Axis(0), Slice::from(..cost.batch)))?;
                cost.microseconds = cost.microseconds.min(again);
            }
        }
        session.give_back_memory()?;
        Ok(Self(costs))
    }

    /// The smallest batch that is nearly the best; 1 if nothing was measured.
    fn best_batch(&self) -> usize {
        let total = |cost: &BatchCost| cost.microseconds + BATCH_OVERHEAD / cost.batch as f64;
        let lowest = self.0.iter().map(total).fold(f64::INFINITY, f64::min);
        let good = self.0.iter().find(|cost| total(cost) <= lowest * (1.0 + TOLERANCE));
        good.map_or(1, |cost| cost.batch)
    }
}

/// The sizes to measure, ascending.
fn sizes(provider: Provider) -> Vec<usize> {
    match provider {
        Provider::Cpu => successors(Some(1), |batch| Some(2 * batch))
            .take_while(|&batch| batch <= MAX_CPU_BATCH)
            .collect(),
        Provider::Cuda(_) => provider.batch_sizes(MAX_GPU_BATCH),
    }
}

/// The time of one run, per input, in microseconds.
///
/// On the CPU this is the thread's CPU time, so that a server that loads a model under load does
/// not measure how long the thread waited.
fn time_per_input(
    session: &mut ModelSession,
    inputs: ArrayViewD<'_, f32>,
) -> Result<f64, RuntimeError> {
    let batch = inputs.len_of(Axis(0));
    let is_on_cpu = session.provider() == Provider::Cpu;
    let clock = || allocator::thread_cpu_time().filter(|_| is_on_cpu);
    let (run, before) = (Instant::now(), clock());
    session.run(inputs, false)?;
    let elapsed = run.elapsed();
    let spent = clock().zip(before).map(|(after, before)| after.saturating_sub(before));
    Ok(spent.unwrap_or(elapsed).as_secs_f64() * 1e6 / batch as f64)
}

impl fmt::Display for Tuning {
    /// Microseconds per input, by batch size: `1: 90.1, 2: 70.5`.
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
        // As measured with `bearing`: by the network alone 4 would be chosen, but the server has
        // the least work with 8 and 16.
        assert_eq!(best(&[143.7, 128.8, 121.5, 120.0, 119.0]), 8);
        // The overhead hardly matters beside a slow network.
        assert_eq!(best(&[20_000.0, 20_000.0, 20_000.0]), 1);
    }
}
