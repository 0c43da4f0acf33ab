//! One step's gradients, computed in parts of the batch side by side.

use burn::{
    nn::loss::CrossEntropyLossConfig,
    tensor::{Device, Tensor},
};

use super::{
    Batch, Batches, Workers, count_right,
    parameters::{gradients, with_parameters},
    read,
};
use crate::{
    TrainError,
    model::{Answer, BatchStatistics, Drsn},
};

/// What one batch gave.
pub(super) struct Step {
    /// Gradients of the mean loss, of each parameter in their row.
    pub(super) gradients: Vec<f32>,
    /// The mean loss.
    pub(super) loss: f32,
    /// Inputs that were classified rightly.
    pub(super) right: usize,
    /// Mean and variance of each normalization's input over the whole batch.
    pub(super) statistics: Vec<Moments>,
}

/// Mean and population variance of each channel.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Moments {
    pub(super) mean: Vec<f32>,
    pub(super) variance: Vec<f32>,
}

/// Computes a batch in `shards` parts, by the network with these parameters.
pub(super) fn step(
    (network, parameters): (&Drsn, &[f32]),
    batches: &Batches<'_>,
    indices: &[usize],
    epoch: usize,
    [shards, classes]: [usize; 2],
    class_weights: Option<&[f32]>,
    workers: &Workers,
) -> Result<Step, TrainError> {
    let parts = parts(indices, shards);
    let share = |part: &[usize]| part.len() as f64 / indices.len() as f64;
    let done = workers.map(parts.clone(), |part| {
        let device = Device::flex().autodiff();
        let batch = batches.batch(part, epoch, &device)?;
        // Tensors of its own, so that the threads do not wait for one another's gradients.
        let network = with_parameters(network, parameters, &device);
        shard(&network, &batch, classes, class_weights, share(part), &device)
    });
    let mut gradients = vec![0.0; parameters.len()];
    let (mut loss, mut right, mut noted) = (0.0, 0, Vec::new());
    for (done, part) in done.into_iter().zip(parts) {
        let done = done?;
        gradients.iter_mut().zip(done.gradients).for_each(|(sum, gradient)| *sum += gradient);
        loss += done.loss;
        right += done.right;
        noted.push((share(part), done.statistics));
    }
    Ok(Step { gradients, loss, right, statistics: pooled(&noted) })
}

/// A batch in so many parts, whose sizes differ by one at most.
fn parts(indices: &[usize], shards: usize) -> Vec<&[usize]> {
    let bound = |part: usize| part * indices.len() / shards.max(1);
    let parts = (0..shards).map(|part| &indices[bound(part)..bound(part + 1)]);
    parts.filter(|part| !part.is_empty()).collect()
}

/// Loss, as its share of the batch's, and what follows from it.
fn shard(
    network: &Drsn,
    batch: &Batch,
    classes: usize,
    class_weights: Option<&[f32]>,
    share: f64,
    device: &Device,
) -> Result<Step, TrainError> {
    let mut statistics = BatchStatistics::default();
    let std::ops::ControlFlow::Continue(Answer { logits, .. }) =
        network.forward_with(batch.inputs.clone(), &mut statistics);
    let right = count_right(&read(logits.clone())?, &batch.labels, classes);
    let loss = loss(logits, batch, class_weights, device) * share;
    let value = read(loss.clone())?.iter().sum::<f32>();
    let gradients = gradients(network, loss.backward())?;
    let statistics = statistics
        .noted
        .into_iter()
        .map(|[mean, variance]| Ok(Moments { mean: read(mean)?, variance: read(variance)? }));
    Ok(Step {
        gradients,
        loss: value,
        right,
        statistics: statistics.collect::<Result<_, TrainError>>()?,
    })
}

/// The mean cross-entropy of logits, `[classes, batch]`.
pub(super) fn loss(
    logits: Tensor<2>,
    batch: &Batch,
    class_weights: Option<&[f32]>,
    device: &Device,
) -> Tensor<1> {
    CrossEntropyLossConfig::new()
        .with_weights(class_weights.map(<[f32]>::to_vec))
        .init(device)
        .forward(logits.transpose(), batch.targets.clone())
}

/// The moments of all parts together: of each part its share of the batch and its moments.
fn pooled(parts: &[(f64, Vec<Moments>)]) -> Vec<Moments> {
    let layers = parts.first().map_or(0, |(_, layers)| layers.len());
    let pool = |layer: usize| {
        let channels = parts.first().map_or(0, |(_, layers)| layers[layer].mean.len());
        let sum = |of: &dyn Fn(&Moments) -> f64| -> f64 {
            parts.iter().map(|(share, layers)| share * of(&layers[layer])).sum()
        };
        let moments = (0..channels).map(|c| {
            let mean = sum(&|moments| f64::from(moments.mean[c]));
            let spread = |moments: &Moments| {
                f64::from(moments.variance[c]) + (f64::from(moments.mean[c]) - mean).powi(2)
            };
            (mean as f32, sum(&spread) as f32)
        });
        let (mean, variance) = moments.unzip();
        Moments { mean, variance }
    };
    (0..layers).map(pool).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seven in three parts were three, three and one: normalization has no spread of one input.
    #[test]
    fn the_parts_of_a_batch_are_as_even_as_can_be() {
        let indices: Vec<usize> = (0..64).collect();
        for (inputs, shards) in [(7, 3), (64, 2), (5, 1), (63, 31), (2, 3)] {
            let batch = &indices[..inputs];
            let parts = parts(batch, shards);
            assert_eq!(parts.concat(), batch);
            let even =
                |part: &&[usize]| (inputs / shards..=inputs.div_ceil(shards)).contains(&part.len());
            assert!(parts.iter().all(even), "{parts:?}");
        }
        assert_eq!(parts(&indices, 2), [&indices[..32], &indices[32..]]);
    }

    #[test]
    fn moments_of_parts_are_those_of_the_whole() {
        // 1, 3 and 5, 7, 9: together 1, 3, 5, 7, 9 with mean 5 and variance 8.
        let part = |mean, variance| vec![Moments { mean: vec![mean], variance: vec![variance] }];
        let whole = pooled(&[(0.4, part(2.0, 1.0)), (0.6, part(7.0, 8.0 / 3.0))]);
        assert!((whole[0].mean[0] - 5.0).abs() < 1e-6);
        assert!((whole[0].variance[0] - 8.0).abs() < 1e-5);
    }
}
