//! Loss and accuracy of a batch.

use burn::tensor::{Tensor, TensorData, activation::log_softmax};
use ndarray::{Array2, ArrayRef1};

use super::splice::Parts;
use crate::model::FullyConnected;

/// The mean cross-entropy of logits, `[classes, batch]`. Of an input that is spliced of two, the
/// class of each part counts by its share.
pub(super) fn loss(
    logits: Tensor<2>,
    inputs: &[Parts],
    class_weights: Option<&[f32]>,
) -> Tensor<1> {
    let mut weights = Array2::zeros(logits.dims());
    for (parts, mut column) in inputs.iter().zip(weights.columns_mut()) {
        for (class, share) in parts.shares() {
            column[class] += share as f32;
        }
    }
    cross_entropy(logits, weights, class_weights)
}

/// The logits of each position of a signal's last features, `[features, 1, positions, batch]`,
/// classified alone: `[classes, positions · batch]`.
pub(super) fn position_logits(head: &FullyConnected, features: Tensor<4>) -> Tensor<2> {
    let [channels, height, width, batch] = features.dims();
    head.forward(features.reshape([channels, height * width * batch]))
}

/// The class that each of these positions is to have: that of the part of its input.
pub(super) fn position_classes(positions: usize, inputs: &[Parts]) -> impl Iterator<Item = usize> {
    (0..positions).flat_map(move |position| {
        let middle = (position as f64 + 0.5) / positions as f64;
        inputs.iter().map(move |parts| parts.at(middle))
    })
}

/// The mean cross-entropy at the positions of a signal's last features.
pub(super) fn position_loss(
    head: &FullyConnected,
    features: Tensor<4>,
    inputs: &[Parts],
    class_weights: Option<&[f32]>,
) -> Tensor<1> {
    let [_, _, positions, _] = features.dims();
    let logits = position_logits(head, features);
    let mut weights = Array2::zeros(logits.dims());
    let classes = position_classes(positions, inputs);
    for (mut column, class) in weights.columns_mut().into_iter().zip(classes) {
        column[class] = 1.0;
    }
    cross_entropy(logits, weights, class_weights)
}

/// The mean cross-entropy of logits, `[classes, columns]`, with the weight of each class in each
/// column, times the weight of the class.
fn cross_entropy(
    logits: Tensor<2>,
    mut weights: Array2<f32>,
    class_weights: Option<&[f32]>,
) -> Tensor<1> {
    for (mut row, &weight) in weights.rows_mut().into_iter().zip(class_weights.unwrap_or_default())
    {
        row *= weight;
    }
    let (shape, total) = (logits.dims(), weights.sum());
    let weights = TensorData::new(weights.into_raw_vec_and_offset().0, shape);
    let weights = Tensor::from_data(weights, &logits.device());
    (log_softmax(logits, 0) * weights).sum() / -total
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

#[cfg(test)]
mod tests {
    use burn::{
        nn::loss::CrossEntropyLossConfig,
        tensor::{Device, Int},
    };

    use rand::RngExt as _;

    use super::*;
    use crate::{
        model::Initializer,
        random::{Purpose, stream},
        tensor::read,
    };

    fn value(loss: Tensor<1>) -> f32 {
        read(loss).unwrap()[0]
    }

    /// Logits of three classes and four inputs.
    fn logits() -> Tensor<2> {
        let mut rng = stream(1, Purpose::Evaluation, 0, 0);
        let values: Vec<f32> = (0..12).map(|_| rng.random_range(-3.0..3.0)).collect();
        Tensor::from_data(TensorData::new(values, [3, 4]), &Device::flex())
    }

    /// Burn's cross-entropy.
    fn theirs(logits: Tensor<2>, labels: [i64; 4], weights: Option<&[f32]>) -> f32 {
        let labels = Tensor::<1, Int>::from_data(TensorData::from(labels), &Device::flex());
        let loss = CrossEntropyLossConfig::new().with_weights(weights.map(<[f32]>::to_vec));
        value(loss.init(&Device::flex()).forward(logits.transpose(), labels))
    }

    #[test]
    fn the_loss_of_whole_inputs_is_the_cross_entropy() {
        let inputs = [2, 0, 1, 1].map(Parts::whole);
        for weights in [None, Some(&[0.5, 1.0, 3.0][..])] {
            let ours = value(loss(logits(), &inputs, weights));
            assert!((ours - theirs(logits(), [2, 0, 1, 1], weights)).abs() < 1e-5, "{ours}");
        }
    }

    #[test]
    fn the_loss_of_a_spliced_input_is_that_of_its_parts_by_share() {
        let inputs = [Parts::whole(0), Parts::new([1, 2], 0.25), Parts::whole(0), Parts::whole(0)];
        let [first, second] = [1, 2].map(|class| theirs(logits(), [0, class, 0, 0], None));
        let ours = value(loss(logits(), &inputs, None));
        assert!((ours - (0.25 * first + 0.75 * second)).abs() < 1e-5, "{ours}");
    }

    /// Features that are the logits, of two inputs with four positions each.
    #[test]
    fn a_position_has_the_class_of_the_part_that_it_lies_in() {
        let device = Device::flex();
        let mut head = FullyConnected::he(
            &mut Initializer::new(stream(0, Purpose::Weights, 0, 0), &device),
            2,
            2,
        );
        head.weight = burn::module::Param::from_tensor(Tensor::eye(2, &device));
        // Positive values of the first feature are of class 0, of the second of class 1.
        let first: [f32; 8] = [9.0, 9.0, 9.0, -9.0, -9.0, -9.0, -9.0, -9.0];
        let values: Vec<f32> = first.iter().copied().chain(first.map(|value| -value)).collect();
        let features = Tensor::from_data(TensorData::new(values, [2, 1, 4, 2]), &device);
        let position_loss =
            |inputs: &[Parts]| value(position_loss(&head, features.clone(), inputs, None));
        let (input, other) = (Parts::new([0, 1], 0.5), Parts::new([0, 1], 0.25));
        assert!(position_loss(&[input, other]) < 1e-6);
        assert!((position_loss(&[other, input]) - 2.0 * 18.0 / 8.0).abs() < 1e-4);
    }
}
