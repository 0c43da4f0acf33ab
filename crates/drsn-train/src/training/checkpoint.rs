//! Checkpoints: everything that a training needs to continue as if it had never stopped.
//!
//! Random numbers come from streams (see [`crate::random`]), so a position replaces the state of a
//! generator.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use drsn_bundle::staging::write_file;
use serde::{Deserialize, Serialize};

use super::history::{EpochRecord, EpochSums, best_epoch};
use crate::recipe::Recipe;

const MAGIC: &[u8; 8] = b"drsn-ck4";

/// A checkpoint that cannot be written, read or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The file does not exist.
    #[error(
        "there is no checkpoint at {}: correct the path, or train without --resume",
        path.display()
    )]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A file cannot be written or read.
    #[error("cannot {action} the checkpoint {}: {source}", path.display())]
    File {
        /// The operation.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The file is not a checkpoint of this version.
    #[error("{} is not a checkpoint of this version of drsn-train: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The checkpoint belongs to another recipe.
    #[error(
        "the checkpoint {} was made with other settings: repeat its flags, or omit --resume",
        path.display()
    )]
    OtherConfiguration {
        /// The file.
        path: PathBuf,
    },
    /// No training can start from the checkpoint.
    #[error("cannot start from {}: {reason}", path.display())]
    NoStart {
        /// The file.
        path: PathBuf,
        /// Why not, and what to do.
        reason: String,
    },
    /// The checkpoint belongs to other data.
    #[error(
        "the checkpoint {} was made with other data: pass the same --data and --index, or start \
         again with --restart",
        path.display()
    )]
    OtherData {
        /// The file.
        path: PathBuf,
    },
    /// The checkpoint of the best epoch was made after another epoch.
    #[error(
        "the checkpoint {} was made after epoch {found}, but the best epoch is {best}: start again \
         with --restart",
        path.display()
    )]
    NotBest {
        /// The file.
        path: PathBuf,
        /// Epochs complete in the checkpoint.
        found: usize,
        /// The best epoch, counted from 1.
        best: usize,
    },
}

/// A position in a training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Position {
    /// Complete epochs.
    pub epoch: usize,
    /// Complete batches of the next epoch.
    pub batch: usize,
}

/// The state of a training between two batches.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// The recipe.
    pub recipe: Recipe,
    /// Digest of the data, see [`crate::dataset::Data::digest`].
    pub data_digest: String,
    /// The position.
    pub position: Position,
    /// Sums over the batches of the current epoch.
    pub sums: EpochSums,
    /// Results of the complete epochs.
    pub history: Vec<EpochRecord>,
    /// Whether the bundle of the complete training was written.
    pub exported: bool,
    /// Labels of the classes; empty in older checkpoints.
    pub classes: Vec<String>,
    /// Where the training started, if not from random weights.
    pub origin: Option<String>,
    /// The network's weights in Burn's format.
    pub weights: Vec<u8>,
    /// The state of the optimizer.
    pub optimizer: Vec<u8>,
}

/// Whether a training has had its last epoch, or is stopped early.
pub(super) fn is_complete(recipe: &Recipe, position: Position, history: &[EpochRecord]) -> bool {
    let stalled = |patience: usize| {
        best_epoch(history, recipe.metric()).is_some_and(|best| history.len() > best + patience)
    };
    position.epoch >= recipe.epochs
        || recipe.early_stopping.is_some_and(|early| stalled(early.patience))
}

#[derive(Serialize, Deserialize)]
struct Header {
    recipe: Recipe,
    data_digest: String,
    position: Position,
    sums: EpochSums,
    history: Vec<EpochRecord>,
    #[serde(default)]
    exported: bool,
    #[serde(default)]
    classes: Vec<String>,
    #[serde(default)]
    origin: Option<String>,
    weights: usize,
    optimizer: usize,
}

impl Checkpoint {
    /// Path of the checkpoint of the best epoch, next to that of the last one.
    pub fn best(path: &Path) -> PathBuf {
        path.with_extension("best.checkpoint")
    }

    /// Whether nothing is left to train.
    pub(crate) fn is_complete(&self) -> bool {
        is_complete(&self.recipe, self.position, &self.history)
    }

    /// Folder of a checkpoint.
    pub(crate) fn folder(path: &Path) -> &Path {
        path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }

    /// Writes the checkpoint, and creates its folder if necessary. An older one is replaced in one
    /// step: see [`drsn_bundle::staging`].
    ///
    /// # Errors
    /// [`CheckpointError::File`] if that fails. Then an older one is unchanged.
    pub fn save(&self, path: &Path) -> Result<(), CheckpointError> {
        fs::create_dir_all(Self::folder(path))
            .and_then(|()| write_file(path, &self.to_bytes()?))
            .map_err(|source| CheckpointError::File {
                action: "write",
                path: path.to_owned(),
                source,
            })
    }

    /// Reads a checkpoint.
    ///
    /// # Errors
    /// [`CheckpointError`] with the file and the reason.
    pub fn load(path: &Path) -> Result<Self, CheckpointError> {
        let bytes = fs::read(path).map_err(|source| {
            let path = path.to_owned();
            if source.kind() == io::ErrorKind::NotFound {
                CheckpointError::Missing { path }
            } else {
                CheckpointError::File { action: "read", path, source }
            }
        })?;
        Self::from_bytes(&bytes)
            .map_err(|reason| CheckpointError::Malformed { path: path.to_owned(), reason })
    }

    /// `magic | length of the header, 64 bits little-endian | header, JSON | weights | optimizer`
    fn to_bytes(&self) -> io::Result<Vec<u8>> {
        let header = serde_json::to_vec(&Header {
            recipe: self.recipe.clone(),
            data_digest: self.data_digest.clone(),
            position: self.position,
            sums: self.sums,
            history: self.history.clone(),
            exported: self.exported,
            classes: self.classes.clone(),
            origin: self.origin.clone(),
            weights: self.weights.len(),
            optimizer: self.optimizer.len(),
        })?;
        let length = (header.len() as u64).to_le_bytes();
        Ok([MAGIC.as_slice(), &length, &header, &self.weights, &self.optimizer].concat())
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let rest = bytes.strip_prefix(MAGIC).ok_or("wrong magic number")?;
        let (length, rest) = rest.split_first_chunk::<8>().ok_or("it is truncated")?;
        let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let (header, rest) = rest.split_at_checked(length).ok_or("it is truncated")?;
        let header: Header = serde_json::from_slice(header).map_err(|e| e.to_string())?;
        let (weights, optimizer) = rest
            .split_at_checked(header.weights)
            .filter(|(_, optimizer)| optimizer.len() == header.optimizer)
            .ok_or("its length does not match its header")?;
        Ok(Self {
            recipe: header.recipe,
            data_digest: header.data_digest,
            position: header.position,
            sums: header.sums,
            history: header.history,
            exported: header.exported,
            classes: header.classes,
            origin: header.origin,
            weights: weights.to_vec(),
            optimizer: optimizer.to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use drsn_bundle::Epoch;

    use super::*;

    fn checkpoint() -> Checkpoint {
        Checkpoint {
            recipe: crate::recipe::preset("mnist").unwrap(),
            data_digest: "1f".repeat(32),
            history: vec![],
            exported: false,
            classes: vec!["a".to_owned()],
            origin: None,
            position: Position { epoch: 3, batch: 7 },
            sums: EpochSums { batches: 7, loss: 0.1 + 0.2, right: 5 },
            weights: vec![1, 2, 3],
            optimizer: vec![4, 5],
        }
    }

    #[test]
    fn what_was_saved_is_loaded_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deeper/a.checkpoint");
        checkpoint().save(&path).unwrap();
        checkpoint().save(&path).unwrap();
        assert_eq!(Checkpoint::load(&path).unwrap(), checkpoint());
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    /// A fast JSON parser once changed the last digit of a number, and resuming was refused because
    /// of the learning rate.
    #[test]
    fn numbers_are_loaded_as_they_were_to_the_last_digit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.checkpoint");
        let mut saved = checkpoint();
        saved.recipe.optimizer.learning_rate = 0.095_074_362_599_853_01;
        let epoch = Epoch {
            loss: 0.1 + 0.2,
            accuracy: 0.9,
            held_out_loss: 0.3,
            held_out_accuracy: 0.977_777_777_777_777_7,
            learning_rate: 0.095_074_362_599_853_01,
        };
        saved.history = vec![EpochRecord {
            epoch,
            held_out_macro_recall: 0.1 + 0.2,
            seconds: 1.5,
            inputs: 100,
        }];
        saved.save(&path).unwrap();
        assert_eq!(Checkpoint::load(&path).unwrap(), saved);
    }

    #[test]
    fn a_checkpoint_that_was_cut_short_is_refused() {
        let bytes = checkpoint().to_bytes().unwrap();
        for length in 0..bytes.len() {
            assert!(Checkpoint::from_bytes(&bytes[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn a_missing_checkpoint_says_what_to_do() {
        let error = Checkpoint::load(Path::new("/nowhere/x")).unwrap_err();
        assert!(error.to_string().contains("train without --resume"));
    }
}
