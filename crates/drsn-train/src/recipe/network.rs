//! The network of a recipe.

use drsn_bundle::{Architecture, ShrinkageFunction, Stage, Stem, Unit};
use serde::{Deserialize, Serialize};

/// The network: its units, and how they are normalised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkConfig {
    /// Kind of the building units: `cw`, `cs`, `se` or `resnet`.
    pub unit: Unit,
    /// What the thresholds do: `soft` or `garrote`.
    #[serde(default)]
    pub shrinkage: ShrinkageFunction,
    /// The first convolution.
    pub stem: Stem,
    /// The stages of units; none has fewer channels than the one before.
    pub stages: Vec<Stage>,
    /// Width of the units' kernels.
    #[serde(default = "three")]
    pub kernel: usize,
    /// Width of the threshold networks' hidden layer, as a divisor of the unit's channels.
    #[serde(default = "one")]
    pub threshold_reduction: usize,
    /// ε of every batch normalization.
    pub norm_epsilon: f64,
    /// Share of the running statistics that each batch leaves in place, as Keras counts it. They serve for a
    /// comparison only: what is exported has exact statistics.
    pub norm_momentum: f64,
}

impl NetworkConfig {
    /// The network's shape, without a count of its parameters: that is known once it is built.
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
