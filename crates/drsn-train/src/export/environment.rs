//! What the exact bytes of a trained model depend on besides the recipe and the data.

use std::collections::BTreeMap;

/// Operating system, processor and its features, and versions of compiler and framework.
pub(super) fn environment() -> BTreeMap<String, String> {
    let entry = |key: &str, value: String| (key.to_owned(), value);
    BTreeMap::from([
        entry("os", std::env::consts::OS.to_owned()),
        entry("processor", std::env::consts::ARCH.to_owned()),
        entry("processor_features", processor_features().join(" ")),
        entry("burn", env!("DRSN_BURN_VERSION").to_owned()),
        entry("rustc", env!("DRSN_RUSTC_VERSION").to_owned()),
    ])
}

/// The available vector instruction sets that Burn's kernels choose from.
#[cfg(target_arch = "x86_64")]
fn processor_features() -> Vec<&'static str> {
    [
        ("sse4.2", is_x86_feature_detected!("sse4.2")),
        ("avx2", is_x86_feature_detected!("avx2")),
        ("fma", is_x86_feature_detected!("fma")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
    ]
    .into_iter()
    .filter_map(|(name, present)| present.then_some(name))
    .collect()
}

/// The available vector instruction sets that Burn's kernels choose from: there is only one.
#[cfg(not(target_arch = "x86_64"))]
fn processor_features() -> Vec<&'static str> {
    Vec::new()
}
