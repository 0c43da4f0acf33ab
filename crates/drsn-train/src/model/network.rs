//! The whole network.

use std::ops::ControlFlow;

use burn::{module::Module, nn::BatchNorm, tensor::Tensor};
use drsn_bundle::Architecture;

use super::{
    Convolution, FullyConnected, Initializer, LayerStatistics, LogMel, Normalize, ResidualUnit,
    ShrinkageOutput, excitation::mean_over_space, normalization::batch_norm, unit::UnitShape,
};

/// A Deep Residual Shrinkage Network for images, or for signals as images of height one:
///
/// ```text
/// input (─ log-mel) ─ stem convolution ─ stages of units ─ BN ─ ReLU ─ global average pooling ─ FC ─► logits
/// ```
///
/// * input: `[channels, height, width, batch]`
/// * logits: `[classes, batch]`
#[derive(Module, Debug)]
pub struct Drsn {
    /// A fixed layer before the first convolution.
    #[module(skip)]
    pub front_end: Option<LogMel>,
    /// The first convolution.
    pub stem: Convolution,
    /// The units, stage after stage.
    pub stages: Vec<Vec<ResidualUnit>>,
    /// Normalization before the pooling.
    pub norm: BatchNorm,
    /// The classifier.
    pub head: FullyConnected,
}

/// Output of the network for a batch.
#[derive(Debug, Clone)]
pub struct NetworkOutput {
    /// Values before the softmax, `[classes, batch]`.
    pub logits: Tensor<2>,
    /// The last features at each position, `[features, height, width, batch]`.
    pub last: Tensor<4>,
    /// Their means over all positions, which the classifier takes,
    /// `[features, batch]`.
    pub features: Tensor<2>,
    /// Output of each unit's shrinkage, in order; empty without shrinkage.
    pub blocks: Vec<ShrinkageOutput>,
}

impl Drsn {
    /// A network with random weights for inputs of `[channels, height, width]` and `classes`
    /// classes, with ε = `epsilon` in every normalization. If the height is 1, so are kernels and
    /// strides along it.
    pub fn new(
        architecture: &Architecture,
        input: [usize; 3],
        classes: usize,
        epsilon: f64,
        initializer: &mut Initializer<'_>,
    ) -> Self {
        let stem = architecture.stem;
        let [channels, height, _] = input;
        let along = |size| if height == 1 { [1, size] } else { [size, size] };
        let mut width = stem.channels;
        let (kernel, stride) = (along(stem.kernel), along(stem.stride));
        let stem = Convolution::new(initializer, [channels, width], kernel, stride);
        let mut stages = Vec::new();
        for stage in &architecture.stages {
            let units = (0..stage.blocks).map(|index| {
                let stride = if index == 0 { stage.stride } else { 1 };
                let shape = UnitShape {
                    kind: architecture.unit,
                    function: architecture.shrinkage,
                    channels: [width, stage.channels],
                    kernel: along(architecture.kernel),
                    stride: along(stride),
                    hidden: (stage.channels / architecture.threshold_reduction).max(1),
                };
                width = stage.channels;
                ResidualUnit::new(initializer, shape, epsilon)
            });
            stages.push(units.collect());
        }
        Self {
            front_end: None,
            stem,
            stages,
            norm: batch_norm(width, epsilon, initializer.device()),
            head: FullyConnected::he(initializer, width, classes),
        }
    }

    /// The units with their names, in order.
    pub fn units(&self) -> impl Iterator<Item = (String, &ResidualUnit)> {
        self.stages.iter().enumerate().flat_map(|(stage, units)| {
            units.iter().enumerate().map(move |(unit, layer)| (block_name(stage, unit), layer))
        })
    }

    /// The normalizations, in the order in which data passes them.
    pub fn normalizations_mut(&mut self) -> Vec<&mut BatchNorm> {
        let units = self.stages.iter_mut().flatten();
        let mut layers: Vec<_> = units
            .flat_map(|unit| {
                let inner = unit.shrinkage.as_mut().map(|shrinkage| &mut shrinkage.norm);
                [Some(&mut unit.norm1), Some(&mut unit.norm2), inner]
            })
            .flatten()
            .collect();
        layers.push(&mut self.norm);
        layers
    }

    /// Number of features that the classifier takes.
    pub fn features(&self) -> usize {
        self.norm.gamma.shape().num_elements()
    }

    /// Number of trainable parameters, which excludes the statistics of the normalizations.
    pub fn parameters(&self) -> usize {
        let mut network = self.clone();
        let layers = network.normalizations_mut();
        let statistics: usize = layers.iter().map(|n| 2 * n.gamma.shape().num_elements()).sum();
        self.num_params() - statistics
    }

    /// Applies the network to a batch, `[channels, height, width, batch]`, with the layers'
    /// statistics.
    pub fn forward(&self, input: Tensor<4>) -> NetworkOutput {
        let ControlFlow::Continue(output) = self.forward_with(input, &mut LayerStatistics);
        output
    }

    /// Applies the network to a batch with statistics chosen by the caller.
    pub fn forward_with<N: Normalize>(
        &self,
        input: Tensor<4>,
        normalize: &mut N,
    ) -> ControlFlow<N::End, NetworkOutput> {
        let input = match &self.front_end {
            Some(front_end) => front_end.forward(input),
            None => input,
        };
        let mut stream = self.stem.forward(input);
        let mut blocks = Vec::new();
        for unit in self.stages.iter().flatten() {
            let (output, shrunk) = unit.forward(stream, normalize)?;
            stream = output;
            blocks.extend(shrunk);
        }
        let last = normalize.normalize(&self.norm, stream)?;
        let features = mean_over_space(last.clone());
        let logits = self.head.forward(features.clone());
        ControlFlow::Continue(NetworkOutput { logits, last, features, blocks })
    }
}

/// Name of a unit by the indices of its stage and unit: `stage1.block1` is the first.
fn block_name(stage: usize, unit: usize) -> String {
    format!("stage{}.block{}", stage + 1, unit + 1)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use drsn_bundle::{Stage, Stem, Unit};

    use super::*;
    use crate::random::{Purpose, stream};

    fn network(
        unit: Unit,
        stem: usize,
        stages: &[(usize, usize)],
        reduction: usize,
        input: [usize; 3],
    ) -> Drsn {
        let stages = stages.iter().map(|&(channels, stride)| Stage { channels, blocks: 1, stride });
        let architecture = Architecture {
            unit,
            stem: Stem { channels: stem, kernel: 3, stride: 1 },
            stages: stages.collect(),
            shrinkage: drsn_bundle::ShrinkageFunction::Soft,
            kernel: 3,
            threshold_reduction: reduction,
            parameters: 0,
        };
        let device = Device::flex();
        let mut initializer = Initializer::new(stream(0, Purpose::Weights, 0, 0), &device);
        Drsn::new(&architecture, input, 10, 1e-3, &mut initializer)
    }

    /// The numbers of parameters of the first author's two programs:
    /// github.com/zhao62/Deep-Residual-Shrinkage-Networks.
    #[test]
    fn the_published_networks_have_their_number_of_parameters() {
        let keras = network(Unit::Cw, 8, &[(8, 2)], 1, [1, 28, 28]);
        assert_eq!(keras.parameters(), 1_546);
        let tflearn = network(Unit::Cw, 16, &[(16, 1), (32, 2), (32, 2)], 4, [3, 32, 32]);
        assert_eq!(tflearn.parameters(), 39_446);
    }

    #[test]
    fn each_unit_returns_its_thresholds_and_halves_the_size_with_its_stride() {
        let output = network(Unit::Cs, 4, &[(4, 1), (6, 2)], 1, [1, 9, 9])
            .forward(Tensor::ones([1, 9, 9, 2], &Device::flex()));
        assert_eq!(output.logits.dims(), [10, 2]);
        let sizes: Vec<_> = output.blocks.iter().map(|b| b.features.dims()).collect();
        assert_eq!(sizes, [[4, 9, 9, 2], [6, 5, 5, 2]]);
        assert_eq!(output.blocks[1].threshold.dims(), [6, 2]);
        assert_eq!(output.blocks[1].mean_abs.dims(), [6, 2]);
    }

    #[test]
    fn a_plain_network_has_no_thresholds() {
        let output = network(Unit::Resnet, 4, &[(4, 2)], 1, [1, 8, 8])
            .forward(Tensor::ones([1, 8, 8, 1], &Device::flex()));
        assert!(output.blocks.is_empty());
    }

    #[test]
    fn normalizations_come_in_the_order_of_the_data() {
        let mut network = network(Unit::Cw, 2, &[(3, 1), (5, 1)], 5, [1, 8, 8]);
        let layers = network.normalizations_mut();
        let widths: Vec<_> = layers.iter().map(|layer| layer.gamma.shape()[0]).collect();
        assert_eq!(widths, [2, 3, 1, 3, 5, 1, 5]);
    }
}
