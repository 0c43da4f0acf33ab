//! Loading and unloading on request, which `--model-control explicit` allows.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Repository, UNLOADED,
    folder::wanted,
    lock,
    snapshot::{Key, Snapshot},
};
use crate::{
    config::ModelControl,
    error::{ApiError, ErrorKind, quoted},
};

impl Repository {
    /// Loads a model of the folder, or its new versions.
    ///
    /// # Errors
    /// [`ErrorKind::Forbidden`] if control is not `explicit`, [`ErrorKind::NotFound`] if the folder
    /// has no such model, [`ErrorKind::Unloadable`] with the reason if it cannot be served.
    pub(crate) async fn load(self: &Arc<Self>, name: &str) -> Result<(), ApiError> {
        self.change(name, Self::load_now).await
    }

    /// Stops serving a model; the requests that it accepted are still answered.
    ///
    /// # Errors
    /// [`ErrorKind::Forbidden`] if control is not `explicit`, [`ErrorKind::NotFound`] if there is
    /// no such model.
    pub(crate) async fn unload(self: &Arc<Self>, name: &str) -> Result<(), ApiError> {
        self.change(name, Self::unload_now).await
    }

    async fn change(
        self: &Arc<Self>,
        name: &str,
        change: fn(&Self, &str) -> Result<(), ApiError>,
    ) -> Result<(), ApiError> {
        if self.config.models.model_control != ModelControl::Explicit {
            return Err(ErrorKind::Forbidden.because(
                "models can be loaded and unloaded on request only if the server was started with --model-control explicit",
            ));
        }
        let (repository, name) = (Arc::clone(self), name.to_owned());
        tokio::task::spawn_blocking(move || change(&repository, &name)).await.map_err(|panic| {
            tracing::error!(%panic, "loading or unloading a model panicked");
            ApiError::internal()
        })?
    }

    fn load_now(&self, name: &str) -> Result<(), ApiError> {
        let mut state = lock(&self.state);
        let folder = self.discover().map_err(|error| {
            tracing::warn!("{error}");
            ErrorKind::Unloadable
                .because(format!("the model cannot be loaded: {}", error.public_reason()))
        })?;
        let is_there = folder.get(name).is_some_and(|versions| {
            !wanted(versions, &self.config.models.version_policy).is_empty()
        });
        if !is_there || state.is_stopped {
            return Err(ErrorKind::NotFound.because(
                "the repository has no version of this model that --version-policy selects",
            ));
        }
        state.unloaded.remove(name);
        state.failed.retain(|(model, _), _| model != name);
        let failures = self.apply(&mut state, &folder, Some(name));
        if self.readers.is_stopped() {
            return Err(ErrorKind::Draining.because("the server is shutting down"));
        }
        match failures.first() {
            None => Ok(()),
            Some(((name, version), error)) => Err(ErrorKind::Unloadable.because(format!(
                "version {version} of model {name} cannot be served: {}",
                error.public_reason()
            ))),
        }
    }

    fn unload_now(&self, name: &str) -> Result<(), ApiError> {
        let mut state = lock(&self.state);
        let mut snapshot = Snapshot::clone(&self.snapshot.load());
        let served = snapshot.models.remove(name);
        if served.is_none() && !snapshot.load_errors.keys().any(|(model, _)| model == name) {
            return Err(ErrorKind::NotFound.because(format!("there is no model {}", quoted(name))));
        }
        state.unloaded.insert(name.to_owned());
        let versions: Vec<Key> = served
            .iter()
            .flat_map(BTreeMap::keys)
            .map(|version| (name.to_owned(), version.clone()))
            .chain(snapshot.load_errors.keys().filter(|(model, _)| model == name).cloned())
            .collect();
        snapshot.load_errors.extend(versions.into_iter().map(|key| (key, UNLOADED.to_owned())));
        self.publish(snapshot);
        Ok(())
    }
}
