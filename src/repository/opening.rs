//! Opening versions: tries each in a process of its own, reads and checks the bundle, opens its
//! sessions, checks them against the golden outputs and warms them up.

use std::{
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use drsn_bundle::{Bundle, runtime::Runtime};
use tokio::runtime::Handle;

use super::{
    RepositoryError,
    folder::{Fingerprint, ModelVersionDir, read_bundle},
    lock,
    snapshot::Served,
    trial::Trial,
};
use crate::{
    config::Config,
    engine::model::Model,
    observability::{
        capture::Capture,
        metrics::{Metrics, ModelLabels},
    },
    readers::Readers,
};

/// What opening a version needs.
#[derive(Debug)]
pub(super) struct Opening<'a> {
    pub(super) config: &'a Config,
    pub(super) runtime: &'a Runtime,
    pub(super) metrics: &'a Arc<Metrics>,
    pub(super) readers: &'a Readers,
    /// Where inputs are kept, if they are.
    pub(super) capture: Option<&'a Capture>,
    /// Tries a version before it is opened here; `None` if it is opened untried.
    pub(super) trial: Option<&'a Trial>,
}

/// A version that was opened, or not.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) found: ModelVersionDir,
    pub(super) outcome: Result<Served, RepositoryError>,
    /// How long it took.
    pub(super) took: Duration,
}

impl Opening<'_> {
    /// Opens versions, as many at once as there are cores, and returns them in the order of `jobs`,
    /// without those that were not begun when the server shut down. Must be called within the
    /// runtime that answers requests.
    pub(super) fn open_all(&self, jobs: Vec<ModelVersionDir>) -> Vec<Opened> {
        let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let threads = cores.min(jobs.len());
        let waiting = Mutex::new(jobs.into_iter().enumerate());
        let opened = Mutex::new(Vec::new());
        let tasks = Handle::current();
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    let _context = tasks.enter();
                    while !self.readers.is_stopped() {
                        let job = lock(&waiting).next();
                        let Some((position, found)) = job else { break };
                        let started = Instant::now();
                        let outcome = self.open(&found, started);
                        let took = started.elapsed();
                        lock(&opened).push((position, Opened { found, outcome, took }));
                    }
                });
            }
        });
        let mut opened = opened.into_inner().unwrap_or_else(PoisonError::into_inner);
        opened.sort_by_key(|(position, _)| *position);
        opened.into_iter().map(|(_, opened)| opened).collect()
    }

    fn open(&self, found: &ModelVersionDir, started: Instant) -> Result<Served, RepositoryError> {
        let tried = self.trial.map(|trial| trial.run(found)).transpose()?;
        let (fingerprint, bundle) = self.read(found)?;
        if tried.is_some_and(|tried| tried != fingerprint) {
            let (model, path) = (found.label(), found.path.clone());
            return Err(RepositoryError::Changed { model, path });
        }
        let labels = ModelLabels { model: found.name.clone(), version: found.version.text.clone() };
        let started_model =
            Model::start(bundle, labels, self.config, self.runtime, self.metrics, self.capture);
        let model = started_model.map_err(|source| RepositoryError::Runtime {
            model: found.label(),
            source: Box::new(source),
        })?;
        model.metrics.load_duration.observe(started.elapsed().as_secs_f64());
        tracing::info!(
            model = model.labels.model,
            version = model.labels.version,
            provider = model.provider.name(),
            max_batch = model.max_batch(),
            tuning = %model.tuning(),
            ms = started.elapsed().as_millis() as u64,
            "model is ready"
        );
        Ok(Served { model: Arc::new(model), fingerprint })
    }

    fn read(&self, found: &ModelVersionDir) -> Result<(Fingerprint, Bundle), RepositoryError> {
        let (path, label) = (found.path.clone(), found.label());
        let read = move || read_bundle(&path, &label);
        let (fingerprint, bundle) =
            self.readers.run(&found.path, read).map_err(|source| found.unread(source))??;
        let in_manifest = format!("{}/{}", bundle.manifest.name, bundle.manifest.version);
        if found.in_place && in_manifest != found.label() {
            return Err(RepositoryError::Misplaced {
                model: found.label(),
                found: in_manifest,
                path: found.path.clone(),
            });
        }
        Ok((fingerprint, bundle))
    }
}
