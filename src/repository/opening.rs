//! Opening versions: reads and checks the bundle, opens its sessions, checks them against the
//! golden outputs and warms them up.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Instant,
};

use drsn_bundle::runtime::Runtime;
use tokio::runtime::Handle;

use super::{
    RepositoryError,
    folder::{ModelVersionDir, fingerprint, open},
    lock,
    snapshot::Served,
};
use crate::{
    config::Config,
    engine::model::Model,
    observability::metrics::{Metrics, ModelLabels},
};

/// Opens versions, as many at once as there are cores, and returns them in the order of `jobs`,
/// without those that were not begun when `ending` was set. Must be called within the runtime that
/// answers requests.
pub(super) fn open_all(
    jobs: Vec<ModelVersionDir>,
    config: &Config,
    runtime: &Runtime,
    metrics: &Arc<Metrics>,
    ending: &AtomicBool,
) -> Vec<(ModelVersionDir, Result<Served, RepositoryError>)> {
    let threads = thread::available_parallelism().map_or(1, std::num::NonZero::get).min(jobs.len());
    let waiting = Mutex::new(jobs.into_iter().enumerate());
    let opened = Mutex::new(Vec::new());
    let tasks = Handle::current();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let _context = tasks.enter();
                while !ending.load(Ordering::Relaxed) {
                    let job = lock(&waiting).next();
                    let Some((position, found)) = job else { break };
                    let outcome = start(&found, config, runtime, metrics);
                    lock(&opened).push((position, found, outcome));
                }
            });
        }
    });
    let mut opened = opened.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    opened.sort_by_key(|(position, ..)| *position);
    opened.into_iter().map(|(_, found, outcome)| (found, outcome)).collect()
}

fn start(
    found: &ModelVersionDir,
    config: &Config,
    runtime: &Runtime,
    metrics: &Arc<Metrics>,
) -> Result<Served, RepositoryError> {
    let started = Instant::now();
    let model = format!("{}/{}", found.name, found.version);
    // Computed before the files are read, so that the next rescan notices a change made meanwhile.
    let fingerprint = fingerprint(&found.path);
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
    let labels = ModelLabels { model: found.name.clone(), version: found.version.text.clone() };
    let model = Model::start(bundle, labels, config, runtime, metrics)
        .map_err(|source| RepositoryError::Runtime { model, source: Box::new(source) })?;
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
