//! Exact statistics for batch normalizations after training, and the check that the network works
//! with them.
//!
//! Running averages over batches are too inaccurate for normalizations whose input hardly varies,
//! such as those inside the threshold networks. After training, each normalization therefore gets
//! the mean and the population variance of its input over all training data. They are measured in
//! the order in which data passes the normalizations, each with all earlier ones already fixed.

mod check;
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
use moments::Moments;

use crate::{
    model::{Drsn, LayerStatistics, Normalize},
    tensor::{TensorError, read_matrix},
    training::{Disturbance, InputError, Progress, TrainingContext, TrainingError},
};

/// Batch size for measuring statistics; affects only the speed.
const BATCH: usize = 250;

/// Statistics that cannot be measured, or that the network does not work with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReestimationError {
    /// The statistics or the accuracy cannot be measured.
    #[error(transparent)]
    Training(#[from] TrainingError),
    /// The network does not even work on its training inputs with fixed statistics.
    #[error(
        "the network is not exported: on inputs that it was trained on its accuracy is \
         {exact:.4} with the fixed statistics of a served model but {batch:.4} with those of each \
         batch, and at most {allowed:.4} less is allowed; look for a few inputs with extreme values \
         in the training data, or train for longer or with larger batches; --export-anyway exports \
         it all the same"
    )]
    Broken {
        /// Accuracy on training inputs with the fixed statistics.
        exact: f64,
        /// Accuracy on the same inputs with each batch's own statistics.
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
