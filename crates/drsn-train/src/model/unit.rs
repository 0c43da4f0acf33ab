//! The residual building unit, with or without shrinkage.

use std::ops::ControlFlow;

use burn::{module::Module, nn::BatchNorm, tensor::Tensor};
use drsn_bundle::{ShrinkageFunction, Unit as Kind};

use super::{
    Convolution, Excitation, Initializer, Normalize, Shrinkage, ShrinkageOutput,
    normalization::batch_norm, shortcut::shortcut,
};

/// A pre-activation residual unit:
///
/// ```text
/// x ─┬─ BN ─ ReLU ─ conv ─ BN ─ ReLU ─ conv ─ [shrinkage or excitation] ─ + ─► y
///    └──────────────────────────── shortcut ────────────────────────────────┘
/// ```
///
/// * input: `[channels_in, height, width, batch]`
/// * output: `[channels, ceil(height / stride), ceil(width / stride), batch]`
///
/// With channel-wise shrinkage it is the paper's RSBU-CW, with shared shrinkage RSBU-CS, with
/// excitation the unit of a `SENet`, and with neither that of a ResNet. There is no activation
/// after the sum.
#[derive(Module, Debug)]
pub struct ResidualUnit {
    /// Normalization before the first convolution. Its input is also that of the shortcut.
    pub norm1: BatchNorm,
    /// First convolution, which has the unit's stride.
    pub conv1: Convolution,
    /// Normalization of the first convolution's output.
    pub norm2: BatchNorm,
    /// Second convolution.
    pub conv2: Convolution,
    /// Shrinkage module of an RSBU.
    pub shrinkage: Option<Shrinkage>,
    /// Excitation module of a `SENet` unit.
    pub excitation: Option<Excitation>,
}

/// Shape of one unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct UnitShape {
    /// Kind of unit.
    pub(super) kind: Kind,
    /// Shrinkage function.
    pub(super) function: ShrinkageFunction,
    /// Channels in and out.
    pub(super) channels: [usize; 2],
    /// Kernel height and width.
    pub(super) kernel: [usize; 2],
    /// Stride along height and width.
    pub(super) stride: [usize; 2],
    /// Width of the hidden layer of the threshold or excitation network.
    pub(super) hidden: usize,
}

impl ResidualUnit {
    /// A unit with random weights.
    pub(super) fn new(initializer: &mut Initializer<'_>, shape: UnitShape, epsilon: f64) -> Self {
        let [channels_in, channels] = shape.channels;
        let thresholds = match shape.kind {
            Kind::Cw => Some(channels),
            Kind::Cs => Some(1),
            Kind::Se | Kind::Resnet => None,
        };
        let norm1 = batch_norm(channels_in, epsilon, initializer.device());
        let norm2 = batch_norm(channels, epsilon, initializer.device());
        Self {
            norm1,
            conv1: Convolution::new(initializer, shape.channels, shape.kernel, shape.stride),
            norm2,
            conv2: Convolution::new(initializer, [channels; 2], shape.kernel, [1, 1]),
            shrinkage: thresholds.map(|count| {
                let sizes = [channels, shape.hidden, count];
                Shrinkage::new(initializer, sizes, shape.function, epsilon)
            }),
            excitation: (shape.kind == Kind::Se)
                .then(|| Excitation::new(initializer, channels, shape.hidden)),
        }
    }

    /// Channels of the unit's output.
    pub fn channels(&self) -> usize {
        let [channels] = self.conv2.bias.shape().dims();
        channels
    }

    /// Applies the unit to a batch; returns its output and that of the shrinkage, if there is one.
    pub(super) fn forward<N: Normalize>(
        &self,
        input: Tensor<4>,
        normalize: &mut N,
    ) -> ControlFlow<N::End, (Tensor<4>, Option<ShrinkageOutput>)> {
        let hidden = normalize.normalize(&self.norm1, input.clone())?;
        let hidden = normalize.normalize(&self.norm2, self.conv1.forward(hidden))?;
        let features = self.conv2.forward(hidden);
        let features = match &self.excitation {
            Some(excitation) => excitation.forward(features),
            None => features,
        };
        let shrunk = match &self.shrinkage {
            Some(shrinkage) => Some(shrinkage.forward(features.clone(), normalize)?),
            None => None,
        };
        let branch = shrunk.as_ref().map_or(features, |shrunk| shrunk.features.clone());
        let sum = branch + shortcut(input, self.channels(), self.conv1.stride);
        ControlFlow::Continue((sum, shrunk))
    }
}
