//! The error of evaluations.

use drsn_bundle::{baseline::BaselineError, runtime::RuntimeError};

use crate::{dataset::DatasetError, training::InputError};

/// An evaluation that failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvaluationError {
    /// An input cannot be read or prepared.
    #[error(transparent)]
    Input(#[from] InputError),
    /// ONNX Runtime is missing or failed.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// A baseline cannot be measured or applied.
    #[error(transparent)]
    Baseline(#[from] BaselineError),
    /// Labels and probabilities do not match.
    #[error("cannot score the predictions: {reason}")]
    Predictions {
        /// What does not match.
        reason: String,
    },
}

impl From<DatasetError> for EvaluationError {
    fn from(error: DatasetError) -> Self {
        Self::Input(error.into())
    }
}
