//! A bundle's golden inputs and outputs.
#![no_main]

use std::sync::LazyLock;

use drsn_bundle::{Golden, Manifest};
use libfuzzer_sys::fuzz_target;

static MANIFEST: LazyLock<Manifest> = LazyLock::new(|| {
    Manifest::from_json(include_bytes!("../../models/mnist/1/manifest.json"))
        .expect("the bundled manifest is valid")
});

fuzz_target!(|bytes: &[u8]| {
    let _ = Golden::from_json(bytes, &MANIFEST);
});
