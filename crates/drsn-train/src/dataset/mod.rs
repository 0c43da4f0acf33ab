//! Data sets: labelled inputs as they are before preparation, and how they are split.

pub mod augmentation;
pub(crate) mod cifar10;
mod digest;
mod idx;
mod images;
mod index;
mod listing;
mod open;
mod order;
mod packed;
mod partition;
mod public;
mod samples;
mod signals;
mod source;
mod windows;

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

pub use idx::{IdxArray, parse as parse_idx, read as read_idx};
pub(crate) use partition::in_words as split_in_words;
pub use public::FILES;
pub(crate) use signals::is_same as is_same_rate;
pub use source::{Data, Part, Source, class_weights};

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
    /// A recording or a picture that cannot be taken.
    #[error("{}: {reason}", path.display())]
    BadFile {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The decoded recordings cannot be kept.
    #[error(
        "cannot keep the decoded recordings in a temporary file in {}: {source}; set TMPDIR to a folder with more room",
        folder.display()
    )]
    Spool {
        /// Where the file is.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
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
