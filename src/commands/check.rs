//! `drsn-serve check`: checks whether a bundle can be served.

use std::path::Path;

use anyhow::Context as _;
use drsn_bundle::runtime::{Provider, Runtime};

use crate::{config::Device, engine::session::ModelSession};

/// Opens the bundle as the server does, and reports what was checked.
pub(super) fn run(
    folder: &Path,
    onnxruntime: Option<&Path>,
    device: Device,
) -> anyhow::Result<String> {
    let bundle = super::open(folder)?;
    let runtime = Runtime::start(onnxruntime)?;
    let provider = match device {
        Device::Auto | Device::Cpu => Provider::Cpu,
        Device::Cuda(number) => Provider::Cuda(number),
    };
    let manifest = &bundle.manifest;
    let model = format!("{}/{}", manifest.name, manifest.version);
    ModelSession::open(&runtime, &bundle, provider)
        .with_context(|| format!("{model} in {} cannot be served", folder.display()))?;
    Ok(format!(
        "{model} is valid: its checksums match, and on {} it reproduces its {} golden outputs for {} \
         inputs",
        provider.name(),
        bundle.golden.outputs.len(),
        bundle.golden.batch()
    ))
}
