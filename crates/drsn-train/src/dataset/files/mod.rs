//! The files of a data set: found in folders, or listed in an index.

mod contents;
mod folders;
mod index;
mod kind;
mod layout;
mod listing;
mod natural_order;

use std::path::Path;

#[cfg(fuzzing)]
pub(crate) use index::assert_index;

use super::error::DatasetError;
pub(super) use contents::contents;
pub(crate) use kind::FileKind;
pub(super) use listing::{Entry, Listing};
pub(super) use natural_order::natural;

/// Lists the files of an index, or if there is none, the files of a kind in `folder`.
pub(super) fn list(
    folder: &Path,
    index: Option<&Path>,
    kind: FileKind,
) -> Result<Listing, DatasetError> {
    let listing = match index {
        Some(index) => index::read(index, folder)?,
        None => folders::walk(folder, kind)?,
    };
    listing.check()?;
    Ok(listing)
}
