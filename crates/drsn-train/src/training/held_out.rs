//! How the network does on inputs that take no part in training.

use std::ops::ControlFlow;

use burn::tensor::Device;

use super::{Task, count_right, read, shard};
use crate::{
    TrainError,
    model::{BatchStatistics, Drsn, Normalize},
};

/// The held-out inputs in whole batches: the statistics of a smaller one would be coarser. Where there are less than
/// one batch, all of them are one.
pub(crate) fn whole_batches<'a>(task: &Task<'a>) -> Vec<&'a [usize]> {
    let held_out = &task.data.held_out.indices;
    let size = task.recipe.batch.min(held_out.len()).max(1);
    held_out.chunks_exact(size).collect()
}

/// Loss and accuracy with the statistics of each batch. The held-out inputs are in random order, so a batch's
/// statistics are those of a random sample.
pub(super) fn check(network: &Drsn, task: Task<'_>) -> Result<(f64, f64), TrainError> {
    measure(network, task, BatchStatistics::default)
}

/// Loss and accuracy over whole batches, with normalizations of the caller's choice.
pub(crate) fn measure<N: Normalize>(
    network: &Drsn,
    task: Task<'_>,
    normalize: impl Fn() -> N + Sync,
) -> Result<(f64, f64), TrainError> {
    let chunks = whole_batches(&task);
    let inputs: usize = chunks.iter().map(|chunk| chunk.len()).sum();
    let batches = task.held_out();
    let classes = task.data.classes.len();
    let count = chunks.len().max(1) as f64;
    let done = task.workers.map(chunks, |indices| -> Result<(f64, usize), TrainError> {
        let device = Device::flex();
        let batch = batches.batch(indices, 0, &device)?;
        match network.forward_with(batch.inputs.clone(), &mut normalize()) {
            ControlFlow::Break(_) => Ok((0.0, 0)),
            ControlFlow::Continue(answer) => {
                let right = count_right(&read(answer.logits.clone())?, &batch.labels, classes);
                let loss = read(shard::loss(answer.logits, &batch, None, &device))?;
                Ok((f64::from(loss.iter().sum::<f32>()), right))
            }
        }
    });
    let (mut loss, mut right) = (0.0, 0);
    for done in done {
        let (of_batch, right_of_batch) = done?;
        loss += of_batch;
        right += right_of_batch;
    }
    Ok((loss / count, right as f64 / inputs.max(1) as f64))
}
