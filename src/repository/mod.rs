//! The folder of models: what is there, what of it is served, and how one takes the place of the other.
//!
//! What is served is a snapshot that nobody changes. A version is opened, checked and warmed up aside; then a new
//! snapshot takes the old one's place in one step. Requests hold the model that they were given, so that a model
//! that is served no more still answers what it has taken, and is freed with its last request.

mod change;
mod error;
mod folder;
mod index;
mod opening;
mod snapshot;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicBool},
    thread,
    time::Duration,
};

use arc_swap::ArcSwap;
use drsn_bundle::runtime::Runtime;

use crate::{
    config::{Config, ModelControl},
    engine::model::{Model, RetiredModel},
    error::{ApiError, ErrorKind, quoted},
    observability::metrics::Metrics,
};
pub(crate) use error::RepositoryError;
use folder::{Folder, discover, wanted};
pub(crate) use index::{IndexEntry, ModelState, check_parameters};
use snapshot::{Key, Snapshot};

/// How long a version that is served and suddenly away may take to come back: a folder that is replaced is gone
/// between two renames.
const REPLACEMENT: Duration = Duration::from_millis(200);
/// The reason of a model that an operator took away.
const UNLOADED: &str = "it was unloaded";

/// The models.
#[derive(Debug)]
pub(crate) struct Repository {
    config: Config,
    runtime: Runtime,
    metrics: Arc<Metrics>,
    snapshot: ArcSwap<Snapshot>,
    /// Held by whoever changes something: one change at a time.
    state: Mutex<ChangeState>,
    /// Versions that are being opened.
    loading: Mutex<BTreeSet<Key>>,
    /// Versions that are served no more, until their last request is answered.
    unloading: Mutex<Vec<(Key, RetiredModel)>>,
    /// Where it is set, no further version is opened.
    ending: Arc<AtomicBool>,
}

/// What only changes need to know.
#[derive(Debug, Default)]
struct ChangeState {
    /// Names that were unloaded and are not to come back by themselves.
    unloaded: BTreeSet<String>,
    /// Why the folder could not be read when it was last looked at.
    folder_error: Option<String>,
    is_stopped: bool,
}

/// Versions that could not be served, and why.
type Failures = Vec<(Key, RepositoryError)>;

impl Repository {
    /// Finds the models, opens and starts them, as long as `ending` is not set.
    ///
    /// # Errors
    /// [`RepositoryError`] where the folder is not there. Where models are `fixed`, also of the first model, by name,
    /// that cannot be served; otherwise those that can are.
    pub(crate) fn open(
        config: &Config,
        runtime: &Runtime,
        metrics: &Arc<Metrics>,
        ending: &Arc<AtomicBool>,
    ) -> Result<Arc<Self>, RepositoryError> {
        let folder = discover(&config.models, config.model_name.as_ref())?;
        check_names(config, &folder)?;
        let snapshot = Snapshot { default: config.default_model.clone(), ..Snapshot::default() };
        let repository = Self {
            config: config.clone(),
            runtime: runtime.clone(),
            metrics: Arc::clone(metrics),
            snapshot: ArcSwap::from_pointee(snapshot),
            state: Mutex::default(),
            loading: Mutex::default(),
            unloading: Mutex::default(),
            ending: Arc::clone(ending),
        };
        let failures = repository.apply(&repository.lock(), &folder, None);
        let first = failures.into_iter().next();
        if let Some((_, error)) = first.filter(|_| config.model_control == ModelControl::Fixed) {
            repository.stop();
            return Err(error);
        }
        Ok(Arc::new(repository))
    }

    /// Every version that is served, by name and number.
    pub(crate) fn models(&self) -> Vec<Arc<Model>> {
        self.snapshot.load().models().cloned().collect()
    }

    /// The model that answers where a request names none.
    pub(crate) fn default_model(&self) -> Option<Arc<Model>> {
        self.snapshot.load().default_model().cloned()
    }

    /// The model of a name and version: the default where no name is given, the highest where no version is.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where there is none of that name or version, [`ErrorKind::NotReady`] where there is one
    /// that cannot be served, [`ErrorKind::InvalidArgument`] where several are served, none is the default, and none
    /// is named.
    pub(crate) fn find(
        &self,
        name: Option<&str>,
        version: Option<&str>,
    ) -> Result<Arc<Model>, ApiError> {
        self.snapshot.load().find(name, version)
    }

    /// The versions of `model`'s name that are served, lowest first; only its own where that was asked for.
    pub(crate) fn versions_beside(&self, model: &Model, asked: Option<&str>) -> Vec<String> {
        let all = match asked {
            None => self.snapshot.load().versions(&model.labels.model),
            Some(_) => Vec::new(),
        };
        // It may have been unloaded since it was found.
        if all.is_empty() { vec![model.labels.version.clone()] } else { all }
    }

    /// Every version that is known, and how it stands.
    pub(crate) fn index(&self) -> Vec<IndexEntry> {
        let loading: Vec<Key> = locked(&self.loading).iter().cloned().collect();
        let unloading: Vec<Key> = {
            let mut unloading = locked(&self.unloading);
            unloading.retain(|(_, retired)| !retired.is_over());
            unloading.iter().map(|(key, _)| key.clone()).collect()
        };
        index::entries(&self.snapshot.load(), &loading, &unloading)
    }

    /// Looks at the folder again, and serves what is there now. A version that cannot be served leaves what is
    /// served of its model as it is. Takes as long as loading does.
    pub(crate) fn rescan(&self) {
        let mut state = self.lock();
        if state.is_stopped {
            return;
        }
        match self.settled() {
            Ok(folder) => {
                state.folder_error = None;
                self.apply(&state, &folder, None);
            }
            Err(error) => {
                let trouble = error.to_string();
                if state.folder_error.as_ref() != Some(&trouble) {
                    tracing::warn!("{trouble}; what is served stays");
                }
                state.folder_error = Some(trouble);
            }
        }
    }

    /// Loads a model of the folder, or what is new of it.
    ///
    /// # Errors
    /// [`ErrorKind::Forbidden`] where control is not `explicit`, [`ErrorKind::NotFound`] where the folder has no such
    /// model, [`ErrorKind::Unloadable`] with the reason where it cannot be served.
    pub(crate) async fn load(self: &Arc<Self>, name: &str) -> Result<(), ApiError> {
        self.change(name, Self::load_now).await
    }

    /// Serves a model no more; what it has taken is still answered.
    ///
    /// # Errors
    /// [`ErrorKind::Forbidden`] where control is not `explicit`, [`ErrorKind::NotFound`] where there is no such model.
    pub(crate) async fn unload(self: &Arc<Self>, name: &str) -> Result<(), ApiError> {
        self.change(name, Self::unload_now).await
    }

    /// Ends every model's workers; what still waits is not answered any more, and nothing is loaded any more.
    pub(crate) fn stop(&self) {
        self.lock().is_stopped = true;
        for model in self.models() {
            model.stop();
        }
        for (_, retired) in locked(&self.unloading).drain(..) {
            retired.stop();
        }
    }

    async fn change(
        self: &Arc<Self>,
        name: &str,
        change: fn(&Self, &str) -> Result<(), ApiError>,
    ) -> Result<(), ApiError> {
        if self.config.model_control != ModelControl::Explicit {
            return Err(ErrorKind::Forbidden.because(
                "models are loaded and unloaded on request only where the server was started with --model-control explicit",
            ));
        }
        let (repository, name) = (Arc::clone(self), name.to_owned());
        tokio::task::spawn_blocking(move || change(&repository, &name)).await.map_err(|panic| {
            tracing::error!(%panic, "a model could not be loaded or unloaded");
            ApiError::internal()
        })?
    }

    fn load_now(&self, name: &str) -> Result<(), ApiError> {
        let mut state = self.lock();
        let folder = self.discover().map_err(|error| {
            tracing::warn!("{error}");
            ErrorKind::Unloadable
                .because(format!("the model cannot be loaded: {}", error.public_reason()))
        })?;
        let is_there = folder
            .get(name)
            .is_some_and(|versions| !wanted(versions, &self.config.version_policy).is_empty());
        if !is_there || state.is_stopped {
            return Err(ErrorKind::NotFound.because(
                "the repository has no model of that name in a version that is to be served",
            ));
        }
        state.unloaded.remove(name);
        let failures = self.apply(&state, &folder, Some(name));
        match failures.first() {
            None => Ok(()),
            Some(((name, version), error)) => Err(ErrorKind::Unloadable.because(format!(
                "version {version} of model {name} cannot be served: {}",
                error.public_reason()
            ))),
        }
    }

    fn unload_now(&self, name: &str) -> Result<(), ApiError> {
        let mut state = self.lock();
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

    fn discover(&self) -> Result<Folder, RepositoryError> {
        discover(&self.config.models, self.config.model_name.as_ref())
    }

    /// The folder, after a moment where something that is served is away.
    fn settled(&self) -> Result<Folder, RepositoryError> {
        let is_whole = |folder: &Folder| {
            self.snapshot.load().models.iter().all(|(name, versions)| {
                let found = folder.get(name).map(Vec::as_slice).unwrap_or_default();
                versions.keys().all(|version| found.iter().any(|f| f.version == *version))
            })
        };
        match self.discover() {
            Ok(folder) if is_whole(&folder) => Ok(folder),
            Ok(_) | Err(_) => {
                thread::sleep(REPLACEMENT);
                self.discover()
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, ChangeState> {
        locked(&self.state)
    }
}

/// Whether the folder has the models that the flags name.
fn check_names(config: &Config, folder: &Folder) -> Result<(), RepositoryError> {
    let is_fixed = config.model_control == ModelControl::Fixed;
    let has_wanted =
        folder.values().any(|versions| !wanted(versions, &config.version_policy).is_empty());
    if is_fixed && !has_wanted {
        return Err(nothing_to_serve(config, folder));
    }
    if let Some(name) = &config.default_model
        && !folder.contains_key(name.as_str())
    {
        let known = folder.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        if is_fixed {
            return Err(RepositoryError::NoDefault { name: name.clone(), known });
        }
        tracing::warn!(%name, known, "the default model is not there yet");
    }
    Ok(())
}

/// Why a folder has nothing that is to be served.
fn nothing_to_serve(config: &Config, folder: &Folder) -> RepositoryError {
    let path = config.models.clone();
    if !folder.is_empty() {
        let versions = |versions: &Vec<folder::ModelVersionDir>| {
            versions.iter().map(|found| found.version.text.as_str()).collect::<Vec<_>>().join(", ")
        };
        let known = folder.iter().map(|(name, found)| format!("{name} has {}", versions(found)));
        let known = known.collect::<Vec<_>>().join("; ");
        return RepositoryError::NoVersion { policy: config.version_policy.to_string(), known };
    }
    match folder::a_version_in(&path) {
        Some(version) => RepositoryError::OneModel { path, version },
        None => RepositoryError::Empty { path },
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
