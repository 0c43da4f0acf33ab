//! The served models at one moment. A snapshot is immutable: a change makes a new one, which
//! replaces it in one step.

use std::{collections::BTreeMap, sync::Arc};

use drsn_bundle::Name;

use super::{UNLOADED, folder::Version};
use crate::{
    engine::model::Model,
    error::{ApiError, ErrorKind, quoted},
};

/// Name and version.
pub(super) type Key = (String, Version);

/// A served model, and the fingerprint of its folder when it was opened.
#[derive(Debug, Clone)]
pub(super) struct Served {
    pub(super) model: Arc<Model>,
    pub(super) fingerprint: Vec<u8>,
}

/// The versions of one model.
pub(super) type Versions = BTreeMap<Version, Served>;

/// The served models.
#[derive(Debug, Clone, Default)]
pub(super) struct Snapshot {
    /// By name; each model has at least one version.
    pub(super) models: BTreeMap<String, Versions>,
    /// Versions in the folder that cannot be served, with the reason for clients.
    pub(super) load_errors: BTreeMap<Key, String>,
    /// The name that `--default-model` sets.
    pub(super) default: Option<Name>,
}

impl Snapshot {
    pub(super) fn models(&self) -> impl Iterator<Item = &Arc<Model>> {
        self.models.values().flat_map(BTreeMap::values).map(|served| &served.model)
    }

    pub(super) fn default_model(&self) -> Option<&Arc<Model>> {
        let versions = match &self.default {
            Some(name) => self.models.get(name.as_str())?,
            None if self.models.len() == 1 => self.models.values().next()?,
            None => return None,
        };
        highest(versions)
    }

    pub(super) fn find(
        &self,
        name: Option<&str>,
        version: Option<&str>,
    ) -> Result<Arc<Model>, ApiError> {
        let name = match name {
            Some(name) => name,
            None => self.default_name()?,
        };
        let versions = self.models.get(name).ok_or_else(|| self.missing(name))?;
        let model = match version {
            None => highest(versions),
            Some(version) => {
                versions.iter().find(|(v, _)| v.text == version).map(|(_, served)| &served.model)
            }
        };
        model.cloned().ok_or_else(|| {
            let served: Vec<&str> = versions.keys().map(|v| v.text.as_str()).collect();
            ErrorKind::NotFound.because(format!(
                "model {name} has no version {}; the served versions are: {}",
                quoted(version.unwrap_or_default()),
                served.join(", ")
            ))
        })
    }

    /// The served versions of a name, lowest first.
    pub(super) fn versions(&self, name: &str) -> Vec<String> {
        let versions = self.models.get(name).into_iter().flat_map(BTreeMap::keys);
        versions.map(|version| version.text.clone()).collect()
    }

    /// The model for requests that do not name one.
    fn default_name(&self) -> Result<&str, ApiError> {
        if let Some(name) = &self.default {
            return Ok(name.as_str());
        }
        let mut names = self.models.keys();
        match (names.next(), names.next()) {
            (Some(name), None) => Ok(name),
            (None, _) => Err(ErrorKind::NotFound.because("no model is served; see GET /models")),
            (Some(_), Some(_)) => Err(ApiError::invalid(format!(
                "the request names no model, and several are served: {}; name one with the option model or in the path",
                self.names()
            ))),
        }
    }

    /// Why no model of this name is served.
    fn missing(&self, name: &str) -> ApiError {
        let error = self.load_errors.iter().rev().find(|((model, _), _)| model == name);
        match error {
            Some((_, reason)) if reason == UNLOADED => {
                ErrorKind::NotFound.because(format!("model {name} is not served: {UNLOADED}"))
            }
            Some(((_, version), reason)) => ErrorKind::NotReady
                .because(format!("version {version} of model {name} cannot be served: {reason}")),
            None => ErrorKind::NotFound.because(format!(
                "there is no model {}; the models are: {}",
                quoted(name),
                self.names()
            )),
        }
    }

    fn names(&self) -> String {
        self.models.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
    }
}

fn highest(versions: &Versions) -> Option<&Arc<Model>> {
    versions.values().next_back().map(|served| &served.model)
}
