//! The reader of ONNX graphs, and what the server does with a graph.
#![no_main]

use std::sync::LazyLock;

use drsn_bundle::{Manifest, onnx};
use libfuzzer_sys::fuzz_target;

static MANIFEST: LazyLock<Manifest> = LazyLock::new(|| {
    Manifest::from_json(include_bytes!("../../models/mnist/1/manifest.json"))
        .expect("the bundled manifest is valid")
});

fuzz_target!(|bytes: &[u8]| {
    let _ = onnx::check_model(bytes, &MANIFEST);
    let _ = onnx::with_shrinkage_outputs(bytes, &MANIFEST.blocks);
    let _ = onnx::for_cpu(bytes, &MANIFEST.blocks);
});
