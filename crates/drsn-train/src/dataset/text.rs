//! Short text files.

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

use super::DatasetError;

/// Reads the non-empty lines of a text file of at most `max_bytes`; `None` if it does not exist.
pub(super) fn lines(path: &Path, max_bytes: u64) -> Result<Option<Vec<String>>, DatasetError> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(max_bytes).read_to_string(&mut text));
    match read {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(DatasetError::Unreadable { path: path.to_owned(), source }),
        Ok(_) => {
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            Ok(Some(lines.map(str::to_owned).collect()))
        }
    }
}
