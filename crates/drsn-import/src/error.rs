//! Why a model was not imported.

use drsn_bundle::{BundleError, runtime::RuntimeError};

/// A model that was not imported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The model cannot become a bundle, or a question about it is open: a sentence that says why
    /// and what to do.
    #[error("{0}")]
    Refused(String),
    /// ONNX Runtime does not take the model, or fails while it runs it.
    #[error("the model does not run: {0}")]
    Runtime(#[from] RuntimeError),
    /// The bundle cannot be made.
    #[error(transparent)]
    Bundle(#[from] BundleError),
}

/// A refusal with its sentence.
pub(crate) fn refuse<T>(sentence: impl Into<String>) -> Result<T, ImportError> {
    Err(ImportError::Refused(sentence.into()))
}
