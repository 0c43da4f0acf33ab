//! The errors of training.

use std::path::PathBuf;

use super::checkpoint::CheckpointError;
use crate::{dataset::DatasetError, tensor::TensorError};

/// An input that cannot be read or prepared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InputError {
    /// The input cannot be read.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// The input cannot be prepared for the network.
    #[error("cannot prepare {input}: {reason}")]
    Preparation {
        /// Name of the input.
        input: String,
        /// What was expected and what was found.
        reason: String,
    },
}

/// A training that failed or was stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainingError {
    /// An input cannot be read or prepared.
    #[error(transparent)]
    Input(#[from] InputError),
    /// A tensor of the network cannot be read.
    #[error(transparent)]
    Tensor(#[from] TensorError),
    /// A checkpoint cannot be written, read or used.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The worker threads cannot be started.
    #[error("cannot start {threads} threads: {reason}")]
    Threads {
        /// Number of threads.
        threads: usize,
        /// The system's error.
        reason: String,
    },
    /// The loss became infinite or NaN.
    #[error(
        "the training diverged: the loss is {loss} after epoch {epoch}, batch {batch}; try a lower \
         learning rate"
    )]
    Diverged {
        /// The loss.
        loss: f32,
        /// Complete epochs.
        epoch: usize,
        /// Complete batches of the next epoch.
        batch: usize,
    },
    /// The training was asked to stop, and can be resumed.
    #[error(
        "stopped after {epoch} epochs and {batch} batches; to resume, repeat the command with \
         --resume (checkpoint: {})",
        checkpoint.display()
    )]
    Interrupted {
        /// Complete epochs.
        epoch: usize,
        /// Complete batches of the next epoch.
        batch: usize,
        /// The checkpoint.
        checkpoint: PathBuf,
    },
}
