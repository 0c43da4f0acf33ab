//! The files of a data set: found in folders, or listed in an index.

mod folders;
mod index;
mod layout;
mod listing;
mod natural_order;

use std::path::Path;

#[cfg(fuzzing)]
pub(crate) use index::assert_index;

use super::error::DatasetError;
pub(super) use listing::{Entry, Listing};

/// Lists the files of an index, or if there is none, the files in `folder` whose extension
/// `is_wanted`.
pub(super) fn list(
    folder: &Path,
    index: Option<&Path>,
    is_wanted: fn(&str) -> bool,
) -> Result<Listing, DatasetError> {
    let listing = match index {
        Some(index) => index::read(index, folder)?,
        None => folders::walk(folder, is_wanted)?,
    };
    listing.check()?;
    Ok(listing)
}
