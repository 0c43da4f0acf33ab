//! The gradients of one step, computed for the parts of a batch in parallel.
//!
//! Each part is a ghost batch, normalised with its own statistics. Source: E. Hoffer, I. Hubara and
//! D. Soudry, "Train longer, generalize better", NIPS 2017, algorithm 1.

use burn::tensor::Device;

use super::{
    batch::{Batch, Batches, Draw},
    channel_moments::{ChannelMoments, pooled},
    error::TrainingError,
    loss::{count_correct, loss, position_loss},
    parameters::{gradients, with_parameters},
    workers::Workers,
};
use crate::{
    model::{BatchStatistics, Drsn, NetworkOutput},
    tensor::{TensorError, read, read_matrix},
};

/// Result of one batch or ghost batch.
pub(super) struct StepResult {
    /// Gradients of the mean loss, in the order of the parameters.
    pub(super) gradients: Vec<f32>,
    /// The mean loss.
    pub(super) loss: f32,
    /// Correctly classified inputs.
    pub(super) correct: usize,
    /// Mean and variance of each normalization's input over the whole batch.
    pub(super) statistics: Vec<ChannelMoments>,
}

/// A network in training.
#[derive(Clone, Copy)]
pub(super) struct Step<'a> {
    pub(super) network: &'a Drsn,
    /// Values of the network's parameters.
    pub(super) parameters: &'a [f32],
    /// Number of ghost batches in a batch.
    pub(super) ghost_batches: usize,
    /// Weight of each class in the loss; equal if `None`.
    pub(super) class_weights: Option<&'a [f32]>,
    /// Weight of the loss at each position of the last features.
    pub(super) position_loss: f64,
}

impl Step<'_> {
    /// Computes loss and gradients of a batch.
    pub(super) fn compute(
        &self,
        batches: &Batches<'_>,
        draws: &[Draw],
        workers: &Workers,
    ) -> Result<StepResult, TrainingError> {
        let parts = parts(draws, self.ghost_batches);
        let share = |part: &[Draw]| part.len() as f64 / draws.len() as f64;
        let results = workers.map(parts.clone(), |part| -> Result<_, TrainingError> {
            let device = Device::flex().autodiff();
            let batch = batches.batch(part, &device)?;
            // Separate tensors, so that threads do not wait for one another's gradients.
            let network = with_parameters(self.network, self.parameters, &device);
            Ok(self.ghost_batch(&network, &batch, share(part))?)
        });
        let mut gradients = vec![0.0; self.parameters.len()];
        let (mut loss, mut correct, mut noted) = (0.0, 0, Vec::new());
        for (result, part) in results.into_iter().zip(parts) {
            let result = result?;
            gradients.iter_mut().zip(result.gradients).for_each(|(sum, gradient)| *sum += gradient);
            loss += result.loss;
            correct += result.correct;
            noted.push((share(part), result.statistics));
        }
        Ok(StepResult { gradients, loss, correct, statistics: pooled(&noted) })
    }

    /// Computes loss and gradients of a ghost batch, scaled by its share of the batch.
    fn ghost_batch(
        &self,
        network: &Drsn,
        batch: &Batch,
        share: f64,
    ) -> Result<StepResult, TensorError> {
        let mut statistics = BatchStatistics::default();
        let std::ops::ControlFlow::Continue(NetworkOutput { logits, last, .. }) =
            network.forward_with(batch.inputs.clone(), &mut statistics);
        let correct = count_correct(&read_matrix(logits.clone())?, &batch.labels);
        let mut loss = loss(logits, &batch.parts, self.class_weights);
        if self.position_loss > 0.0 {
            let more = position_loss(&network.head, last, &batch.parts, self.class_weights);
            loss = loss + more * self.position_loss;
        }
        let loss = loss * share;
        let value = read(loss.clone())?.iter().sum::<f32>();
        let gradients = gradients(network, loss.backward())?;
        let statistics = statistics.noted.into_iter().map(|[mean, variance]| {
            Ok(ChannelMoments { mean: read(mean)?, variance: read(variance)? })
        });
        Ok(StepResult {
            gradients,
            loss: value,
            correct,
            statistics: statistics.collect::<Result<_, TensorError>>()?,
        })
    }
}

/// Splits a batch into `count` ghost batches whose sizes differ by at most one.
pub(super) fn parts<T>(inputs: &[T], count: usize) -> Vec<&[T]> {
    let bound = |part: usize| part * inputs.len() / count.max(1);
    let parts = (0..count).map(|part| &inputs[bound(part)..bound(part + 1)]);
    parts.filter(|part| !part.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seven in three parts were once three, three and one: a single input has no variance.
    #[test]
    fn the_parts_of_a_batch_are_as_even_as_can_be() {
        let indices: Vec<usize> = (0..64).collect();
        for (inputs, count) in [(7, 3), (64, 2), (5, 1), (63, 31), (2, 3)] {
            let batch = &indices[..inputs];
            let parts = parts(batch, count);
            assert_eq!(parts.concat(), batch);
            let even =
                |part: &&[usize]| (inputs / count..=inputs.div_ceil(count)).contains(&part.len());
            assert!(parts.iter().all(even), "{parts:?}");
        }
        assert_eq!(parts(&indices, 2), [&indices[..32], &indices[32..]]);
    }
}
