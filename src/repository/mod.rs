//! The folder of models: which versions it has, which of them are served, and how that changes.
//!
//! The served models are an immutable snapshot. A version is opened, checked and warmed up beside
//! it; then a new snapshot replaces the old one in one step. Each request holds its model, so a
//! retired model still answers the requests that it accepted, and is freed with the last of them.

mod change;
mod control;
mod error;
mod folder;
mod index;
mod opening;
mod snapshot;
mod trial;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use drsn_bundle::runtime::Runtime;

use crate::{
    config::{Config, ModelControl},
    engine::model::{Model, RetiredModel},
    error::ApiError,
    observability::{capture::Capture, metrics::Metrics},
    readers::Readers,
};
use change::Failed;
pub(crate) use error::RepositoryError;
use folder::{Folder, Scan, wanted};
pub(crate) use index::{IndexEntry, ModelState, check_parameters};
use snapshot::{Key, Snapshot};
pub(crate) use trial::Reaped;
use trial::Trial;
pub use trial::own_program;
pub(crate) use trial::{TryBundle, try_bundle};

/// How long to wait for a served version whose folder has disappeared: a folder that is being
/// replaced is missing between two renames.
const REPLACEMENT: Duration = Duration::from_millis(200);
/// Why a model that an operator unloaded is not served.
const UNLOADED: &str = "it was unloaded";

/// The served models, and the folder that they come from.
#[derive(Debug)]
pub(crate) struct Repository {
    config: Config,
    runtime: Runtime,
    metrics: Arc<Metrics>,
    snapshot: ArcSwap<Snapshot>,
    /// Locked during a change: one change at a time.
    state: Mutex<ChangeState>,
    /// Versions that are being opened.
    loading: Mutex<BTreeSet<Key>>,
    /// Retired versions, until their last request is answered.
    unloading: Mutex<Vec<(Key, RetiredModel)>>,
    /// Reads the folder and the bundles. Once they are stopped, no further version is opened.
    readers: Readers,
    /// Tries versions first, if the configuration names a program for it.
    trial: Option<Trial>,
    /// Where inputs are kept, if they are.
    capture: Option<Arc<Capture>>,
}

/// State that only changes need.
#[derive(Debug, Default)]
struct ChangeState {
    /// Names of unloaded models, which a rescan must not load again.
    unloaded: BTreeSet<String>,
    /// Why the last rescan could not read the folder.
    folder_error: Option<String>,
    /// Versions that could not be opened, so that they are not tried too often.
    failed: BTreeMap<Key, Failed>,
    /// Whether versions are opened untried.
    is_untried: bool,
    is_stopped: bool,
}

/// Versions that could not be served, and why.
type Failures = Vec<(Key, RepositoryError)>;

impl Repository {
    /// Finds, opens and starts the models, until the `readers` are stopped.
    ///
    /// If models are `fixed`, they are not tried in a process of their own: nothing is served yet
    /// that they could end, and a server should be ready soon. Otherwise one bad version must not
    /// keep the others from being served.
    ///
    /// # Errors
    /// [`RepositoryError`] if the folder cannot be read. If models are `fixed`, also that of the
    /// first model, by name, that cannot be served; otherwise the models that can be served are.
    pub(crate) fn open(
        config: &Config,
        runtime: &Runtime,
        metrics: &Arc<Metrics>,
        readers: &Readers,
        capture: Option<&Arc<Capture>>,
    ) -> Result<Arc<Self>, RepositoryError> {
        let snapshot =
            Snapshot { default: config.models.default_model.clone(), ..Snapshot::default() };
        let repository = Self {
            config: config.clone(),
            runtime: runtime.clone(),
            metrics: Arc::clone(metrics),
            snapshot: ArcSwap::from_pointee(snapshot),
            state: Mutex::default(),
            loading: Mutex::default(),
            unloading: Mutex::default(),
            readers: readers.clone(),
            trial: Trial::new(config, runtime, readers),
            capture: capture.map(Arc::clone),
        };
        let folder = repository.discover()?;
        check_names(config, &folder)?;
        let is_fixed = config.models.model_control == ModelControl::Fixed;
        let mut state = lock(&repository.state);
        state.is_untried = is_fixed;
        let failures = repository.apply(&mut state, &folder, None);
        state.is_untried = false;
        drop(state);
        if let Some((_, error)) = failures.into_iter().next().filter(|_| is_fixed) {
            repository.stop(Instant::now() + config.drain_timeout());
            return Err(error);
        }
        Ok(Arc::new(repository))
    }

    /// Every version that is served, by name and number.
    pub(crate) fn models(&self) -> Vec<Arc<Model>> {
        self.snapshot.load().models().cloned().collect()
    }

    /// The model for requests that do not name one.
    pub(crate) fn default_model(&self) -> Option<Arc<Model>> {
        self.snapshot.load().default_model().cloned()
    }

    /// The model with a name and version. Without a name it is the default model, without a version
    /// the highest.
    ///
    /// # Errors
    /// `ErrorKind::NotFound` if there is no such model or version, `ErrorKind::NotReady` if the
    /// model exists but cannot be served, `ErrorKind::InvalidArgument` if the request names no
    /// model, several are served, and there is no default.
    pub(crate) fn find(
        &self,
        name: Option<&str>,
        version: Option<&str>,
    ) -> Result<Arc<Model>, ApiError> {
        self.snapshot.load().find(name, version)
    }

    /// The served versions of `model`'s name, lowest first; only its own version if one was `asked`
    /// for.
    pub(crate) fn versions_beside(&self, model: &Model, asked: Option<&str>) -> Vec<String> {
        let all = match asked {
            None => self.snapshot.load().versions(&model.labels.model),
            Some(_) => Vec::new(),
        };
        // It may have been unloaded since it was found.
        if all.is_empty() { vec![model.labels.version.clone()] } else { all }
    }

    /// Checks that some model has room for a request, for one that has yet to tell which it asks.
    ///
    /// # Errors
    /// Those of [`Model::check_room`] if no model has room.
    pub(crate) fn check_room(&self) -> Result<(), ApiError> {
        let snapshot = self.snapshot.load();
        let mut last = Ok(());
        for model in snapshot.models() {
            last = model.check_room();
            if last.is_ok() {
                break;
            }
        }
        last
    }

    /// Every known version and its state.
    pub(crate) fn index(&self) -> Vec<IndexEntry> {
        let loading: Vec<Key> = lock(&self.loading).iter().cloned().collect();
        let unloading: Vec<Key> = {
            let mut unloading = lock(&self.unloading);
            unloading.retain(|(_, retired)| !retired.is_over());
            unloading.iter().map(|(key, _)| key.clone()).collect()
        };
        index::entries(&self.snapshot.load(), &loading, &unloading)
    }

    /// Reads the folder again and serves what it has now. If a new version cannot be served, the
    /// served versions of its model stay. With `anew`, versions that failed a short time ago are
    /// tried again. Blocks for as long as loading does.
    pub(crate) fn rescan(&self, anew: bool) {
        let mut state = lock(&self.state);
        if state.is_stopped {
            return;
        }
        match self.discover_settled() {
            Ok(folder) => {
                state.folder_error = None;
                if anew {
                    state.failed.clear();
                }
                self.apply(&mut state, &folder, None);
            }
            Err(error) => {
                let message = error.to_string();
                if state.folder_error.as_ref() != Some(&message) {
                    tracing::warn!("{message}; the served models stay");
                }
                state.folder_error = Some(message);
            }
        }
    }

    /// Ends every model's workers, and returns when they have ended, or at `until`: one may be stuck.
    /// Requests that still wait are not answered, and nothing is loaded any more. Returns whether no
    /// thread computes any more.
    pub(crate) fn stop(&self, until: Instant) -> bool {
        lock(&self.state).is_stopped = true;
        let mut have_ended = true;
        for model in self.models() {
            have_ended &= model.stop(until);
        }
        for (_, retired) in lock(&self.unloading).drain(..) {
            have_ended &= retired.stop(until);
        }
        have_ended
    }

    fn discover(&self) -> Result<Folder, RepositoryError> {
        let path = self.config.models.folder.clone();
        let scan = Scan {
            folder: path.clone(),
            model_name: self.config.models.model_name.clone(),
            policy: self.config.models.version_policy.clone(),
            served: self.snapshot.load().models.keys().cloned().collect(),
        };
        let outcome = self.readers.run(&path, move || scan.run());
        outcome.map_err(|source| RepositoryError::FolderUnread { path, source })?
    }

    /// The folder's versions. If a served one is missing, it looks a second time, after
    /// [`REPLACEMENT`].
    fn discover_settled(&self) -> Result<Folder, RepositoryError> {
        let is_complete = |folder: &Folder| {
            self.snapshot.load().models.iter().all(|(name, versions)| {
                let found = folder.get(name).map(Vec::as_slice).unwrap_or_default();
                versions.keys().all(|version| found.iter().any(|f| f.version == *version))
            })
        };
        match self.discover() {
            Ok(folder) if is_complete(&folder) => Ok(folder),
            Err(error @ RepositoryError::FolderUnread { .. }) => Err(error),
            Ok(_) | Err(_) => {
                thread::sleep(REPLACEMENT);
                self.discover()
            }
        }
    }
}

/// Checks that the folder has the models that the flags name.
fn check_names(config: &Config, folder: &Folder) -> Result<(), RepositoryError> {
    let is_fixed = config.models.model_control == ModelControl::Fixed;
    let has_wanted =
        folder.values().any(|versions| !wanted(versions, &config.models.version_policy).is_empty());
    if is_fixed && !has_wanted {
        return Err(nothing_to_serve(config, folder));
    }
    if let Some(name) = &config.models.default_model
        && !folder.contains_key(name.as_str())
    {
        let known = folder.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        if is_fixed {
            return Err(RepositoryError::NoDefault { name: name.clone(), known });
        }
        tracing::warn!(%name, known, "the folder of models does not have the default model yet");
    }
    Ok(())
}

/// Why the folder has no version to serve.
fn nothing_to_serve(config: &Config, folder: &Folder) -> RepositoryError {
    let path = config.models.folder.clone();
    if !folder.is_empty() {
        let versions = |versions: &Vec<folder::ModelVersionDir>| {
            versions.iter().map(|found| found.version.text.as_str()).collect::<Vec<_>>().join(", ")
        };
        let known = folder.iter().map(|(name, found)| format!("{name} has {}", versions(found)));
        let known = known.collect::<Vec<_>>().join("; ");
        return RepositoryError::NoVersion {
            policy: config.models.version_policy.to_string(),
            known,
        };
    }
    match folder::find_version(&path) {
        Some(version) => RepositoryError::OneModel { path, version },
        None => RepositoryError::Empty { path },
    }
}

/// Locks a mutex, even if a thread panicked while it held it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
