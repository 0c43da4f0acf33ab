//! Loss and accuracy on held-out inputs.

use std::ops::ControlFlow;

use burn::tensor::Device;

use super::{
    context::TrainingContext,
    error::TrainingError,
    loss::{count_correct, loss},
};
use crate::{
    model::{Drsn, Normalize},
    tensor::{read, read_matrix},
};

/// Mean loss and accuracy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeldOutResult {
    pub(crate) loss: f64,
    pub(crate) accuracy: f64,
}

/// Number of held-out inputs that [`evaluate`] uses.
pub(crate) fn inputs(context: &TrainingContext<'_>) -> usize {
    full_batches(context).iter().map(|batch| batch.len()).sum()
}

/// The held-out inputs in full batches, because the statistics of a smaller batch are less
/// accurate. If there are fewer inputs than a batch, all of them are one batch.
fn full_batches<'a>(context: &TrainingContext<'a>) -> Vec<&'a [usize]> {
    let held_out = &context.data.held_out.indices;
    let size = context.recipe.batch.min(held_out.len()).max(1);
    held_out.chunks_exact(size).collect()
}

/// Loss and accuracy over full batches, with normalizations chosen by the caller. The held-out
/// inputs are in random order, so each batch is a random sample.
pub(crate) fn evaluate<N: Normalize>(
    network: &Drsn,
    context: TrainingContext<'_>,
    normalize: impl Fn() -> N + Sync,
) -> Result<HeldOutResult, TrainingError> {
    let chunks = full_batches(&context);
    let inputs: usize = chunks.iter().map(|chunk| chunk.len()).sum();
    let batches = context.held_out();
    let count = chunks.len().max(1) as f64;
    let results = context.workers.map(chunks, |indices| -> Result<(f64, usize), TrainingError> {
        let device = Device::flex();
        let batch = batches.batch(indices, 0, &device)?;
        match network.forward_with(batch.inputs.clone(), &mut normalize()) {
            ControlFlow::Break(_) => Ok((0.0, 0)),
            ControlFlow::Continue(output) => {
                let scores = read_matrix(output.logits.clone())?;
                let correct = count_correct(&scores, &batch.labels);
                let loss = read(loss(output.logits, &batch, None, &device))?;
                Ok((f64::from(loss.iter().sum::<f32>()), correct))
            }
        }
    });
    let (mut loss, mut correct) = (0.0, 0);
    for result in results {
        let (batch_loss, batch_correct) = result?;
        loss += batch_loss;
        correct += batch_correct;
    }
    Ok(HeldOutResult { loss: loss / count, accuracy: correct as f64 / inputs.max(1) as f64 })
}
