//! What happens before the server is ready: reading keys and certificate, loading the models. It
//! is over soon after shutdown is requested, whatever the storage does.

use std::{path::Path, sync::Arc, time::Instant};

use drsn_bundle::runtime::Runtime;
use tokio::{
    task::{JoinHandle, spawn_blocking},
    time::timeout,
};

use super::{Cause, StartError};
use crate::{
    admission::Keys, app::App, config::Config, observability::capture::Capture, readers::Readers,
    repository::Repository, transport::Tls,
};

/// How the loading of the models ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loaded {
    /// All models are served.
    All,
    /// Shutdown was requested before.
    Stopped,
    /// Shutdown was requested before, and a thread still loads a model.
    Busy,
}

/// Reads the configured keys and certificate; `None` if shutdown is requested meanwhile.
pub(super) async fn open(
    config: Config,
    shutdown: impl Future<Output = ()>,
) -> Result<Option<App>, StartError> {
    let readers = Readers::new(config.load_timeout());
    let stopping = readers.clone();
    let opening = spawn_blocking(move || open_now(config, readers));
    tokio::select! {
        biased;
        opened = opening => opened.map_err(|panic| Cause::Panicked(panic.to_string()))?.map(Some),
        () = shutdown => {
            stopping.stop();
            Ok(None)
        }
    }
}

fn open_now(config: Config, readers: Readers) -> Result<App, StartError> {
    let unread = |path: &Path| {
        let path = path.to_owned();
        move |source| Cause::Unread { path, source }
    };
    let keys = match config.security.api_keys.clone() {
        Some(file) => {
            let path = file.clone();
            Some(readers.run(&path, move || Keys::open(&file)).map_err(unread(&path))??)
        }
        None => None,
    };
    let tls = match (config.security.tls_cert.clone(), config.security.tls_key.clone()) {
        (Some(certificate), Some(key)) => {
            let path = certificate.clone();
            let read = move || Tls::open(&certificate, &key);
            Some(Arc::new(readers.run(&path, read).map_err(unread(&path))??))
        }
        (None, _) | (_, None) => None,
    };
    let capture = match config.capture.folder.clone() {
        Some(path) => {
            let flags = config.capture.clone();
            readers.run(&path, move || Capture::open(&flags)).map_err(unread(&path))??
        }
        None => None,
    };
    Ok(App::new(config, keys, tls, readers, capture.map(Arc::new)))
}

/// Loads the models, on a thread of the blocking pool.
pub(super) fn start(app: &Arc<App>, started: Instant) -> JoinHandle<Result<(), StartError>> {
    let app = Arc::clone(app);
    spawn_blocking(move || load(&app, started))
}

fn load(app: &App, started: Instant) -> Result<(), StartError> {
    let config = &app.config;
    let runtime = Runtime::start(config.models.onnxruntime.as_deref())?;
    let capture = app.capture.as_ref();
    let opened = Repository::open(config, &runtime, &app.metrics, &app.readers, capture);
    let repository = match opened {
        Ok(repository) => repository,
        // Whatever failed, it does not matter any more.
        Err(_) if app.readers.is_stopped() => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    if app.readers.is_stopped() {
        repository.stop(Instant::now() + config.drain_timeout());
        return Ok(());
    }
    app.serve_models(repository);
    tracing::info!(ms = started.elapsed().as_millis() as u64, "ready");
    Ok(())
}

/// Waits until the models are loaded. If shutdown is requested before, no further model is loaded,
/// reads are given up, and a session that is being opened is awaited for as long as a drain may
/// take: ONNX Runtime should not be in use when the process ends.
pub(super) async fn loaded(
    app: &App,
    mut loading: JoinHandle<Result<(), StartError>>,
    shutdown: impl Future<Output = ()>,
) -> Result<Loaded, StartError> {
    let (outcome, is_ending) = tokio::select! {
        biased;
        outcome = &mut loading => (outcome, false),
        () = shutdown => {
            tracing::info!("shutting down before all models are loaded");
            app.readers.stop();
            let Ok(outcome) = timeout(app.config.drain_timeout(), &mut loading).await else {
                tracing::warn!("the drain timeout expired before a model was loaded");
                return Ok(Loaded::Busy);
            };
            (outcome, true)
        }
    };
    match outcome {
        Ok(Ok(())) => Ok(if is_ending { Loaded::Stopped } else { Loaded::All }),
        Ok(Err(error)) => Err(error),
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}
