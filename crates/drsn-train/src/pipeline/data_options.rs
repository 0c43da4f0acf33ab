//! Where the data is, and how it is read.

use std::path::PathBuf;

use crate::{
    dataset::{Data, DatasetError},
    recipe::Recipe,
};

/// Where the data is, and how it is read.
#[derive(Debug, Clone)]
pub struct DataOptions {
    /// Folder with the data, or the file with windows that were cut beforehand.
    pub folder: PathBuf,
    /// Index of files and labels; if `None`, the folders are the classes.
    pub index: Option<PathBuf>,
    /// Whether to leave out files and windows that cannot be used.
    pub skip_bad: bool,
    /// Number of threads that compute.
    pub threads: usize,
}

impl DataOptions {
    /// Opens the data as described by a recipe.
    pub(super) fn open(&self, recipe: &Recipe) -> Result<Data, DatasetError> {
        Data::open(recipe, &self.folder, self.index.as_deref(), self.skip_bad)
    }
}
