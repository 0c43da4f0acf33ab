//! Loss and accuracy of a network on labelled inputs: the held-out ones, and a sample of those it is
//! trained on.

use std::ops::ControlFlow;

use burn::tensor::Device;

use super::{
    batch::{Batches, Draw, draws},
    context::TrainingContext,
    disturbance::Disturbance,
    error::TrainingError,
    ghost_batches,
    loss::{hits, loss},
    order,
};
use crate::{
    model::{Drsn, Normalize},
    tensor::{read, read_matrix},
};

/// The most training inputs that are measured, unless a batch is larger.
const SAMPLE: usize = 5_000;

/// Mean loss, accuracy, and the mean over classes of the share of their inputs that are correctly
/// classified.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeldOutResult {
    pub(crate) loss: f64,
    pub(crate) accuracy: f64,
    pub(crate) macro_recall: f64,
}

/// Inputs in batches, each normalised on its own if the statistics are those of batches.
#[derive(Debug)]
pub(crate) struct Measured<'a> {
    batches: Batches<'a>,
    chunks: Vec<Vec<Draw>>,
}

impl<'a> Measured<'a> {
    /// All held-out inputs. They are in random order, so each batch is a random sample.
    pub(crate) fn held_out(context: &'a TrainingContext<'_>) -> Self {
        let parts = full_batches(&context.data.held_out.indices, context.recipe.batch);
        let chunks = parts.into_iter().map(|indices| draws(indices, 0)).collect();
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
            ghost_batches::parts(batch, recipe.ghost_batches).into_iter().map(<[Draw]>::to_vec)
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
        let classes = context.data.classes.len();
        let evaluate = |draws: &Vec<Draw>| -> Result<(f64, Counts), TrainingError> {
            let device = Device::flex();
            let batch = self.batches.batch(draws, &device)?;
            let mut counts = Counts::new(classes);
            match network.forward_with(batch.inputs.clone(), &mut normalize()) {
                ControlFlow::Break(_) => Ok((0.0, counts)),
                ControlFlow::Continue(output) => {
                    let scores = read_matrix(output.logits.clone())?;
                    counts.add(&batch.labels, hits(&scores, &batch.labels));
                    let loss = read(loss(output.logits, &batch.parts, None))?;
                    Ok((f64::from(loss.iter().sum::<f32>()), counts))
                }
            }
        };
        let results = context.workers.map(self.chunks.iter().collect(), evaluate);
        let (mut loss, mut counts) = (0.0, Counts::new(classes));
        for (result, chunk) in results.into_iter().zip(&self.chunks) {
            let (batch_loss, batch_counts) = result?;
            loss += batch_loss * chunk.len() as f64;
            counts.merge(&batch_counts);
        }
        Ok(HeldOutResult {
            loss: loss / self.inputs().max(1) as f64,
            accuracy: counts.accuracy(),
            macro_recall: counts.macro_recall(),
        })
    }
}

/// Divides all inputs evenly into batches of `size` or more, because the statistics of a smaller
/// batch are less accurate; fewer than `size` inputs are one batch.
fn full_batches<T>(inputs: &[T], size: usize) -> Vec<&[T]> {
    ghost_batches::parts(inputs, (inputs.len() / size.max(1)).max(1))
}

/// Inputs of each class, and how many of them are correctly classified.
struct Counts(Vec<[usize; 2]>);

impl Counts {
    fn new(classes: usize) -> Self {
        Self(vec![[0; 2]; classes])
    }

    fn add(&mut self, labels: &[usize], hits: impl Iterator<Item = bool>) {
        for (&label, hit) in labels.iter().zip(hits) {
            if let Some([inputs, correct]) = self.0.get_mut(label) {
                *inputs += 1;
                *correct += usize::from(hit);
            }
        }
    }

    fn merge(&mut self, other: &Self) {
        for ([inputs, correct], [more, more_correct]) in self.0.iter_mut().zip(&other.0) {
            *inputs += more;
            *correct += more_correct;
        }
    }

    fn accuracy(&self) -> f64 {
        let [inputs, correct] = self.0.iter().fold([0, 0], |[a, b], [c, d]| [a + c, b + d]);
        correct as f64 / inputs.max(1) as f64
    }

    /// The mean over the classes that have inputs.
    fn macro_recall(&self) -> f64 {
        let recalls: Vec<f64> = self
            .0
            .iter()
            .filter(|[inputs, _]| *inputs > 0)
            .map(|&[inputs, correct]| correct as f64 / inputs as f64)
            .collect();
        recalls.iter().sum::<f64>() / recalls.len().max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of 96 held-out inputs in batches of 64, the last 32 were once left out: the accuracy was that
    /// of the others, and chose the epoch that is exported.
    #[test]
    fn every_held_out_input_is_measured_in_a_batch_that_is_large_enough() {
        let inputs: Vec<usize> = (0..400).collect();
        for (count, size) in [(96, 64), (127, 64), (128, 64), (152, 64), (48, 64), (400, 7)] {
            let batches = full_batches(&inputs[..count], size);
            assert_eq!(batches.concat(), inputs[..count], "{count} in batches of {size}");
            let sizes = batches.iter().map(|batch| batch.len());
            assert!(
                sizes.clone().all(|len| len >= size.min(count) && len < 2 * size),
                "{batches:?}"
            );
        }
        assert!(full_batches::<usize>(&[], 64).is_empty());
    }

    #[test]
    fn macro_recall_counts_a_rare_class_as_much_as_a_frequent_one() {
        let mut counts = Counts::new(3);
        // Eight of nine inputs are of class 0, and all are taken for it; class 2 has none.
        counts.add(&[0; 8], [true; 8].into_iter());
        let mut more = Counts::new(3);
        more.add(&[1], [false].into_iter());
        counts.merge(&more);
        assert!((counts.accuracy() - 8.0 / 9.0).abs() < 1e-12);
        assert!((counts.macro_recall() - 0.5).abs() < 1e-12);
    }
}
