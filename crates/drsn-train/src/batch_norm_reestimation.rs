//! Exact statistics for batch normalizations after training, and the check that the network works
//! with them.
//!
//! Running averages over batches are too inaccurate for normalizations whose input hardly varies,
//! such as those inside the threshold networks. After training, each normalization therefore gets
//! the mean and the population variance of its input over all training data. They are measured in
//! the order in which data passes the normalizations, each with all earlier ones already fixed.

use std::{
    ops::ControlFlow,
    sync::atomic::{AtomicBool, Ordering},
};

use burn::{
    module::RunningState,
    nn::BatchNorm,
    tensor::{Device, Tensor, TensorData},
};
use ndarray::Array2;

use crate::{
    model::{BatchStatistics, Drsn, LayerStatistics, Normalize},
    tensor::{TensorError, read_matrix},
    training::{Disturbance, InputError, Progress, TrainingContext, TrainingError, held_out},
};

/// Batch size for measuring statistics; affects only the speed.
const BATCH: usize = 250;
/// Minimum of the allowed loss of accuracy.
const ONE_POINT: f64 = 0.01;

/// Statistics that cannot be measured, or that the network does not work with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReestimationError {
    /// The statistics or the accuracy cannot be measured.
    #[error(transparent)]
    Training(#[from] TrainingError),
    /// The network is less accurate with fixed statistics than with those of each batch.
    #[error(
        "the network is not exported: its accuracy on held-out inputs is {fixed:.4} with fixed \
         statistics but {batch:.4} with those of each batch, and at most {allowed:.4} less is \
         allowed; train with larger batches or for longer"
    )]
    AccuracyLoss {
        /// Held-out accuracy with the exact statistics of the training data.
        fixed: f64,
        /// Held-out accuracy with each batch's own statistics.
        batch: f64,
        /// Allowed difference.
        allowed: f64,
    },
}

impl From<TensorError> for ReestimationError {
    fn from(error: TensorError) -> Self {
        Self::Training(error.into())
    }
}

impl From<InputError> for ReestimationError {
    fn from(error: InputError) -> Self {
        Self::Training(error.into())
    }
}

/// Held-out accuracies of a network with different statistics.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AccuracyByStatistics {
    /// With the running statistics of the training, which other tools would export.
    pub running: f64,
    /// With the exact statistics of the training data.
    pub fixed: f64,
    /// With each batch's own statistics.
    pub batch: f64,
    /// How much `fixed` may be below `batch`: one percentage point or two standard errors,
    /// whichever is more.
    pub allowed: f64,
}

/// Gives every normalization of the network its exact statistics, and compares the held-out
/// accuracies. Returns `None`, with the network partly updated, if `stop` was set.
///
/// # Errors
/// [`ReestimationError::AccuracyLoss`] if the network loses more accuracy with fixed statistics
/// than allowed.
pub fn reestimate(
    network: &mut Drsn,
    context: TrainingContext<'_>,
    progress: &mut dyn Progress,
    stop: &AtomicBool,
) -> Result<Option<AccuracyByStatistics>, ReestimationError> {
    let count = network.normalizations_mut().len();
    let running = held_out::evaluate(network, context, || LayerStatistics)?.accuracy;
    for index in 0..count {
        progress.step(&format!("measuring batch normalization {} of {count}", index + 1));
        let Some(moments) = measure(network, index, context, stop)? else { return Ok(None) };
        let device = Device::flex();
        if let Some(layer) = network.normalizations_mut().into_iter().nth(index) {
            layer.running_mean = moments.state(&device, Moments::mean);
            layer.running_var = moments.state(&device, Moments::variance);
        }
    }
    progress.step("comparing the accuracy with that under batch statistics");
    let fixed = held_out::evaluate(network, context, || LayerStatistics)?.accuracy;
    let batch = held_out::evaluate(network, context, BatchStatistics::default)?.accuracy;
    let allowed = allowed_loss(batch, held_out::inputs(&context));
    let accuracies = AccuracyByStatistics { running, fixed, batch, allowed };
    accuracies.check().map(|()| Some(accuracies))
}

impl AccuracyByStatistics {
    fn check(&self) -> Result<(), ReestimationError> {
        let Self { fixed, batch, allowed, .. } = *self;
        if fixed < batch - allowed {
            return Err(ReestimationError::AccuracyLoss { fixed, batch, allowed });
        }
        Ok(())
    }
}

/// Sums of each channel over all inputs, in 64 bits.
#[derive(Debug, Clone, Default)]
struct Moments {
    count: f64,
    sum: Vec<f64>,
    sum_of_squares: Vec<f64>,
}

impl Moments {
    /// Adds values, `[channels, values]`.
    fn add(&mut self, values: &Array2<f32>) {
        self.sum.resize(values.nrows(), 0.0);
        self.sum_of_squares.resize(values.nrows(), 0.0);
        let sums = self.sum.iter_mut().zip(&mut self.sum_of_squares);
        for (channel, (sum, sum_of_squares)) in values.rows().into_iter().zip(sums) {
            for &value in channel {
                let value = f64::from(value);
                *sum += value;
                *sum_of_squares += value * value;
            }
        }
        self.count += values.ncols() as f64;
    }

    fn merge(&mut self, other: &Self) {
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

    fn mean(&self, channel: usize) -> f64 {
        self.sum[channel] / self.count
    }

    /// Population variance.
    fn variance(&self, channel: usize) -> f64 {
        let mean = self.mean(channel);
        (self.sum_of_squares[channel] / self.count - mean * mean).max(0.0)
    }

    fn state(
        &self,
        device: &Device,
        moment: impl Fn(&Self, usize) -> f64,
    ) -> RunningState<Tensor<1>> {
        let values: Vec<f32> = (0..self.sum.len()).map(|c| moment(self, c) as f32).collect();
        RunningState::new(Tensor::from_data(TensorData::from(values.as_slice()), device))
    }
}

/// Normalizes with the layers' statistics, until the normalization to be measured: it ends the pass
/// with the input of that one.
struct CaptureInput {
    /// Normalizations before the one to be measured.
    remaining: usize,
}

impl Normalize for CaptureInput {
    /// `[channels, values]`.
    type End = Result<Array2<f32>, TensorError>;

    fn normalize<const D: usize>(
        &mut self,
        layer: &BatchNorm,
        input: Tensor<D>,
    ) -> ControlFlow<Self::End, Tensor<D>> {
        if self.remaining > 0 {
            self.remaining -= 1;
            let ControlFlow::Continue(output) = LayerStatistics.normalize(layer, input);
            return ControlFlow::Continue(output);
        }
        ControlFlow::Break(read_matrix(input))
    }
}

/// Measures the moments of one normalization's input; `None` if `stop` was set.
fn measure(
    network: &Drsn,
    index: usize,
    context: TrainingContext<'_>,
    stop: &AtomicBool,
) -> Result<Option<Moments>, ReestimationError> {
    let disturbance = Disturbance::statistics(context.recipe);
    let batches = context.batches(&context.data.training, disturbance);
    let chunks = context.data.training.indices.chunks(BATCH).collect();
    let parts = context.workers.map(chunks, |indices: &[usize]| -> Result<_, ReestimationError> {
        let mut moments = Moments::default();
        if stop.load(Ordering::Relaxed) {
            return Ok(moments);
        }
        let batch = batches.batch(indices, 0, &Device::flex())?;
        let mut capture = CaptureInput { remaining: index };
        if let ControlFlow::Break(input) = network.forward_with(batch.inputs, &mut capture) {
            moments.add(&input?);
        }
        Ok(moments)
    });
    // Added in the order of the inputs, so that the sums do not depend on the number of threads.
    let mut total = Moments::default();
    for moments in parts {
        total.merge(&moments?);
    }
    Ok((!stop.load(Ordering::Relaxed)).then_some(total))
}

/// One percentage point or two standard errors of an accuracy over `inputs`, whichever is more.
fn allowed_loss(batch_accuracy: f64, inputs: usize) -> f64 {
    let standard_error = (batch_accuracy * (1.0 - batch_accuracy) / inputs as f64).sqrt();
    ONE_POINT.max(2.0 * standard_error)
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn moments_are_pooled_over_batches_of_different_size() {
        let mut moments = Moments::default();
        // Channel 0 has 1, 2, 3 and channel 1 has 10, 10, 40.
        moments.add(&array![[1.0, 2.0], [10.0, 10.0]]);
        let mut more = Moments::default();
        more.add(&array![[3.0], [40.0]]);
        moments.merge(&more);
        let close = |a: f64, b: f64| (a - b).abs() < 1e-9;
        assert!(close(moments.mean(0), 2.0) && close(moments.mean(1), 20.0));
        assert!(close(moments.variance(0), 2.0 / 3.0) && close(moments.variance(1), 200.0));
    }

    #[test]
    fn a_point_is_allowed_or_two_standard_errors() {
        assert!((allowed_loss(0.99, 5_000) - 0.01).abs() < 1e-12);
        assert!((allowed_loss(0.5, 100) - 0.1).abs() < 1e-12);
    }

    #[test]
    fn a_network_that_loses_more_than_is_allowed_is_refused() {
        let accuracies =
            |fixed| AccuracyByStatistics { running: 0.0, fixed, batch: 0.95, allowed: 0.01 };
        assert!(accuracies(0.9401).check().is_ok());
        let refusal = accuracies(0.45).check().map_err(|e| e.to_string());
        assert!(refusal.is_err_and(|reason| reason.contains("0.4500")));
    }
}
