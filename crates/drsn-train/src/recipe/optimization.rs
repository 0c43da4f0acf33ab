//! Optimizer, learning rate schedule, L2 penalty, classes of different size and early stopping.

use serde::{Deserialize, Serialize};

/// The optimizer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptimizerConfig {
    /// The method.
    pub kind: OptimizerKind,
    /// Highest learning rate.
    pub learning_rate: f64,
    /// SGD: momentum.
    #[serde(default = "nine_tenths")]
    pub momentum: f64,
    /// Adam and `AdamW`: ε.
    #[serde(default = "adam_epsilon")]
    pub epsilon: f64,
    /// `AdamW`: decoupled decay of kernels and matrices, but not of biases and normalizations.
    #[serde(default)]
    pub weight_decay: f64,
    /// L2 penalty on kernels and matrices as part of the loss; none if missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub l2: Option<L2>,
}

/// Optimization methods.
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

/// L2 penalty on kernels and matrices, but not on biases and normalizations.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct L2 {
    /// λ.
    pub lambda: f64,
    /// The definition of the penalty.
    pub form: L2Form,
    /// Whether to exempt the classifier's matrix.
    #[serde(default)]
    pub except_head: bool,
}

/// Definitions of an L2 penalty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum L2Form {
    /// λ · Σw², as in Keras: its gradient is 2λw.
    Sum,
    /// λ · Σw² / 2, as in `TFLearn` and the usual weight decay: its gradient is λw.
    Half,
}

/// How the learning rate changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Schedule {
    /// Constant rate.
    Constant,
    /// Multiplies the rate at given epochs.
    Step {
        /// Epochs, counted from 0, at whose start the rate is multiplied.
        epochs: Vec<usize>,
        /// Factor of each multiplication.
        factor: f64,
    },
    /// Multiplies the rate at regular intervals.
    Staircase {
        /// Interval in batches.
        steps: usize,
        /// Factor of each multiplication.
        factor: f64,
    },
    /// A half cosine from the highest rate to zero, after a linear warm-up.
    Cosine {
        /// Share of the training spent on the warm-up.
        warm_up: f64,
    },
    /// From a low rate up to the highest and down to nearly zero, both as half cosines.
    /// Source: L. N. Smith and N. Topin, "Super-Convergence", 2018.
    OneCycle {
        /// Share of the training in which the rate rises.
        warm_up: f64,
        /// Highest rate divided by the first.
        start_divisor: f64,
        /// First rate divided by the last.
        end_divisor: f64,
    },
}

/// How the loss weighs classes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClassWeights {
    /// Every input has the same weight.
    #[default]
    Equal,
    /// Every class has the same total weight: each of its inputs counts
    /// inputs / (classes · inputs of the class).
    Balanced,
}

/// The weights of another training.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// SHA-256 of the weights, in lower-case hexadecimal digits; empty until they are read.
    #[serde(default)]
    pub weights: String,
    /// Stages whose parameters stay as they are, with the first convolution; 0 freezes nothing.
    #[serde(default)]
    pub freeze: usize,
}

/// How often an epoch takes the inputs of each class. The number of inputs in an epoch is the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sampling {
    /// Every input once.
    #[default]
    Equal,
    /// Every class equally often: some inputs of large classes are left to other epochs, and those
    /// of small ones are taken several times, with different noise and augmentation.
    Balanced,
}

/// Ends a training when its held-out results have stopped getting better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlyStopping {
    /// Epochs without a new best result.
    pub patience: usize,
    /// The result that counts.
    #[serde(default, skip_serializing_if = "is_default")]
    pub metric: Metric,
}

/// A result on held-out inputs by which the best epoch is chosen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// The share of correctly classified inputs.
    #[default]
    Accuracy,
    /// The mean over classes of the share of their inputs that are correctly classified.
    MacroRecall,
    /// The mean cross-entropy; less is better.
    Loss,
}

impl Metric {
    /// A result or a mean of results, with its unit.
    pub(crate) fn shown(self, result: f64) -> String {
        match self {
            Self::Accuracy | Self::MacroRecall => format!("{:.2} %", 100.0 * result),
            Self::Loss => format!("{result:.4}"),
        }
    }

    /// Its name in messages.
    pub(crate) fn in_words(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::MacroRecall => "macro recall",
            Self::Loss => "loss",
        }
    }
}

/// Whether a value is not mentioned in a recipe that is written.
pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn nine_tenths() -> f64 {
    0.9
}

fn adam_epsilon() -> f64 {
    1e-8
}
