//! The composition root: binds, loads, serves and drains.

mod error;
mod loading;
mod minutes;
mod reload;

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{FutureExt as _, future::BoxFuture};
use tokio::{
    net::TcpListener,
    signal::unix::Signal,
    time::{timeout, timeout_at},
};
use tower::util::Either;

pub use crate::repository::own_program;
use crate::{
    api::{grpc, http},
    app::{App, Phase},
    config::{Config, GrpcAddress},
    transport::{Connections, HttpService},
};
use error::Cause;
pub use error::StartError;
use loading::Loaded;

/// How the server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Nothing uses ONNX Runtime any more.
    Idle,
    /// A thread still uses ONNX Runtime: the process must end without running destructors, which
    /// would take away what that thread uses.
    Busy,
}

/// How long workers may take for their last batch if the drain timeout has expired.
const LAST_BATCH: Duration = Duration::from_secs(1);

/// How long the last captures may take if the drain timeout has expired.
const LAST_CAPTURES: Duration = Duration::from_millis(200);

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
    let http = listen(config.network.http, "--http").await?;
    let grpc = match config.network.grpc {
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
) -> BoxFuture<'static, Result<Ended, StartError>> {
    serve(config, listeners, Box::pin(shutdown)).boxed()
}

async fn serve(
    config: Config,
    listeners: Listeners,
    mut shutdown: BoxFuture<'static, ()>,
) -> Result<Ended, StartError> {
    let started = Instant::now();
    // Registered early: without a receiver, SIGHUP would end the process.
    let hangup = reload::hangup();
    let Some(app) = loading::open(config, &mut shutdown).await? else { return Ok(Ended::Idle) };
    let app = Arc::new(app);
    // One type for both protocols, so that the code that serves connections, which is large, is
    // compiled once.
    let services =
        [Either::Left(http::service(Arc::clone(&app))), Either::Right(grpc::router(&app))];
    let [http, grpc] = services.map(|service| connections(&app, service));
    listeners.announce(app.tls.is_some());
    let mut outcome = Ok(Loaded::Stopped);
    let until_closing = async {
        outcome = until_draining(&app, started, hangup, shutdown).await;
        if let Ok(Loaded::All) = outcome {
            tracing::info!(linger_ms = app.config.shutdown.linger_ms, "draining");
            app.enter(Phase::Draining);
            http.drain();
            grpc.drain();
            tokio::time::sleep(app.config.linger()).await;
        }
        app.enter(Phase::Closing);
    };
    let grpc_served = async {
        if let Some(listener) = listeners.grpc {
            grpc.accept_until(listener, app.reached(Phase::Closing)).await;
        }
    };
    tokio::join!(http.accept_until(listeners.http, until_closing), grpc_served);
    let loaded = outcome?;
    let until = Instant::now() + app.config.drain_timeout();
    finish(&app, http, grpc).await;
    let capture = app.capture.clone();
    let stopped = stop_models(app, until.max(Instant::now() + LAST_BATCH)).await;
    if let Some(capture) = capture {
        let left = until.max(Instant::now() + LAST_CAPTURES) - Instant::now();
        // It only fails if the runtime is ending.
        let _ = tokio::task::spawn_blocking(move || capture.finish(left)).await;
    }
    tracing::info!("stopped");
    Ok(if loaded == Loaded::Busy { Ended::Busy } else { stopped })
}

/// Loads the models and keeps them up to date until shutdown is requested. If it is requested
/// before all models are loaded, there is nothing to drain.
async fn until_draining(
    app: &Arc<App>,
    started: Instant,
    hangup: Option<Signal>,
    mut shutdown: BoxFuture<'static, ()>,
) -> Result<Loaded, StartError> {
    let reloading = tokio::spawn(reload::keep_up_to_date(Arc::clone(app), hangup));
    let minutes = tokio::spawn(minutes::end_each(Arc::clone(app)));
    let loading = loading::start(app, started);
    let loaded = loading::loaded(app, loading, &mut shutdown).await;
    if let Ok(Loaded::All) = loaded {
        shutdown.await;
    }
    reloading.abort();
    minutes.abort();
    // A rescan ends soon: it opens no further model and waits for no file.
    app.readers.stop();
    loaded
}

/// Waits until accepted requests are answered, but no longer than the drain timeout.
async fn finish<S: HttpService>(app: &App, http: Connections<S>, grpc: Connections<S>) {
    let limit = app.config.drain_timeout();
    let finished = async { tokio::join!(http.finish(limit), grpc.finish(limit)) };
    if timeout(limit, finished).await.is_err() {
        tracing::warn!("the drain timeout expired before all requests were answered");
    }
}

/// Stops the workers of every model: ONNX Runtime should not be in use on another thread when the
/// process ends. A worker that is stuck, or a model that is still being loaded, is left behind.
async fn stop_models(app: Arc<App>, until: Instant) -> Ended {
    let stopping = tokio::task::spawn_blocking(move || {
        app.repository().is_ok_and(|repository| !repository.stop(until))
    });
    // A rescan that opens a session holds the repository for longer.
    match timeout_at((until + LAST_BATCH).into(), stopping).await {
        Ok(Ok(is_busy)) => return if is_busy { Ended::Busy } else { Ended::Idle },
        Ok(Err(panic)) => tracing::error!(%panic, "stopping the models panicked"),
        Err(_) => tracing::warn!("the drain timeout expired before all models were stopped"),
    }
    Ended::Busy
}

/// Connections with the configured limits.
fn connections<S: HttpService>(app: &App, service: S) -> Connections<S> {
    Connections::new(service, app.config.network.max_connections.get())
        .with_tls(app.tls.clone())
        .with_write_timeout(app.config.write_timeout())
}
