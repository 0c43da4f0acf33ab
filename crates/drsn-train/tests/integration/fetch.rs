//! Fetching: what is there already is checked and kept.

use drsn_train::fetch::{Fetched, mnist};

use crate::skip;
use crate::support::{NEEDS_MNIST, mnist_folder};

#[test]
fn a_second_fetch_finds_the_official_files_and_does_no_work() {
    let Some(folder) = mnist_folder() else { return skip::skip(NEEDS_MNIST) };
    assert_eq!(mnist(&folder).unwrap(), Fetched::Before);
}
