//! The errors of statistics.

use crate::{
    tensor::TensorError,
    training::{InputError, TrainingError},
};

/// Statistics that cannot be measured, or that the network does not work with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReestimationError {
    /// The statistics or the accuracy cannot be measured.
    #[error(transparent)]
    Training(#[from] TrainingError),
    /// The network does not even work on its training inputs with fixed statistics.
    #[error(
        "the network is not exported: on inputs that it was trained on its accuracy is \
         {:.2} % with the fixed statistics of a served model but {:.2} % with those of each batch, \
         and at most {:.2} percentage points less are allowed; look for a few inputs with extreme \
         values in the training data, or train for longer or with larger batches; --export-anyway \
         exports it all the same",
        100.0 * exact, 100.0 * batch, 100.0 * allowed
    )]
    Broken {
        /// Accuracy on training inputs with the fixed statistics.
        exact: f64,
        /// Accuracy on the same inputs with each batch's own statistics.
        batch: f64,
        /// Allowed difference.
        allowed: f64,
    },
}

impl From<TensorError> for ReestimationError {
    fn from(error: TensorError) -> Self {
        Self::Training(error.into())
    }
}

impl From<InputError> for ReestimationError {
    fn from(error: InputError) -> Self {
        Self::Training(error.into())
    }
}
