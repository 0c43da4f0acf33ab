//! The running statistics of normalizations during training.

use burn::{
    module::RunningState,
    tensor::{Device, Tensor, TensorData},
};

use super::channel_moments::ChannelMoments;
use crate::{
    model::Drsn,
    tensor::{TensorError, read},
};

/// Reads the running statistics of a network's normalizations.
pub(super) fn load(network: &mut Drsn) -> Result<Vec<ChannelMoments>, TensorError> {
    let layers = network.normalizations_mut().into_iter();
    let moments = layers.map(|layer| {
        let (mean, variance) = (layer.running_mean.value(), layer.running_var.value());
        Ok(ChannelMoments { mean: read(mean)?, variance: read(variance)? })
    });
    moments.collect()
}

/// Sets the running statistics of a network's normalizations.
pub(super) fn store(network: &mut Drsn, statistics: &[ChannelMoments]) {
    let device = Device::flex();
    let state =
        |values: &[f32]| RunningState::new(Tensor::from_data(TensorData::from(values), &device));
    for (layer, moments) in network.normalizations_mut().into_iter().zip(statistics) {
        layer.running_mean = state(&moments.mean);
        layer.running_var = state(&moments.variance);
    }
}

/// Updates running statistics with those of a batch; `momentum` is the share that stays unchanged.
pub(super) fn update(running: &mut [ChannelMoments], batch: &[ChannelMoments], momentum: f64) {
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
