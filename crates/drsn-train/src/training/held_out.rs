//! Loss and accuracy of a network on labelled inputs: the held-out ones, and a sample of those it is
//! trained on.

use std::ops::ControlFlow;

use burn::tensor::Device;

use super::{
    batch::Batches,
    context::TrainingContext,
    disturbance::Disturbance,
    error::TrainingError,
    ghost_batches,
    loss::{count_correct, loss},
    order,
};
use crate::{
    model::{Drsn, Normalize},
    tensor::{read, read_matrix},
};

/// The most training inputs that are measured, unless a batch is larger.
const SAMPLE: usize = 5_000;

/// Mean loss and accuracy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeldOutResult {
    pub(crate) loss: f64,
    pub(crate) accuracy: f64,
}

/// Inputs in batches, each normalised on its own if the statistics are those of batches.
#[derive(Debug)]
pub(crate) struct Measured<'a> {
    batches: Batches<'a>,
    chunks: Vec<Vec<usize>>,
}

impl<'a> Measured<'a> {
    /// The held-out inputs in full batches, because the statistics of a smaller batch are less
    /// accurate. If there are fewer inputs than a batch, all of them are one batch. They are in
    /// random order, so each batch is a random sample.
    pub(crate) fn held_out(context: &'a TrainingContext<'_>) -> Self {
        let held_out = &context.data.held_out.indices;
        let size = context.recipe.batch.min(held_out.len()).max(1);
        let chunks = held_out.chunks_exact(size).map(<[usize]>::to_vec).collect();
        Self { batches: context.held_out(), chunks }
    }

    /// Training inputs in ghost batches, as in an epoch of the training after its last one. They
    /// have the noise of training but no augmentation: those are the inputs that exact statistics
    /// are measured on.
    pub(crate) fn training(context: &'a TrainingContext<'_>) -> Self {
        let TrainingContext { recipe, data, .. } = *context;
        let order = order::of_epoch(context, recipe.epochs);
        let batches = (SAMPLE / recipe.batch).max(1);
        let parts = order.chunks_exact(recipe.batch).take(batches).flat_map(|batch| {
            ghost_batches::parts(batch, recipe.ghost_batches).into_iter().map(<[usize]>::to_vec)
        });
        Self {
            chunks: parts.collect(),
            batches: context.batches(&data.training, Disturbance::statistics(recipe)),
        }
    }

    /// Number of inputs.
    pub(crate) fn inputs(&self) -> usize {
        self.chunks.iter().map(Vec::len).sum()
    }

    /// Loss and accuracy, with normalizations chosen by the caller.
    pub(crate) fn evaluate<N: Normalize>(
        &self,
        network: &Drsn,
        context: TrainingContext<'_>,
        normalize: impl Fn() -> N + Sync,
    ) -> Result<HeldOutResult, TrainingError> {
        let evaluate = |indices: &Vec<usize>| -> Result<(f64, usize), TrainingError> {
            let device = Device::flex();
            let batch = self.batches.batch(indices, 0, &device)?;
            match network.forward_with(batch.inputs.clone(), &mut normalize()) {
                ControlFlow::Break(_) => Ok((0.0, 0)),
                ControlFlow::Continue(output) => {
                    let scores = read_matrix(output.logits.clone())?;
                    let correct = count_correct(&scores, &batch.labels);
                    let loss = read(loss(output.logits, &batch, None, &device))?;
                    Ok((f64::from(loss.iter().sum::<f32>()), correct))
                }
            }
        };
        let results = context.workers.map(self.chunks.iter().collect(), evaluate);
        let (mut loss, mut correct) = (0.0, 0);
        for result in results {
            let (batch_loss, batch_correct) = result?;
            loss += batch_loss;
            correct += batch_correct;
        }
        Ok(HeldOutResult {
            loss: loss / self.chunks.len().max(1) as f64,
            accuracy: correct as f64 / self.inputs().max(1) as f64,
        })
    }
}
