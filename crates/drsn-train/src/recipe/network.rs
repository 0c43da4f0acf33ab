//! The network of a recipe.

use drsn_bundle::{Architecture, ShrinkageFunction, Stage, Stem, Unit};
use serde::{Deserialize, Serialize};

use super::front_end::FrontEndConfig;

/// The network: its units and their normalization.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkConfig {
    /// A fixed layer before the first convolution, for signals; none if missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub front_end: Option<FrontEndConfig>,
    /// Kind of residual unit: `cw`, `cs`, `se` or `resnet`.
    pub unit: Unit,
    /// Shrinkage function: `soft` or `garrote`.
    #[serde(default)]
    pub shrinkage: ShrinkageFunction,
    /// The first convolution.
    pub stem: Stem,
    /// The stages of units; none may have fewer channels than the one before.
    pub stages: Vec<Stage>,
    /// Kernel size of the units' convolutions.
    #[serde(default = "three")]
    pub kernel: usize,
    /// The unit's channels divided by the width of the threshold network's hidden layer.
    #[serde(default = "one")]
    pub threshold_reduction: usize,
    /// ε of every batch normalization.
    pub norm_epsilon: f64,
    /// Momentum of the running statistics, as defined by Keras: the share that a batch leaves
    /// unchanged. They serve for comparison only: the exported model has exact statistics.
    pub norm_momentum: f64,
}

impl NetworkConfig {
    /// The architecture, with `parameters` 0: their number is known once the network is built.
    pub fn architecture(&self) -> Architecture {
        Architecture {
            unit: self.unit,
            shrinkage: self.shrinkage,
            stem: self.stem,
            stages: self.stages.clone(),
            kernel: self.kernel,
            threshold_reduction: self.threshold_reduction,
            parameters: 0,
        }
    }
}

fn three() -> usize {
    3
}

fn one() -> usize {
    1
}
