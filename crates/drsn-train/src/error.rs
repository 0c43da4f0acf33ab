//! What can stop a training, an export or an evaluation, each in a sentence for the person who must mend it.

use std::{io, path::PathBuf};

use drsn_bundle::{BundleError, baseline::BaselineError, runtime::RuntimeError};

use crate::{
    dataset::DatasetError, fetch::FetchError, report::ReportError, training::CheckpointError,
};

/// Why `drsn-train` could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The recipe cannot be.
    #[error("the configuration cannot be used: {reason}")]
    Config {
        /// The field, and what it should be.
        reason: String,
    },
    /// The data cannot be read.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// The data cannot be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// An input cannot be prepared for the network.
    #[error("{input} cannot be prepared: {reason}")]
    Input {
        /// The input.
        input: String,
        /// What was expected and what came.
        reason: String,
    },
    /// A checkpoint cannot be written or read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The bundle cannot be written or read.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The version is not a number.
    #[error(
        "the version must be a positive whole number below 2^64 without leading zeros, and is \"{version}\""
    )]
    Version {
        /// The version that was asked for.
        version: String,
    },
    /// A folder for results cannot be written to.
    #[error("cannot write to {}: {source}; choose another place with {flag}", folder.display())]
    Unwritable {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
        /// The flag that names another.
        flag: &'static str,
    },
    /// A new training would overwrite the checkpoint of one that was interrupted.
    #[error(
        "{} holds a training that was interrupted after {epoch} of {epochs} epochs: add --resume to go on, or \
         --restart to discard it",
        checkpoint.display()
    )]
    Unfinished {
        /// The checkpoint.
        checkpoint: PathBuf,
        /// Epochs that are complete.
        epoch: usize,
        /// Epochs that were asked for.
        epochs: usize,
    },
    /// The training is complete, and its export failed.
    #[error(
        "{source}; the trained network is kept: write it with `drsn-train export --checkpoint {} --data DIR`",
        checkpoint.display()
    )]
    NotExported {
        /// Why.
        source: Box<TrainError>,
        /// Where the network is.
        checkpoint: PathBuf,
    },
    /// The bundle's folder is there already.
    #[error("{} exists already: choose another --version, or add --replace", folder.display())]
    Exists {
        /// The folder.
        folder: PathBuf,
    },
    /// A model cannot have a baseline.
    #[error("no baseline is taken: {reason}")]
    NoBaseline {
        /// Why, and what to do.
        reason: String,
    },
    /// No baseline can be taken of the data.
    #[error(transparent)]
    Baseline(#[from] BaselineError),
    /// ONNX Runtime is not there, or failed.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The threads for the computation could not be started.
    #[error("cannot start {threads} threads: {reason}")]
    Threads {
        /// How many were asked for.
        threads: usize,
        /// What the system said.
        reason: String,
    },
    /// The loss became infinite or no number.
    #[error(
        "the loss is {loss} after epoch {epoch}, batch {batch}: the training has diverged; try a lower learning rate"
    )]
    Diverged {
        /// The loss.
        loss: f32,
        /// Epochs that were complete.
        epoch: usize,
        /// Batches of the epoch that were done.
        batch: usize,
    },
    /// The training was asked to stop, and can go on.
    #[error(
        "stopped after {epoch} epochs and {batch} batches; go on with the same command and --resume (checkpoint: {})",
        checkpoint.display()
    )]
    Interrupted {
        /// Epochs that were complete.
        epoch: usize,
        /// Batches of the next epoch that were done.
        batch: usize,
        /// Where the state is.
        checkpoint: PathBuf,
    },
    /// An export was asked to stop.
    #[error(
        "the export was stopped and no bundle was written; the same command exports {} from its beginning",
        checkpoint.display()
    )]
    ExportStopped {
        /// The checkpoint, which is as it was.
        checkpoint: PathBuf,
    },
    /// The network does worse with fixed statistics than with those of a batch.
    #[error(
        "the network is not exported: its accuracy on held-out inputs is {fixed:.4} with fixed statistics and \
         {batch:.4} with those of each batch, more than {allowed:.4} apart; train with larger batches or for longer"
    )]
    Calibration {
        /// Held-out accuracy with the exact statistics of the training data.
        fixed: f64,
        /// Held-out accuracy with each batch's own statistics.
        batch: f64,
        /// How far the first may lie below the second.
        allowed: f64,
    },
    /// The exported model does not give what the trained network gives.
    #[error("the exported model disagrees with the trained network in \"{output}\": {reason}")]
    Parity {
        /// The output.
        output: String,
        /// The first difference.
        reason: String,
    },
    /// A report cannot be made or written.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// A tensor of the network could not be read.
    #[error("a tensor cannot be read: {reason}")]
    Tensor {
        /// What Burn said.
        reason: String,
    },
}
