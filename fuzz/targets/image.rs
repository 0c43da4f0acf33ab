//! Every decoder of pictures, with each way to fit a picture to the network.
#![no_main]

use std::sync::LazyLock;

use drsn_bundle::{ImageSpec, input::ImageFile};
use libfuzzer_sys::fuzz_target;

const MANIFEST: &[u8] = include_bytes!("../../models/mnist/1/manifest.json");

static SPEC: LazyLock<ImageSpec> = LazyLock::new(|| {
    let manifest =
        drsn_bundle::Manifest::from_json(MANIFEST).expect("the bundled manifest is valid");
    match manifest.input {
        drsn_bundle::InputSpec::Image(spec) => spec,
        drsn_bundle::InputSpec::Signal(_) => unreachable!("digits are pictures"),
    }
});

fuzz_target!(|bytes: &[u8]| {
    let Ok(file) = ImageFile::open(bytes, 1 << 16) else { return };
    let _ = file.decoded_bytes(&SPEC);
    if let Ok(pixels) = file.pixels(&SPEC, None) {
        assert_eq!(pixels.dim(), (SPEC.channels, SPEC.height, SPEC.width));
        assert!(pixels.iter().all(|pixel| (0.0..=1.0).contains(pixel)));
    }
});
