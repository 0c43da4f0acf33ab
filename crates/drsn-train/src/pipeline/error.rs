//! The error of whole operations.

use std::{io, path::PathBuf};

use drsn_bundle::{BundleError, runtime::RuntimeError};

use crate::{
    batch_norm_reestimation::ReestimationError,
    dataset::DatasetError,
    evaluation::{BaselineUnavailable, EvaluationError},
    export::ExportError,
    fetch::FetchError,
    recipe::RecipeError,
    report::ReportError,
    tensor::TensorError,
    training::{CheckpointError, InputError, TrainingError},
};

/// Why `drsn-train` could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The recipe is invalid.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// The data cannot be read or used.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// The data cannot be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// A checkpoint cannot be written, read or used.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The training failed or was interrupted.
    #[error(transparent)]
    Training(#[from] TrainingError),
    /// The network does not work with exact statistics, or they cannot be measured.
    #[error(transparent)]
    Reestimation(#[from] ReestimationError),
    /// The network cannot be exported.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// A model cannot be evaluated.
    #[error(transparent)]
    Evaluation(#[from] EvaluationError),
    /// A report cannot be made or written.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// A bundle cannot be written or read.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// ONNX Runtime is missing or failed.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The model cannot have a baseline.
    #[error(transparent)]
    NoBaseline(#[from] BaselineUnavailable),
    /// A model does not suit the data or another model.
    #[error("{reason}")]
    Incompatible {
        /// The model, what is wrong, and what to do.
        reason: String,
    },
    /// The version is not a number.
    #[error(
        "the version must be a positive integer below 2^64 without leading zeros, got \"{version}\""
    )]
    Version {
        /// The version.
        version: String,
    },
    /// A folder for results cannot be written to.
    #[error("cannot write to {}: {source}; choose another path with {flag}", folder.display())]
    Unwritable {
        /// The folder.
        folder: PathBuf,
        /// The system's error.
        source: io::Error,
        /// The flag that sets the path.
        flag: &'static str,
    },
    /// A new training would overwrite the checkpoint of an interrupted one.
    #[error(
        "{} contains a training interrupted after {epoch} of {epochs} epochs: add --resume to \
         continue it, or --restart to discard it",
        checkpoint.display()
    )]
    Unfinished {
        /// The checkpoint.
        checkpoint: PathBuf,
        /// Complete epochs.
        epoch: usize,
        /// Total number of epochs.
        epochs: usize,
    },
    /// A new training would overwrite the checkpoint of a complete one that has no bundle yet.
    #[error(
        "{} contains a training that is complete, but its bundle was not written: add --resume to \
         write it, or --restart to discard the training",
        checkpoint.display()
    )]
    NotWritten {
        /// The checkpoint.
        checkpoint: PathBuf,
    },
    /// The training is complete, but its export failed.
    #[error(
        "{source}; the trained network is saved: export it with \
         `drsn-train export --checkpoint {} --data DIR`",
        checkpoint.display()
    )]
    NotExported {
        /// Why.
        source: Box<TrainError>,
        /// The checkpoint.
        checkpoint: PathBuf,
    },
    /// The bundle's folder already exists.
    #[error("{} already exists: choose another --version, or add --replace", folder.display())]
    Exists {
        /// The folder.
        folder: PathBuf,
    },
    /// An export was stopped.
    #[error(
        "the export was stopped and no bundle was written; repeat the command to export {}",
        checkpoint.display()
    )]
    ExportStopped {
        /// The checkpoint, which is unchanged.
        checkpoint: PathBuf,
    },
}

impl TrainError {
    /// Whether the operation was stopped by the user.
    pub fn is_interruption(&self) -> bool {
        matches!(
            self,
            Self::Training(TrainingError::Interrupted { .. }) | Self::ExportStopped { .. }
        )
    }
}

impl From<InputError> for TrainError {
    fn from(error: InputError) -> Self {
        Self::Training(error.into())
    }
}

impl From<TensorError> for TrainError {
    fn from(error: TensorError) -> Self {
        Self::Training(error.into())
    }
}
