//! The reader of networks that other programs trained.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;

// A folder without weights: what a model claims of files beside it is checked, and none is found.
fuzz_target!(|bytes: &[u8]| drsn_import::read_only(bytes, Path::new("/nonexistent")));
