//! Exact statistics for the batch normalizations, and the proof that the network works with them.
//!
//! Running averages over batches are too coarse where a normalization's input hardly varies, as inside the
//! threshold networks. So, after training, each normalization gets the mean and the population variance of its
//! input over all training data, in the order in which data meets them, each measured with the ones before it
//! already fixed.

use std::{
    ops::ControlFlow,
    sync::atomic::{AtomicBool, Ordering},
};

use burn::{
    module::RunningState,
    nn::BatchNorm,
    tensor::{Device, Tensor, TensorData},
};

use crate::{
    TrainError,
    model::{BatchStatistics, Drsn, LayerStatistics, Normalize},
    training::{Disturbance, Progress, Task, held_out, read},
};

/// Inputs that go through the network together while statistics are measured; it changes nothing but the speed.
const BATCH: usize = 250;
/// How far the accuracy with fixed statistics may lie below the one with each batch's own, at the least.
const ONE_POINT: f64 = 0.01;

/// Held-out accuracies of a calibrated network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Calibration {
    /// With the running statistics that the training left: what is served by tools that trust them.
    pub running: f64,
    /// With the exact statistics of the training data.
    pub fixed: f64,
    /// With each batch's own statistics.
    pub batch: f64,
    /// How far the first may lie below the second: a point or two standard errors, whichever is more.
    pub allowed: f64,
}

/// Gives every normalization of the network its exact statistics, and compares the held-out accuracy.
/// Gives none, and leaves the network half done, where `stop` was set meanwhile.
///
/// # Errors
/// [`TrainError::Calibration`] where the network does worse with fixed statistics than is allowed.
pub fn calibrate(
    network: &mut Drsn,
    task: Task<'_>,
    progress: &mut dyn Progress,
    stop: &AtomicBool,
) -> Result<Option<Calibration>, TrainError> {
    let count = network.normalizations_mut().len();
    let (_, running) = held_out::measure(network, task, || LayerStatistics)?;
    for index in 0..count {
        progress.step(&format!("measuring normalization {} of {count}", index + 1));
        let Some(moments) = measure(network, index, task, stop)? else { return Ok(None) };
        let device = Device::flex();
        if let Some(layer) = network.normalizations_mut().into_iter().nth(index) {
            layer.running_mean = moments.state(&device, Moments::mean);
            layer.running_var = moments.state(&device, Moments::variance);
        }
    }
    progress.step("comparing with the statistics of batches");
    let (_, fixed) = held_out::measure(network, task, || LayerStatistics)?;
    let (_, batch) = held_out::measure(network, task, BatchStatistics::default)?;
    let allowed = allowed(batch, held_out::whole_batches(&task).concat().len());
    let calibration = Calibration { running, fixed, batch, allowed };
    calibration.check().map(|()| Some(calibration))
}

impl Calibration {
    fn check(&self) -> Result<(), TrainError> {
        let Self { fixed, batch, allowed, .. } = *self;
        if fixed < batch - allowed {
            return Err(TrainError::Calibration { fixed, batch, allowed });
        }
        Ok(())
    }
}

/// Sums over all inputs for each channel, pooled in 64 bits.
#[derive(Debug, Clone, Default)]
struct Moments {
    count: f64,
    sum: Vec<f64>,
    sum_of_squares: Vec<f64>,
}

impl Moments {
    /// Adds values of shape `[channels, …]`.
    fn add(&mut self, values: &[f32], channels: usize) {
        self.sum.resize(channels, 0.0);
        self.sum_of_squares.resize(channels, 0.0);
        let plane = values.len() / channels;
        for (channel, plane) in values.chunks_exact(plane).enumerate() {
            for &value in plane {
                let value = f64::from(value);
                self.sum[channel] += value;
                self.sum_of_squares[channel] += value * value;
            }
        }
        self.count += plane as f64;
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

/// Normalizes as the layers say, up to the one to be measured: takes its input and ends the pass there.
struct UpTo {
    remaining: usize,
}

/// The input of the measured normalization.
struct Measured {
    values: Result<Vec<f32>, TrainError>,
    channels: usize,
}

impl Normalize for UpTo {
    type End = Measured;

    fn normalize<const D: usize>(
        &mut self,
        layer: &BatchNorm,
        input: Tensor<D>,
    ) -> ControlFlow<Measured, Tensor<D>> {
        if self.remaining > 0 {
            self.remaining -= 1;
            let ControlFlow::Continue(output) = LayerStatistics.normalize(layer, input);
            return ControlFlow::Continue(output);
        }
        ControlFlow::Break(Measured { channels: input.dims()[0], values: read(input) })
    }
}

/// The moments of one normalization's input; none where `stop` was set.
fn measure(
    network: &Drsn,
    index: usize,
    task: Task<'_>,
    stop: &AtomicBool,
) -> Result<Option<Moments>, TrainError> {
    let batches = task.batches(&task.data.training, Disturbance::calibration(task.recipe));
    let chunks = task.data.training.indices.chunks(BATCH).collect();
    let done = task.workers.map(chunks, |indices: &[usize]| -> Result<_, TrainError> {
        let mut moments = Moments::default();
        if stop.load(Ordering::Relaxed) {
            return Ok(moments);
        }
        let batch = batches.batch(indices, 0, &Device::flex())?;
        let mut up_to = UpTo { remaining: index };
        if let ControlFlow::Break(measured) = network.forward_with(batch.inputs, &mut up_to) {
            moments.add(&measured.values?, measured.channels);
        }
        Ok(moments)
    });
    // Added up in the order of the inputs: the same sums for every number of threads.
    let mut total = Moments::default();
    for moments in done {
        total.merge(&moments?);
    }
    Ok((!stop.load(Ordering::Relaxed)).then_some(total))
}

/// A point or two standard errors of an accuracy over so many inputs, whichever is more.
fn allowed(batch_accuracy: f64, inputs: usize) -> f64 {
    let standard_error = (batch_accuracy * (1.0 - batch_accuracy) / inputs as f64).sqrt();
    ONE_POINT.max(2.0 * standard_error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_pooled_over_batches_of_different_size() {
        let mut moments = Moments::default();
        // Channel 0 has 1, 2, 3 and channel 1 has 10, 10, 40.
        moments.add(&[1.0, 2.0, 10.0, 10.0], 2);
        let mut more = Moments::default();
        more.add(&[3.0, 40.0], 2);
        moments.merge(&more);
        let close = |a: f64, b: f64| (a - b).abs() < 1e-9;
        assert!(close(moments.mean(0), 2.0) && close(moments.mean(1), 20.0));
        assert!(close(moments.variance(0), 2.0 / 3.0) && close(moments.variance(1), 200.0));
    }

    #[test]
    fn a_point_is_allowed_or_two_standard_errors() {
        assert!((allowed(0.99, 5_000) - 0.01).abs() < 1e-12);
        assert!((allowed(0.5, 100) - 0.1).abs() < 1e-12);
    }

    #[test]
    fn a_network_that_loses_more_than_is_allowed_is_refused() {
        let calibration = |fixed| Calibration { running: 0.0, fixed, batch: 0.95, allowed: 0.01 };
        assert!(calibration(0.9401).check().is_ok());
        let refusal = calibration(0.45).check().map_err(|e| e.to_string());
        assert!(refusal.is_err_and(|reason| reason.contains("0.4500")));
    }
}
