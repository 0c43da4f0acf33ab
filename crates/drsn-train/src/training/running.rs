//! The running statistics of normalizations while a network is trained.

use burn::{
    module::RunningState,
    tensor::{Device, Tensor, TensorData},
};

use super::{read, shard::Moments};
use crate::{TrainError, model::Drsn};

/// The running statistics of a network's normalizations.
pub(super) fn running(network: &mut Drsn) -> Result<Vec<Moments>, TrainError> {
    let layers = network.normalizations_mut().into_iter();
    let moments = layers.map(|layer| {
        let (mean, variance) = (layer.running_mean.value(), layer.running_var.value());
        Ok(Moments { mean: read(mean)?, variance: read(variance)? })
    });
    moments.collect()
}

/// Gives a network's normalizations their statistics.
pub(super) fn store(network: &mut Drsn, statistics: &[Moments]) {
    let device = Device::flex();
    let state =
        |values: &[f32]| RunningState::new(Tensor::from_data(TensorData::from(values), &device));
    for (layer, moments) in network.normalizations_mut().into_iter().zip(statistics) {
        layer.running_mean = state(&moments.mean);
        layer.running_var = state(&moments.variance);
    }
}

/// Moves running statistics towards a batch's: `momentum` is the share that stays.
pub(super) fn follow(running: &mut [Moments], batch: &[Moments], momentum: f64) {
    let towards = |running: &mut [f32], batch: &[f32]| {
        for (value, new) in running.iter_mut().zip(batch) {
            *value = (momentum * f64::from(*value) + (1.0 - momentum) * f64::from(*new)) as f32;
        }
    };
    for (running, batch) in running.iter_mut().zip(batch) {
        towards(&mut running.mean, &batch.mean);
        towards(&mut running.variance, &batch.variance);
    }
}
