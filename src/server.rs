//! Binds, loads, serves and drains.

use std::{
    io,
    net::SocketAddr,
    process::ExitCode,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU8, Ordering},
    },
    thread,
    time::Instant,
};

use drsn_bundle::runtime::{Runtime, RuntimeError};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

use crate::{
    admission::ByteBudget,
    config::Config,
    decode::MediaType,
    error::{ApiError, ErrorKind},
    http::{self, connection::Connections},
    metrics::Metrics,
    repository::{Repository, RepositoryError},
};

/// What all requests share.
#[derive(Debug)]
pub struct App {
    /// The knobs.
    pub config: Config,
    /// What Prometheus sees.
    pub metrics: Arc<Metrics>,
    /// Memory for bodies and inputs.
    pub budget: Arc<ByteBudget>,
    repository: OnceLock<Repository>,
    phase: AtomicU8,
    /// Large bodies that are decoded at once: one a core.
    decoders: Semaphore,
}

/// Where the server is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// Models are being loaded.
    Starting,
    /// Requests are answered.
    Ready,
    /// The end was asked for; requests are still answered.
    Draining,
}

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}; choose another with --http")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// ONNX Runtime is not there, or cannot be used.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The models cannot be served.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
}

impl StartError {
    /// 2 where something that was named is not there, 1 where what is there does not work.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Runtime(RuntimeError::NotFound { .. })
            | Self::Repository(
                RepositoryError::Folder { .. }
                | RepositoryError::Empty { .. }
                | RepositoryError::NoDefault { .. },
            ) => ExitCode::from(2),
            Self::Bind { .. } | Self::Runtime(_) | Self::Repository(_) => ExitCode::FAILURE,
        }
    }
}

/// Largest body that is decoded between other requests; a larger one gets a thread of its own for that time.
const INLINE_BYTES: usize = 64 * 1024;

impl App {
    fn new(config: Config) -> Self {
        let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            metrics: Metrics::new(),
            budget: ByteBudget::new(config.max_inflight_bytes.get()),
            repository: OnceLock::new(),
            phase: AtomicU8::new(Phase::Starting as u8),
            decoders: Semaphore::new(cores),
            config,
        }
    }

    /// The models.
    ///
    /// # Errors
    /// [`ErrorKind::NotReady`] while they are being loaded.
    pub fn repository(&self) -> Result<&Repository, ApiError> {
        self.repository.get().ok_or_else(|| {
            ErrorKind::NotReady.because("the models are still being loaded; try again in a moment")
        })
    }

    /// Where the server is in its life.
    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            phase if phase == Phase::Starting as u8 => Phase::Starting,
            phase if phase == Phase::Ready as u8 => Phase::Ready,
            _ => Phase::Draining,
        }
    }

    /// Whether the end was asked for.
    pub fn is_draining(&self) -> bool {
        self.phase() == Phase::Draining
    }

    /// Whether every worker lives.
    pub fn is_healthy(&self) -> bool {
        self.repository
            .get()
            .is_none_or(|repository| repository.models().all(|model| model.is_healthy()))
    }

    /// Whether a body is decoded between other requests: it is small, and no image, whose size its length does
    /// not tell.
    pub fn decodes_inline(media: MediaType, length: usize) -> bool {
        length <= INLINE_BYTES && media != MediaType::Image
    }

    /// Waits for a core to decode a large body on.
    ///
    /// # Errors
    /// None in practice: the semaphore is never closed.
    pub async fn decoding_permit(
        &self,
        media: MediaType,
        length: usize,
    ) -> Result<Option<SemaphorePermit<'_>>, ApiError> {
        if Self::decodes_inline(media, length) {
            return Ok(None);
        }
        let permit = self.decoders.acquire().await;
        permit.map(Some).map_err(|_| ApiError::internal())
    }

    fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }
}

/// Listens on the configured address.
///
/// # Errors
/// [`StartError::Bind`].
pub async fn bind(config: &Config) -> Result<TcpListener, StartError> {
    TcpListener::bind(config.http)
        .await
        .map_err(|source| StartError::Bind { address: config.http, source })
}

/// Serves until `shutdown` is ready, and then ends without losing a request that was accepted.
///
/// While models are being loaded the server listens already, and answers probes.
///
/// # Errors
/// [`StartError`] where the models cannot be served.
pub async fn run(
    config: Config,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) -> Result<(), StartError> {
    let started = Instant::now();
    let app = Arc::new(App::new(config));
    let connections =
        Connections::new(http::router(Arc::clone(&app)), app.config.max_connections.get());
    if let Ok(address) = listener.local_addr() {
        tracing::info!(protocol = "http", addr = %address, "listening");
    }
    let loading = {
        let app = Arc::clone(&app);
        tokio::task::spawn_blocking(move || load(&app, started))
    };
    let mut failure = None;
    let until_drained = async {
        match loading.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                failure = Some(error);
                return;
            }
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
        shutdown.await;
        tracing::info!(linger_ms = app.config.linger_ms, "draining");
        app.enter(Phase::Draining);
        tokio::time::sleep(app.config.linger()).await;
    };
    connections.accept_until(listener, until_drained).await;
    if let Some(error) = failure {
        return Err(error);
    }
    if timeout(app.config.drain_timeout(), connections.finish()).await.is_err() {
        tracing::warn!("requests were still unanswered when the time for draining was up");
    }
    // ONNX Runtime must not be in use on another thread when the process ends.
    let stopping = tokio::task::spawn_blocking(move || app.repository.get().map(Repository::stop));
    if let Err(panic) = stopping.await {
        tracing::error!(%panic, "a model could not be stopped");
    }
    tracing::info!("stopped");
    Ok(())
}

fn load(app: &App, started: Instant) -> Result<(), StartError> {
    let config = &app.config;
    let runtime = Runtime::start(config.onnxruntime.as_deref())?;
    let repository = Repository::load(config, &runtime, &app.metrics)?;
    for model in repository.models() {
        tracing::info!(
            model = model.labels.model,
            version = model.labels.version,
            provider = model.provider.name(),
            max_batch = model.max_batch(),
            "model is ready"
        );
    }
    // Set once, here.
    let _ = app.repository.set(repository);
    app.enter(Phase::Ready);
    tracing::info!(ms = started.elapsed().as_millis() as u64, "ready");
    Ok(())
}
