//! A bundle's manifest: what is accepted is written and read again without a change.
#![no_main]

use drsn_bundle::Manifest;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(manifest) = Manifest::from_json(bytes) else { return };
    let written = manifest.to_json().expect("a valid manifest can be written");
    let again = Manifest::from_json(&written).expect("what was written is valid");
    assert_eq!(manifest, again);
});
