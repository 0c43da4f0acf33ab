//! The error of data sets.

use std::{io, path::PathBuf};

use crate::recipe::RecipeError;

/// A data set that cannot be read or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatasetError {
    /// A file is missing, both gzip-compressed and not.
    #[error(
        "{} contains neither {name} nor {name}.gz: fetch the data with \
         `drsn-train fetch mnist --to {}`",
        folder.display(), folder.display()
    )]
    Missing {
        /// The folder that was searched.
        folder: PathBuf,
        /// Name of the file.
        name: String,
    },
    /// A file is missing.
    #[error("{} does not exist: {cure}", path.display())]
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
        /// The system's error.
        source: io::Error,
    },
    /// A file does not have its format.
    #[error("{} is not valid: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What was expected and what was found.
        reason: String,
    },
    /// A recording or an image that cannot be used; `--skip-bad` leaves it out.
    #[error("{}: {reason}", path.display())]
    BadFile {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The decoded recordings cannot be stored.
    #[error(
        "cannot store the decoded recordings in a temporary file in {}: {source}; set TMPDIR to a \
         folder with more space",
        folder.display()
    )]
    Spool {
        /// The folder of the temporary file.
        folder: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The contents of the files are too few or inconsistent.
    #[error("cannot use the data in {}: {reason}", path.display())]
    Unusable {
        /// The folder or the index.
        path: PathBuf,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// The data does not suit the recipe.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
}
