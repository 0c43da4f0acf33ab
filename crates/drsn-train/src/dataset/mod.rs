//! Data sets: labelled inputs as they are before preparation, and how they are split.

pub(crate) mod cifar10;
mod idx;
mod mnist;
mod open;
mod packed;
mod public;
mod source;

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use rand::seq::SliceRandom as _;

use crate::{
    TrainConfig, TrainError,
    random::{Purpose, stream},
};

pub use idx::{IdxArray, parse as parse_idx, read as read_idx};
pub use mnist::{DESCRIPTION, FILES, Mnist, TEST_NAME};
pub use source::{Data, Part, Source};

/// A data set that cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatasetError {
    /// A file is not there, compressed or not.
    #[error(
        "{} has neither {name} nor {name}.gz: fetch the data with `drsn-train fetch mnist --to {}`",
        folder.display(), folder.display()
    )]
    Missing {
        /// Where it was looked for.
        folder: PathBuf,
        /// The file.
        name: String,
    },
    /// A file is not there.
    #[error("{} is not there: {cure}", path.display())]
    NoFile {
        /// The file.
        path: PathBuf,
        /// What to do.
        cure: String,
    },
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file holds something else than it should.
    #[error("{} is not valid: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What was expected and what came.
        reason: String,
    },
    /// What the files hold is not enough, or does not fit together.
    #[error("the data in {} cannot be used: {reason}", path.display())]
    Unusable {
        /// The folder, or the index.
        path: PathBuf,
        /// What is wrong, and what to do.
        reason: String,
    },
}

/// The lines of a short text file, without empty ones; none where it is not there.
fn lines(path: &Path, longest: u64) -> Result<Option<Vec<String>>, DatasetError> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(longest).read_to_string(&mut text));
    match read {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(DatasetError::Unreadable { path: path.to_owned(), source }),
        Ok(_) => {
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            Ok(Some(lines.map(str::to_owned).collect()))
        }
    }
}

/// Labelled inputs of one size, before any preparation: pixels in [0, 1].
#[derive(Debug, Clone)]
pub struct Dataset {
    values: Vec<f32>,
    labels: Vec<usize>,
}

impl Dataset {
    /// Inputs that lie behind one another in `values`, with their labels.
    pub fn new(values: Vec<f32>, labels: Vec<usize>) -> Self {
        Self { values, labels }
    }

    /// Number of inputs.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The values of one input.
    pub fn input(&self, index: usize) -> &[f32] {
        let size = self.values.len() / self.labels.len();
        &self.values[index * size..][..size]
    }

    /// The class of one input.
    pub fn label(&self, index: usize) -> usize {
        self.labels[index]
    }
}

/// Which inputs of a training set are trained on and which are held out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Trained on.
    pub training: Vec<usize>,
    /// Held out: they take no part in training.
    pub held_out: Vec<usize>,
}

impl Split {
    /// Splits `inputs` inputs as the configuration says: the same seed holds out the same ones.
    ///
    /// # Errors
    /// [`TrainError::Config`] where less than one batch would be left to train on.
    pub fn new(config: &TrainConfig, inputs: usize) -> Result<Self, TrainError> {
        let mut order: Vec<usize> = (0..inputs).collect();
        order.shuffle(&mut stream(config.seed, Purpose::HeldOut, 0, 0));
        let mut training = order.split_off(config.held_out.min(inputs));
        training.truncate(config.limit.unwrap_or(inputs));
        if training.len() < config.batch {
            return Err(TrainError::Config {
                reason: format!(
                    "with {} of {inputs} inputs held out{}, {} are left to train on, less than one batch of {}",
                    config.held_out,
                    config
                        .limit
                        .map_or_else(String::new, |limit| format!(" and a limit of {limit}")),
                    training.len(),
                    config.batch
                ),
            });
        }
        Ok(Self { training, held_out: order })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_input_is_either_trained_on_or_held_out() {
        let config = TrainConfig { held_out: 30, batch: 10, ..TrainConfig::default() };
        let split = Split::new(&config, 100).unwrap();
        assert_eq!((split.training.len(), split.held_out.len()), (70, 30));
        let mut all = [split.training.clone(), split.held_out.clone()].concat();
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<_>>());
        assert_eq!(split, Split::new(&config, 100).unwrap());
    }

    #[test]
    fn less_than_one_batch_to_train_on_is_refused() {
        assert!(Split::new(&TrainConfig::default(), 5_000).is_err());
        let limited = TrainConfig { limit: Some(5), ..TrainConfig::default() };
        let refusal = Split::new(&limited, 60_000).unwrap_err().to_string();
        assert!(refusal.contains("limit of 5"), "{refusal}");
    }
}
