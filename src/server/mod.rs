//! The composition root: binds, loads, serves and drains.

mod error;
mod reload;

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use drsn_bundle::runtime::Runtime;
use futures_util::{FutureExt as _, future::BoxFuture};
use tokio::{net::TcpListener, signal::unix::Signal, task::JoinHandle, time::timeout};
use tower::util::Either;

use crate::{
    admission::Keys,
    api::{grpc, http},
    app::{App, Phase},
    config::{Config, GrpcAddress},
    repository::Repository,
    transport::{Connections, HttpService, Tls},
};
use error::Cause;
pub use error::StartError;

/// How long workers may take for their last batch if the drain timeout has expired.
const LAST_BATCH: Duration = Duration::from_secs(1);

/// The sockets that the server listens on.
#[derive(Debug)]
pub struct Listeners {
    /// The HTTP listener.
    pub http: TcpListener,
    /// The gRPC listener, unless gRPC is off.
    pub grpc: Option<TcpListener>,
}

impl Listeners {
    fn announce(&self, tls: bool) {
        for (protocol, listener) in [("http", Some(&self.http)), ("grpc", self.grpc.as_ref())] {
            if let Some(Ok(address)) = listener.map(TcpListener::local_addr) {
                tracing::info!(protocol, addr = %address, tls, "listening");
            }
        }
    }
}

/// Listens on the configured addresses.
///
/// # Errors
/// [`StartError`] if the system refuses an address.
pub async fn bind(config: &Config) -> Result<Listeners, StartError> {
    let http = listen(config.http, "--http").await?;
    let grpc = match config.grpc {
        GrpcAddress::At(address) => Some(listen(address, "--grpc").await?),
        GrpcAddress::Off => None,
    };
    Ok(Listeners { http, grpc })
}

async fn listen(address: SocketAddr, flag: &'static str) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|source| Cause::Bind { address, flag, source }.into())
}

/// Serves until `shutdown` is ready, then finishes every accepted request and returns.
///
/// The server answers probes while models are being loaded. The future is boxed so that the server
/// is compiled once, in this crate, and not again in each program that runs it.
///
/// # Errors
/// [`StartError`] if the models cannot be served.
pub fn run(
    config: Config,
    listeners: Listeners,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> BoxFuture<'static, Result<(), StartError>> {
    serve(config, listeners, Box::pin(shutdown)).boxed()
}

async fn serve(
    config: Config,
    listeners: Listeners,
    shutdown: BoxFuture<'static, ()>,
) -> Result<(), StartError> {
    let started = Instant::now();
    let app = Arc::new(open(config)?);
    // One type for both protocols, so that the code that serves connections, which is large, is
    // compiled once.
    let services =
        [Either::Left(http::service(Arc::clone(&app))), Either::Right(grpc::router(&app))];
    let [http, grpc] = services.map(|service| connections(&app, service));
    listeners.announce(app.tls.is_some());
    // Registered early: without a receiver, SIGHUP would end the process.
    let hangup = reload::hangup();
    let mut outcome = Ok(());
    let until_closing = async {
        let loaded = until_draining(&app, started, hangup, shutdown).await;
        if let Ok(true) = loaded {
            tracing::info!(linger_ms = app.config.linger_ms, "draining");
            app.enter(Phase::Draining);
            http.drain();
            grpc.drain();
            tokio::time::sleep(app.config.linger()).await;
        }
        outcome = loaded.map(drop);
        app.enter(Phase::Closing);
    };
    let grpc_served = async {
        if let Some(listener) = listeners.grpc {
            grpc.accept_until(listener, app.reached(Phase::Closing)).await;
        }
    };
    tokio::join!(http.accept_until(listeners.http, until_closing), grpc_served);
    outcome?;
    let until = Instant::now() + app.config.drain_timeout();
    finish(&app, http, grpc).await;
    stop_models(app, until.max(Instant::now() + LAST_BATCH)).await;
    tracing::info!("stopped");
    Ok(())
}

/// Loads the models and keeps them up to date until shutdown is requested. Returns false if it was
/// requested before all models were loaded: then there is nothing to drain.
async fn until_draining(
    app: &Arc<App>,
    started: Instant,
    hangup: Option<Signal>,
    mut shutdown: BoxFuture<'static, ()>,
) -> Result<bool, StartError> {
    let loading = {
        let app = Arc::clone(app);
        tokio::task::spawn_blocking(move || load(&app, started))
    };
    let is_loaded = loaded(app, loading, &mut shutdown).await?;
    if is_loaded {
        let reloading = tokio::spawn(reload::keep_up_to_date(Arc::clone(app), hangup));
        shutdown.await;
        reloading.abort();
    }
    Ok(is_loaded)
}

/// Waits until accepted requests are answered, but no longer than the drain timeout.
async fn finish<S: HttpService>(app: &App, http: Connections<S>, grpc: Connections<S>) {
    let finished = async { tokio::join!(http.finish(), grpc.finish()) };
    if timeout(app.config.drain_timeout(), finished).await.is_err() {
        tracing::warn!("the drain timeout expired before all requests were answered");
    }
}

/// Stops the workers of every model: ONNX Runtime should not be in use on another thread when the
/// process ends. A worker that is stuck is left behind.
async fn stop_models(app: Arc<App>, until: Instant) {
    let stopping = tokio::task::spawn_blocking(move || {
        if let Ok(repository) = app.repository() {
            repository.stop(until);
        }
    });
    if let Err(panic) = stopping.await {
        tracing::error!(%panic, "stopping the models panicked");
    }
}

/// Waits until the models are loaded. Returns false if shutdown was requested before: then no
/// further model is loaded, and the current one is awaited, because ONNX Runtime must not be in use
/// when the process ends.
async fn loaded(
    app: &App,
    mut loading: JoinHandle<Result<(), StartError>>,
    shutdown: impl Future<Output = ()>,
) -> Result<bool, StartError> {
    let (outcome, is_ending) = tokio::select! {
        biased;
        outcome = &mut loading => (outcome, false),
        () = shutdown => {
            tracing::info!("shutting down before all models are loaded");
            app.stop_loading();
            (loading.await, true)
        }
    };
    match outcome {
        Ok(Ok(())) => Ok(!is_ending),
        Ok(Err(error)) => Err(error),
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}

/// Reads the configured keys and certificate.
fn open(config: Config) -> Result<App, StartError> {
    let keys = config.api_keys.as_deref().map(Keys::open).transpose()?;
    let tls = match (&config.tls_cert, &config.tls_key) {
        (Some(certificate), Some(key)) => Some(Arc::new(Tls::open(certificate, key)?)),
        (None, _) | (_, None) => None,
    };
    Ok(App::new(config, keys, tls))
}

/// Connections with the configured limits.
fn connections<S: HttpService>(app: &App, service: S) -> Connections<S> {
    Connections::new(service, app.config.max_connections.get())
        .with_tls(app.tls.clone())
        .with_write_timeout(app.config.write_timeout())
}

fn load(app: &App, started: Instant) -> Result<(), StartError> {
    let config = &app.config;
    let runtime = Runtime::start(config.onnxruntime.as_deref())?;
    let repository = Repository::open(config, &runtime, &app.metrics, app.loading_stopped())?;
    if app.loading_stopped().load(Ordering::Relaxed) {
        repository.stop(Instant::now() + config.drain_timeout());
        return Ok(());
    }
    app.serve_models(repository);
    tracing::info!(ms = started.elapsed().as_millis() as u64, "ready");
    Ok(())
}
