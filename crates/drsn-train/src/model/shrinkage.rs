//! The shrinkage module: a small network that learns thresholds, and their application to features.

use std::ops::ControlFlow;

use burn::{
    module::Module,
    nn::BatchNorm,
    tensor::{Tensor, activation::sigmoid},
};
use drsn_bundle::ShrinkageFunction;

use super::{FullyConnected, Initializer, Normalize, normalization::batch_norm};
use crate::kernel::{ChannelWise, channel_wise, mean_abs};

/// Computes thresholds from the features' mean magnitudes A and shrinks the features with them.
///
/// ```text
/// A_c = mean over space of |x_c|                                        [C, batch]
/// α   = sigmoid(FC(ReLU(BN(FC(A)))))                                    [C, batch] or [1, batch]
/// τ_c = α_c · A_c                           channel-wise (RSBU-CW)      [C, batch]
/// τ   = α · mean over channels of A         channel-shared (RSBU-CS)    [1, batch]
/// y   = soft_threshold(x, τ) or garrote(x, τ)                           [C, height, width, batch]
/// ```
///
/// Source: M. Zhao et al., DOI 10.1109/TII.2019.2943898, sections III-B and III-C.
#[derive(Module, Debug)]
pub struct Shrinkage {
    /// First layer, C to the hidden width.
    pub squeeze: FullyConnected,
    /// Normalization between the layers.
    pub norm: BatchNorm,
    /// Second layer: C outputs, or one for all channels.
    pub excite: FullyConnected,
    /// Whether the garrote replaces the soft threshold.
    pub garrote: bool,
}

/// Output of the shrinkage module of one unit for a batch.
#[derive(Debug, Clone)]
pub struct ShrinkageOutput {
    /// The features after shrinkage, `[C, height, width, batch]`.
    pub features: Tensor<4>,
    /// Thresholds τ, `[C, batch]`; a shared threshold is repeated for each channel.
    pub threshold: Tensor<2>,
    /// Mean magnitudes A before shrinkage, `[C, batch]`.
    pub mean_abs: Tensor<2>,
}

impl Shrinkage {
    /// A module for `channels` channels with `hidden` units in the hidden layer and `thresholds`
    /// outputs.
    pub(crate) fn new(
        initializer: &mut Initializer<'_>,
        [channels, hidden, thresholds]: [usize; 3],
        function: ShrinkageFunction,
        epsilon: f64,
    ) -> Self {
        Self {
            squeeze: FullyConnected::he(initializer, channels, hidden),
            norm: batch_norm(hidden, epsilon, initializer.device()),
            excite: FullyConnected::glorot(initializer, hidden, thresholds),
            garrote: function == ShrinkageFunction::Garrote,
        }
    }

    /// Shrinks a batch of features, `[C, height, width, batch]`.
    pub(crate) fn forward<N: Normalize>(
        &self,
        features: Tensor<4>,
        normalize: &mut N,
    ) -> ControlFlow<N::End, ShrinkageOutput> {
        let mean_abs = mean_abs(features.clone());
        let [channels, batch] = mean_abs.dims();
        let hidden = normalize.normalize(&self.norm, self.squeeze.forward(mean_abs.clone()))?;
        let scale = sigmoid(self.excite.forward(hidden));
        let [thresholds, _] = scale.dims();
        let magnitude =
            if thresholds == channels { mean_abs.clone() } else { mean_abs.clone().mean_dim(0) };
        let threshold = (scale * magnitude).expand([channels, batch]);
        let function = if self.garrote { ChannelWise::Garrote } else { ChannelWise::Soft };
        let features = channel_wise(function, features, threshold.clone());
        ControlFlow::Continue(ShrinkageOutput { features, threshold, mean_abs })
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};
    use proptest::prelude::*;
    use rand_distr::StandardNormal;

    use super::*;
    use crate::{
        model::LayerStatistics,
        random::{Purpose, stream},
    };

    const CHANNELS: usize = 3;
    const TOLERANCE: f32 = 1e-5;

    /// Features before and after shrinkage, τ and A, of a random module and an input of scale
    /// `scale`.
    fn shrink(seed: u64, thresholds: usize, scale: f32) -> [Vec<f32>; 4] {
        let device = Device::flex();
        let mut initializer = Initializer::new(stream(seed, Purpose::Weights, 0, 0), &device);
        let module = Shrinkage::new(
            &mut initializer,
            [CHANNELS, CHANNELS, thresholds],
            ShrinkageFunction::Soft,
            1e-5,
        );
        let mut rng = stream(seed, Purpose::Evaluation, 0, 0);
        let values: Vec<f32> =
            (0..2 * CHANNELS * 16).map(|_| scale * rng.sample::<f32, _>(StandardNormal)).collect();
        let features = Tensor::from_data(TensorData::new(values, [CHANNELS, 4, 4, 2]), &device);
        let ControlFlow::Continue(shrunk) = module.forward(features.clone(), &mut LayerStatistics);
        let values = |data: TensorData| data.try_to_vec::<f32>().unwrap();
        [
            values(features.permute([3, 0, 1, 2]).into_data()),
            values(shrunk.features.permute([3, 0, 1, 2]).into_data()),
            values(shrunk.threshold.transpose().into_data()),
            values(shrunk.mean_abs.transpose().into_data()),
        ]
    }

    fn mean_abs(values: &[f32]) -> f32 {
        values.iter().map(|v| v.abs()).sum::<f32>() / values.len() as f32
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn channel_wise_thresholds_lie_between_zero_and_the_mean_magnitude(
            seed: u64, scale in 1e-3_f32..1e3,
        ) {
            let [x, y, tau, a] = shrink(seed, CHANNELS, scale);
            for (c, (&tau, &a)) in tau.iter().zip(&a).enumerate() {
                let slack = TOLERANCE * a;
                prop_assert!((0.0..=a + slack).contains(&tau), "τ = {tau}, A = {a}");
                let (x, y) = (&x[c * 16..][..16], &y[c * 16..][..16]);
                prop_assert!(x.iter().zip(y).all(|(x, y)| y.abs() <= x.abs()));
                // mean|y_c| ≥ (1 − α_c) · A_c, and α_c · A_c = τ_c.
                prop_assert!(mean_abs(y) >= a - tau - slack);
            }
        }

        #[test]
        fn a_shared_threshold_holds_the_same_bounds_over_all_channels_together(
            seed: u64, scale in 1e-3_f32..1e3,
        ) {
            let [x, y, tau, a] = shrink(seed, 1, scale);
            for input in 0..2 {
                let tau = &tau[input * CHANNELS..][..CHANNELS];
                let a = mean_abs(&a[input * CHANNELS..][..CHANNELS]);
                let slack = TOLERANCE * a;
                prop_assert!(tau.iter().all(|t| t.to_bits() == tau[0].to_bits()));
                prop_assert!((0.0..=a + slack).contains(&tau[0]));
                let features = input * CHANNELS * 16..(input + 1) * CHANNELS * 16;
                let (x, y) = (&x[features.clone()], &y[features]);
                prop_assert!(x.iter().zip(y).all(|(x, y)| y.abs() <= x.abs()));
                prop_assert!(mean_abs(y) >= a - tau[0] - slack);
            }
        }
    }
}
