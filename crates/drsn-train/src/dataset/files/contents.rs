//! The contents of one folder, without what systems leave in it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use drsn_bundle::files::is_system_name;

use super::natural_order::natural;
use crate::dataset::error::DatasetError;

/// Names and paths of the folders in a folder.
pub(super) fn subfolders(folder: &Path) -> Result<Vec<(String, PathBuf)>, DatasetError> {
    Ok(contents(folder)?.into_iter().filter(|(_, path)| path.is_dir()).collect())
}

/// Names and paths of the entries of a folder, without those of systems, in natural order.
pub(in crate::dataset) fn contents(folder: &Path) -> Result<Vec<(String, PathBuf)>, DatasetError> {
    let unreadable = |source| DatasetError::Unreadable { path: folder.to_owned(), source };
    if folder.is_file() {
        return Err(DatasetError::Unusable {
            path: folder.to_owned(),
            reason: "it is a file, and a folder with a folder of files for each class was expected: \
                     pass that folder, or list files in a table by --index; for windows that were cut \
                     beforehand add --set data.kind=windows"
                .to_owned(),
        });
    }
    let mut contents = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            return Err(DatasetError::Malformed {
                path,
                reason: "its name is not UTF-8; rename it".to_owned(),
            });
        };
        if !is_system_name(name) {
            contents.push((name.to_owned(), path));
        }
    }
    contents.sort_by(|(a, _), (b, _)| natural(a, b));
    Ok(contents)
}
