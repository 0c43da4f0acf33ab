//! How the weights are changed: optimizer, learning rate, penalty, and when to stop.

use serde::{Deserialize, Serialize};

/// How weights are changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptimizerConfig {
    /// The method.
    pub kind: OptimizerKind,
    /// Highest learning rate.
    pub learning_rate: f64,
    /// SGD: share of the last step that is repeated.
    #[serde(default = "nine_tenths")]
    pub momentum: f64,
    /// Adam and `AdamW`: ε.
    #[serde(default = "adam_epsilon")]
    pub epsilon: f64,
    /// `AdamW`: decoupled decay of kernels and matrices; biases and normalizations have none.
    #[serde(default)]
    pub weight_decay: f64,
    /// Penalty on kernels and matrices, as a part of the loss; none where it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub l2: Option<L2>,
}

/// Methods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerKind {
    /// Gradient descent with momentum, without dampening.
    Sgd,
    /// D. P. Kingma and J. Ba, "Adam", ICLR 2015.
    Adam,
    /// I. Loshchilov and F. Hutter, "Decoupled Weight Decay Regularization", ICLR 2019.
    AdamW,
}

/// L2 penalty on kernels and matrices: never on biases and normalizations.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct L2 {
    /// λ.
    pub lambda: f64,
    /// What λ multiplies.
    pub form: L2Form,
    /// Whether the classifier's matrix is exempt.
    #[serde(default)]
    pub except_head: bool,
}

/// What the factor of an L2 penalty multiplies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum L2Form {
    /// λ · Σw², as Keras: a gradient of 2λw.
    Sum,
    /// λ · Σw² / 2, as `TFLearn` and the usual weight decay: a gradient of λw.
    Half,
}

/// How the learning rate changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Schedule {
    /// It stays.
    Constant,
    /// It is multiplied at given epochs.
    Step {
        /// Epochs, counted from 0, before which it is multiplied.
        epochs: Vec<usize>,
        /// By this.
        factor: f64,
    },
    /// It is multiplied again and again.
    Staircase {
        /// After so many batches.
        steps: usize,
        /// By this.
        factor: f64,
    },
    /// A half cosine from the highest rate to zero.
    Cosine {
        /// Share of the training in which it rises linearly before.
        warm_up: f64,
    },
    /// From a low rate up to the highest and down to almost nothing, both as half cosines.
    /// Source: L. N. Smith and N. Topin, "Super-Convergence", 2018.
    OneCycle {
        /// Share of the training in which it rises.
        warm_up: f64,
        /// The first rate is the highest divided by this.
        start_divisor: f64,
        /// The last rate is the first divided by this.
        end_divisor: f64,
    },
}

/// How much an input counts by its class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClassWeights {
    /// Every input counts the same.
    #[default]
    Equal,
    /// Every class counts the same: inputs / (classes · inputs of the class).
    Balanced,
}

/// Ends a training when the held-out accuracy has not risen for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlyStopping {
    /// Epochs without a better one.
    pub patience: usize,
}

fn nine_tenths() -> f64 {
    0.9
}

fn adam_epsilon() -> f64 {
    1e-8
}
