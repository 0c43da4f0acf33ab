//! Loss and accuracy of a batch.

use burn::{
    nn::loss::CrossEntropyLossConfig,
    tensor::{Device, Tensor},
};

use ndarray::{Array2, ArrayRef1};

use super::batch::Batch;

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

/// Counts the columns of `scores`, `[classes, batch]`, whose maximum is at their label.
pub(super) fn count_correct(scores: &Array2<f32>, labels: &[usize]) -> usize {
    hits(scores, labels).filter(|hit| *hit).count()
}

/// Whether the maximum of each column of `scores`, `[classes, batch]`, is at its label.
pub(super) fn hits(scores: &Array2<f32>, labels: &[usize]) -> impl Iterator<Item = bool> {
    scores.columns().into_iter().zip(labels).map(|(column, label)| largest(&column) == Some(*label))
}

/// Index of the largest value, the last of several.
fn largest(values: &ArrayRef1<f32>) -> Option<usize> {
    let largest = values.iter().enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b));
    largest.map(|(index, _)| index)
}
