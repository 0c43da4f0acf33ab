//! Exact statistics for batch normalizations after training, and the check that the network works
//! with them.
//!
//! Running averages over batches are too inaccurate for normalizations whose input hardly varies,
//! such as those inside the threshold networks. After training, each normalization therefore gets
//! the mean and the population variance of its input over all training data, each class with the
//! weight that its sampling gives it. They are measured in the order in which data passes the normalizations, each with all earlier ones already fixed.

mod check;
mod error;
mod moments;

use std::{
    ops::ControlFlow,
    sync::atomic::{AtomicBool, Ordering},
};

use burn::{
    nn::BatchNorm,
    tensor::{Device, Tensor},
};
use ndarray::Array2;

pub use check::{Sample, StatisticsCheck, check};
pub use error::ReestimationError;
use moments::Moments;

use crate::{
    model::{Drsn, LayerStatistics, Normalize},
    tensor::{TensorError, read_matrix},
    training::{Disturbance, Progress, StepMeter, TrainingContext, WorkAfter, draws, weighted},
};

/// Batch size for measuring statistics; affects only the speed.
const BATCH: usize = 250;

/// Gives every normalization of the network its exact statistics, and measures how well the network
/// works with them. Returns `None`, with the network partly updated, if `stop` was set.
///
/// # Errors
/// [`ReestimationError::Training`] if an input cannot be read.
pub fn reestimate(
    network: &mut Drsn,
    context: TrainingContext<'_>,
    progress: &mut dyn Progress,
    stop: &AtomicBool,
) -> Result<Option<StatisticsCheck>, ReestimationError> {
    let count = network.normalizations_mut().len();
    let running = network.clone();
    progress.step(&format!("measuring the statistics of {count} batch normalizations"));
    let WorkAfter { statistics, export } = WorkAfter::new(&context, count);
    let meter = StepMeter::new(statistics, export);
    for index in 0..count {
        let Some(moments) = measure(network, index, context, stop)? else { return Ok(None) };
        let device = Device::flex();
        if let Some(layer) = network.normalizations_mut().into_iter().nth(index) {
            layer.running_mean = moments.state(&device, Moments::mean);
            layer.running_var = moments.state(&device, Moments::variance);
        }
        // Each layer needs the network up to it.
        let share = ((index + 1) * (index + 2)) as f64 / (count * (count + 1)) as f64;
        progress.part(&meter.report(index + 1, count, share));
    }
    progress.step("comparing the accuracy with that under batch statistics");
    check(network, &running, context).map(Some)
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
    // In the mix of classes that the network was trained on.
    let groups = weighted(&context);
    let chunks = groups.iter().flat_map(|(weight, indices)| {
        indices.chunks(BATCH).map(|indices| (*weight, draws(indices, 0)))
    });
    let chunks = chunks.collect();
    let parts = context.workers.map(chunks, |(weight, draws)| -> Result<_, ReestimationError> {
        let mut moments = Moments::weighted(weight);
        if stop.load(Ordering::Relaxed) {
            return Ok(moments);
        }
        let batch = batches.batch(&draws, &Device::flex())?;
        let mut capture = CaptureInput { remaining: index };
        if let ControlFlow::Break(input) = network.forward_with(batch.inputs, &mut capture) {
            moments.add(&input?);
        }
        Ok(moments)
    });
    // Added in the order of the inputs, so that the sums do not depend on the number of threads.
    let mut total = Moments::weighted(1.0);
    for moments in parts {
        total.merge(&moments?);
    }
    Ok((!stop.load(Ordering::Relaxed)).then_some(total))
}
