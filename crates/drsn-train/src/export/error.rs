//! The error of exports.

use drsn_bundle::{BundleError, runtime::RuntimeError};

use crate::{evaluation::EvaluationError, tensor::TensorError, training::InputError};

/// An export that failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// An input cannot be read or prepared.
    #[error(transparent)]
    Input(#[from] InputError),
    /// A tensor of the network cannot be read.
    #[error(transparent)]
    Tensor(#[from] TensorError),
    /// The bundle cannot be written.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// ONNX Runtime is missing or failed.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The exported model cannot be evaluated.
    #[error(transparent)]
    Evaluation(#[from] EvaluationError),
    /// The exported model and the trained network have different outputs.
    #[error(
        "the exported model differs from the trained network in the output \"{output}\": {reason}"
    )]
    Parity {
        /// The output.
        output: String,
        /// The first difference.
        reason: String,
    },
}
