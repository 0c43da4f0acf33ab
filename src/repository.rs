//! The folder of models: `<name>/<version>/`, of which the highest version of each name is served; or one bundle.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use drsn_bundle::{
    Bundle, BundleError, Name,
    bundle::MANIFEST_FILE,
    runtime::{Runtime, RuntimeError},
};

use crate::{
    config::Config,
    error::{ApiError, ErrorKind},
    metrics::{Metrics, ModelLabels},
    model::Model,
};

/// The models that are served.
#[derive(Debug)]
pub struct Repository {
    models: BTreeMap<String, Arc<Model>>,
    default: Option<Arc<Model>>,
}

/// Why the models cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    /// The folder is not there, or cannot be read.
    #[error("the folder of models {} cannot be read: {source}; name another with --models", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The folder holds no bundle.
    #[error(
        "the folder {} holds no model: expected <name>/<version>/{MANIFEST_FILE} below it, as `drsn-train train` writes it",
        path.display()
    )]
    Empty {
        /// The folder.
        path: PathBuf,
    },
    /// A name was given for one bundle, and the folder is none.
    #[error("--model-name is for one bundle, and {} is none: it has no {MANIFEST_FILE}; leave the flag out", path.display())]
    NoBundle {
        /// The folder.
        path: PathBuf,
    },
    /// The default model is not among those that are there.
    #[error("--default-model {name} is not among the models that are there: {known}")]
    NoDefault {
        /// The name that was asked for.
        name: Name,
        /// The names that are there.
        known: String,
    },
    /// A folder's name disagrees with the manifest in it.
    #[error("model {model} in {}: its manifest says that it is {found}", path.display())]
    Misplaced {
        /// The folder's name and version.
        model: String,
        /// Name and version in the manifest.
        found: String,
        /// The folder.
        path: PathBuf,
    },
    /// A bundle that is damaged or contradicts itself.
    #[error("model {model} in {}: {source}", path.display())]
    Bundle {
        /// Name and version.
        model: String,
        /// The folder.
        path: PathBuf,
        /// What is wrong.
        source: Box<BundleError>,
    },
    /// A model that does not run here.
    #[error("model {model}: {source}")]
    Runtime {
        /// Name and version.
        model: String,
        /// What is wrong.
        source: Box<RuntimeError>,
    },
}

/// A bundle's place, before it is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    labels: ModelLabels,
    path: PathBuf,
    /// Whether the folder's names must be the manifest's.
    in_place: bool,
}

impl Repository {
    /// Finds the models, opens and starts them, each on its own thread.
    ///
    /// # Errors
    /// [`RepositoryError`] of the first model, by name, that cannot be served.
    pub fn load(
        config: &Config,
        runtime: &Runtime,
        metrics: &Metrics,
    ) -> Result<Self, RepositoryError> {
        let found = discover(&config.models, config.model_name.as_ref())?;
        let known = || {
            let names: Vec<&str> = found.iter().map(|f| f.labels.model.as_str()).collect();
            names.join(", ")
        };
        if let Some(name) = &config.default_model
            && !found.iter().any(|f| f.labels.model == name.as_str())
        {
            return Err(RepositoryError::NoDefault { name: name.clone(), known: known() });
        }
        let started = thread::scope(|scope| {
            let threads: Vec<_> = found
                .iter()
                .map(|found| scope.spawn(|| start(found, config, runtime, metrics)))
                .collect();
            threads
                .into_iter()
                .map(|thread| {
                    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                })
                .collect::<Result<Vec<Model>, RepositoryError>>()
        })?;
        let models: BTreeMap<String, Arc<Model>> = started
            .into_iter()
            .map(|model| (model.labels.model.clone(), Arc::new(model)))
            .collect();
        let default = match (&config.default_model, models.len()) {
            (Some(name), _) => models.get(name.as_str()).cloned(),
            (None, 1) => models.values().next().cloned(),
            (None, _) => None,
        };
        Ok(Self { models, default })
    }

    /// Every model, by name.
    pub fn models(&self) -> impl Iterator<Item = &Arc<Model>> {
        self.models.values()
    }

    /// Ends every model's workers; what still waits is not answered any more.
    pub fn stop(&self) {
        for model in self.models() {
            model.stop();
        }
    }

    /// The model that answers where a request names none.
    pub fn default_model(&self) -> Option<&Arc<Model>> {
        self.default.as_ref()
    }

    /// The model of a name and version; the default where no name is given.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where there is none of that name or version, [`ErrorKind::InvalidArgument`] where
    /// several are served, none is the default, and none is named.
    pub fn find(&self, name: Option<&str>, version: Option<&str>) -> Result<&Arc<Model>, ApiError> {
        let names = || self.models.keys().cloned().collect::<Vec<_>>().join(", ");
        let model = match name {
            Some(name) => self.models.get(name).ok_or_else(|| {
                ErrorKind::NotFound
                    .because(format!("there is no model of that name; the models are: {}", names()))
            })?,
            None => self.default.as_ref().ok_or_else(|| {
                ErrorKind::InvalidArgument.because(format!(
                    "the request names no model, and several are served: {}",
                    names()
                ))
            })?,
        };
        let ModelLabels { model: name, version: served } = &model.labels;
        if version.is_some_and(|version| version != served) {
            return Err(ErrorKind::NotFound.because(format!(
                "model {name} is served in version {served}, and another was asked for"
            )));
        }
        Ok(model)
    }
}

fn start(
    found: &Found,
    config: &Config,
    runtime: &Runtime,
    metrics: &Metrics,
) -> Result<Model, RepositoryError> {
    let model = format!("{}/{}", found.labels.model, found.labels.version);
    let bundle = open(&found.path, &model)?;
    let manifest = &bundle.manifest;
    let in_manifest = format!("{}/{}", manifest.name, manifest.version);
    if found.in_place && in_manifest != model {
        return Err(RepositoryError::Misplaced {
            model,
            found: in_manifest,
            path: found.path.clone(),
        });
    }
    Model::start(bundle, found.labels.clone(), config, runtime, metrics)
        .map_err(|source| RepositoryError::Runtime { model, source: Box::new(source) })
}

fn open(folder: &Path, model: &str) -> Result<Bundle, RepositoryError> {
    Bundle::open(folder).map_err(|source| RepositoryError::Bundle {
        model: model.to_owned(),
        path: folder.to_owned(),
        source: Box::new(source),
    })
}

fn discover(folder: &Path, model_name: Option<&Name>) -> Result<Vec<Found>, RepositoryError> {
    if folder.join(MANIFEST_FILE).is_file() {
        return flat(folder, model_name).map(|found| vec![found]);
    }
    let folders_by_name = folders(folder)?;
    if model_name.is_some() {
        return Err(RepositoryError::NoBundle { path: folder.to_owned() });
    }
    let mut found = Vec::new();
    for (name, path) in folders_by_name {
        let versions = folders(&path)?;
        let latest = versions
            .into_iter()
            .filter_map(|(version, path)| Some((version.parse::<u64>().ok()?, version, path)))
            .max();
        let Some((_, version, path)) = latest else {
            tracing::warn!(folder = %path.display(), "no model version in this folder, it is passed over");
            continue;
        };
        found.push(Found { labels: ModelLabels { model: name, version }, path, in_place: true });
    }
    if found.is_empty() {
        return Err(RepositoryError::Empty { path: folder.to_owned() });
    }
    Ok(found)
}

/// One bundle, without folders for name and version.
fn flat(folder: &Path, model_name: Option<&Name>) -> Result<Found, RepositoryError> {
    let bundle = open(folder, model_name.map_or("of unknown name", Name::as_str))?;
    let name = model_name.unwrap_or(&bundle.manifest.name);
    Ok(Found {
        labels: ModelLabels {
            model: name.to_string(),
            version: bundle.manifest.version.to_string(),
        },
        path: folder.to_owned(),
        in_place: false,
    })
}

/// The folders below one, by name, without hidden ones; links are followed.
fn folders(folder: &Path) -> Result<Vec<(String, PathBuf)>, RepositoryError> {
    let read = || -> io::Result<Vec<(String, PathBuf)>> {
        let mut folders = Vec::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            if let Some(name) = name.filter(|name| Name::new(*name).is_ok() && path.is_dir()) {
                folders.push((name.to_owned(), path));
            }
        }
        folders.sort();
        Ok(folders)
    };
    read().map_err(|source| RepositoryError::Folder { path: folder.to_owned(), source })
}
