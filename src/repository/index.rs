//! Every version that the repository knows of, and how it stands.

use std::collections::BTreeMap;

use super::snapshot::{Key, Snapshot};
use crate::error::ApiError;

/// One version of a model, and how it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IndexEntry {
    /// Name of the model.
    pub(crate) name: String,
    /// Its version.
    pub(crate) version: String,
    /// Whether it answers requests.
    pub(crate) state: ModelState,
    /// Why it does not, without anything of this machine; empty where it does.
    pub(crate) reason: String,
}

/// How a version of a model stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ModelState {
    /// It is being opened and checked.
    Loading,
    /// It answers requests.
    Ready,
    /// It takes no more requests, and finishes those that it has.
    Unloading,
    /// It answers none.
    Unavailable,
}

impl ModelState {
    /// The word of the Open Inference Protocol's repository extension.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Loading => "LOADING",
            Self::Ready => "READY",
            Self::Unloading => "UNLOADING",
            Self::Unavailable => "UNAVAILABLE",
        }
    }
}

/// What is served counts more than what becomes of other contents of the same version.
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
            // A new content that cannot be served leaves the old one serving, and says why.
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

/// Refuses what a load or unload may bring along, by its name. A model is what its folder says: nothing of it comes
/// with a request. Models have no dependencies here, so that what is said about those is always true.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`].
pub(crate) fn check_parameters<'a>(
    mut names: impl Iterator<Item = &'a str>,
) -> Result<(), ApiError> {
    if names.all(|name| name == "unload_dependents") {
        return Ok(());
    }
    Err(ApiError::invalid(
        "a load or unload takes no configuration, files or other parameters: a model is loaded as it lies in the repository",
    ))
}
