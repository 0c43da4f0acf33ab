//! Names that may occur only once in a file: of two variables of one name, `SciPy` and `NumPy` read the
//! last, other programs the first, and nobody can tell which one is meant.

use std::{
    collections::HashSet,
    hash::{BuildHasher as _, RandomState},
};

use crate::{Names, RecordingError};

/// The names so far, of which only hashes are held: there may be many, and long ones.
#[derive(Debug, Default)]
pub(crate) struct Unique {
    hasher: RandomState,
    seen: HashSet<u64>,
}

impl Unique {
    /// Takes the next name.
    ///
    /// # Errors
    /// If there was one like it.
    pub(crate) fn add(&mut self, name: &str) -> Result<(), RecordingError> {
        if self.seen.insert(self.hasher.hash_one(name)) {
            return Ok(());
        }
        Err(refused(name))
    }
}

/// Why nothing is read of a file that has two variables of this name.
pub(crate) fn refused(name: &str) -> RecordingError {
    RecordingError::Unsupported(format!(
        "it has two variables of the name {}, and programs differ in which of them they read: \
         save it again with one of them, or with two names",
        Names::from_iter([name])
    ))
}
