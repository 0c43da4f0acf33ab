//! The index: every version that the repository knows, and its state.

use std::collections::BTreeMap;

use super::snapshot::{Key, Snapshot};
use crate::error::ApiError;

/// One version of a model and its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IndexEntry {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) state: ModelState,
    /// Why this version, or a new content of it, cannot be served, without paths of this machine;
    /// empty if there is nothing to report.
    pub(crate) reason: String,
}

/// The state of a model's version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ModelState {
    /// Being opened and checked.
    Loading,
    /// Answers requests.
    Ready,
    /// Accepts no new requests, and finishes those that it has.
    Unloading,
    /// Cannot answer requests.
    Unavailable,
}

impl ModelState {
    /// The name of the state in the Open Inference Protocol's repository extension.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Loading => "LOADING",
            Self::Ready => "READY",
            Self::Unloading => "UNLOADING",
            Self::Unavailable => "UNAVAILABLE",
        }
    }
}

/// The entries, sorted by name and version. If a version is served while another content of it is
/// loaded, retired or has failed, its state is `Ready`.
pub(super) fn entries(snapshot: &Snapshot, loading: &[Key], unloading: &[Key]) -> Vec<IndexEntry> {
    let mut states: BTreeMap<Key, (ModelState, String)> = BTreeMap::new();
    for key in unloading {
        states.insert(key.clone(), (ModelState::Unloading, String::new()));
    }
    for (key, reason) in &snapshot.load_errors {
        states.insert(key.clone(), (ModelState::Unavailable, reason.clone()));
    }
    for key in loading {
        states.insert(key.clone(), (ModelState::Loading, String::new()));
    }
    for (name, versions) in &snapshot.models {
        for version in versions.keys() {
            let key = (name.clone(), version.clone());
            // If a new content cannot be served, the old one stays ready, with the reason.
            let reason = snapshot.load_errors.get(&key).cloned().unwrap_or_default();
            states.insert(key, (ModelState::Ready, reason));
        }
    }
    let entry = |((name, version), (state, reason)): (Key, (ModelState, String))| IndexEntry {
        name,
        version: version.text,
        state,
        reason,
    };
    states.into_iter().map(entry).collect()
}

/// Checks the names of the parameters of a load or unload. A model consists of its folder alone, so
/// a request cannot add to it. `unload_dependents` has no effect, because models have no
/// dependencies here.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`](crate::error::ErrorKind::InvalidArgument) for any other
/// parameter.
pub(crate) fn check_parameters<'a>(
    mut names: impl Iterator<Item = &'a str>,
) -> Result<(), ApiError> {
    if names.all(|name| name == "unload_dependents") {
        return Ok(());
    }
    Err(ApiError::invalid(
        "load and unload accept no configuration, files or other parameters: a model is loaded as it is in the repository",
    ))
}
