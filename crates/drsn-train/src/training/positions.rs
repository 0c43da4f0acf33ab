//! How well the positions of the last features tell where in a window its class is.

use burn::tensor::Device;

use super::{
    batch::draws,
    context::TrainingContext,
    disturbance::Disturbance,
    error::TrainingError,
    loss::{hits, position_classes, position_logits},
};
use crate::{model::Drsn, tensor::read_matrix};

/// The share of positions of held-out windows, each window spliced of two, that are classified as the
/// part that they lie in; `None` without held-out windows.
pub(crate) fn position_accuracy(
    network: &Drsn,
    context: TrainingContext<'_>,
) -> Result<Option<f64>, TrainingError> {
    let held_out = &context.data.held_out;
    let batches = context.batches(held_out, Disturbance::spliced(context.recipe));
    let count = |indices: &[usize]| -> Result<[usize; 2], TrainingError> {
        let batch = batches.batch(&draws(indices, 0), &Device::flex())?;
        let features = network.forward(batch.inputs.clone()).last;
        let [_, _, positions, _] = features.dims();
        let scores = read_matrix(position_logits(&network.head, features))?;
        let classes: Vec<usize> = position_classes(positions, &batch.parts).collect();
        Ok([classes.len(), hits(&scores, &classes).filter(|hit| *hit).count()])
    };
    let (mut positions, mut right) = (0, 0);
    for counts in
        context.workers.map(held_out.indices.chunks(context.recipe.batch).collect(), count)
    {
        let [more, more_right] = counts?;
        positions += more;
        right += more_right;
    }
    Ok((positions > 0).then(|| right as f64 / positions as f64))
}
