//! The recipe of a training: one structure, which the manifest of the trained model records whole.
//!
//! A recipe is a TOML file; the presets are recipes that come with the program. Where its data lies is no part
//! of it, nor how many threads compute: neither changes what is trained.

mod data;
mod network;
mod noise;
mod optimization;

use serde::{Deserialize, Serialize};

pub use data::{
    Augmentation, DataConfig, IdxConfig, ImageConfig, NormalizationConfig, SignalConfig, Split,
};
pub use network::NetworkConfig;
pub use noise::{Noise, NoiseKind, NoiseStrength, TrainingNoise};
pub use optimization::{
    ClassWeights, EarlyStopping, L2, L2Form, OptimizerConfig, OptimizerKind, Schedule,
};

/// Everything that a training depends on besides the data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Seed of everything random.
    pub seed: u64,
    /// Passes over the training data.
    pub epochs: usize,
    /// Inputs in a batch. What is left over at the end of an epoch sits that epoch out.
    pub batch: usize,
    /// Equal parts of a batch whose gradients are computed side by side and averaged. Each is normalised with its
    /// own statistics, so the number is a part of the recipe; how many threads work on them changes nothing.
    pub shards: usize,
    /// How much an input counts by its class.
    #[serde(default)]
    pub class_weights: ClassWeights,
    /// Ends the training when the held-out inputs no longer profit; never where it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<EarlyStopping>,
    /// What the data is, how it is cut into inputs and split.
    pub data: DataConfig,
    /// What an input meets in training besides noise.
    #[serde(default)]
    pub augmentation: Augmentation,
    /// Noise in training; none where it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise: Option<TrainingNoise>,
    /// The network.
    pub network: NetworkConfig,
    /// How weights are changed.
    pub optimizer: OptimizerConfig,
    /// How the learning rate changes.
    pub schedule: Schedule,
    /// Noise under which the finished model is evaluated, besides clean inputs, like `gaussian@-5dB`.
    #[serde(default)]
    pub evaluate: Vec<Noise>,
}
