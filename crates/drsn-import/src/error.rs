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
    Runtime(RuntimeError),
    /// The bundle cannot be made.
    #[error(transparent)]
    Bundle(#[from] BundleError),
}

/// A refusal with its sentence.
pub(crate) fn refuse<T>(sentence: impl Into<String>) -> Result<T, ImportError> {
    Err(ImportError::Refused(sentence.into()))
}

impl From<RuntimeError> for ImportError {
    fn from(error: RuntimeError) -> Self {
        let reason = error.to_string();
        // ONNX Runtime names the newest operators that it takes at the end of a long message.
        match reason.rsplit_once("is till opset ") {
            Some((_, newest)) => Self::Refused(format!(
                "the model is written for newer operators than this ONNX Runtime takes, which are those \
                 of operator set {}: export it with opset 17",
                newest.trim_end_matches('.')
            )),
            None if reason.contains("Could not find an implementation for ") => {
                Self::Refused(format!(
                    "ONNX Runtime does not compute an operator of the model with its type of numbers: export \
                 it with 32-bit floats, in PyTorch after model.float() ({error})"
                ))
            }
            None => Self::Runtime(error),
        }
    }
}
