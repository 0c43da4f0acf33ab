//! Fetching checks and keeps existing files.

use drsn_train::fetch::{Fetched, mnist};

use crate::skip;
use crate::support::{NEEDS_MNIST, mnist_folder};

#[test]
fn a_second_fetch_finds_the_official_files_and_downloads_nothing() {
    let Some(folder) = mnist_folder() else { return skip::skip(NEEDS_MNIST) };
    assert_eq!(mnist(&folder).unwrap(), Fetched::AlreadyPresent);
}
