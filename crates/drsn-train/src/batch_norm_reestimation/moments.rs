//! Mean and variance of each channel over many batches.

use burn::{
    module::RunningState,
    tensor::{Device, Tensor, TensorData},
};
use ndarray::Array2;

/// Sums of each channel over all inputs, in 64 bits.
#[derive(Debug, Clone)]
pub(super) struct Moments {
    /// Weight of the values that are added.
    weight: f64,
    /// Number of values of a channel, times their weights.
    count: f64,
    sum: Vec<f64>,
    sum_of_squares: Vec<f64>,
}

impl Moments {
    /// Moments of values that all have this weight.
    pub(super) fn weighted(weight: f64) -> Self {
        Self { weight, count: 0.0, sum: Vec::new(), sum_of_squares: Vec::new() }
    }

    /// Adds values, `[channels, values]`.
    pub(super) fn add(&mut self, values: &Array2<f32>) {
        self.sum.resize(values.nrows(), 0.0);
        self.sum_of_squares.resize(values.nrows(), 0.0);
        let sums = self.sum.iter_mut().zip(&mut self.sum_of_squares);
        for (channel, (sum, sum_of_squares)) in values.rows().into_iter().zip(sums) {
            let (mut plain, mut squares) = (0.0, 0.0);
            for &value in channel {
                let value = f64::from(value);
                plain += value;
                squares += value * value;
            }
            *sum += self.weight * plain;
            *sum_of_squares += self.weight * squares;
        }
        self.count += self.weight * values.ncols() as f64;
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.sum.resize(other.sum.len(), 0.0);
        self.sum_of_squares.resize(other.sum.len(), 0.0);
        for (sum, more) in self.sum.iter_mut().zip(&other.sum) {
            *sum += more;
        }
        for (sum, more) in self.sum_of_squares.iter_mut().zip(&other.sum_of_squares) {
            *sum += more;
        }
        self.count += other.count;
    }

    pub(super) fn mean(&self, channel: usize) -> f64 {
        self.sum[channel] / self.count
    }

    /// Population variance.
    pub(super) fn variance(&self, channel: usize) -> f64 {
        let mean = self.mean(channel);
        (self.sum_of_squares[channel] / self.count - mean * mean).max(0.0)
    }

    pub(super) fn state(
        &self,
        device: &Device,
        moment: impl Fn(&Self, usize) -> f64,
    ) -> RunningState<Tensor<1>> {
        let values: Vec<f32> = (0..self.sum.len()).map(|c| moment(self, c) as f32).collect();
        RunningState::new(Tensor::from_data(TensorData::from(values.as_slice()), device))
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn moments_are_pooled_over_batches_of_different_size() {
        let mut moments = Moments::weighted(1.0);
        // Channel 0 has 1, 2, 3 and channel 1 has 10, 10, 40.
        moments.add(&array![[1.0, 2.0], [10.0, 10.0]]);
        let mut more = Moments::weighted(1.0);
        more.add(&array![[3.0], [40.0]]);
        moments.merge(&more);
        let close = |a: f64, b: f64| (a - b).abs() < 1e-9;
        assert!(close(moments.mean(0), 2.0) && close(moments.mean(1), 20.0));
        assert!(close(moments.variance(0), 2.0 / 3.0) && close(moments.variance(1), 200.0));
    }

    #[test]
    fn weights_give_two_groups_of_different_size_the_same_share() {
        let mut total = Moments::weighted(1.0);
        for (weight, values) in [(0.5, array![[1.0, 1.0, 1.0, 1.0]]), (2.0, array![[5.0]])] {
            let mut group = Moments::weighted(weight);
            group.add(&values);
            total.merge(&group);
        }
        assert!((total.mean(0) - 3.0).abs() < 1e-9);
        assert!((total.variance(0) - 4.0).abs() < 1e-9);
    }
}
