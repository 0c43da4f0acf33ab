//! Binds, loads, serves and drains.

mod upkeep;

use std::{
    io,
    net::SocketAddr,
    pin::pin,
    process::ExitCode,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Instant,
};

use drsn_bundle::runtime::{Runtime, RuntimeError};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
    task::JoinHandle,
    time::{timeout, timeout_at},
};

use crate::{
    admission::ByteBudget,
    auth::{Keys, KeysError},
    config::{Config, GrpcAddress},
    error::{ApiError, ErrorKind},
    grpc,
    http::{
        self,
        connection::{Answers, Connections},
    },
    metrics::Metrics,
    repository::{Repository, RepositoryError},
    tls::{Tls, TlsError},
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
    /// Keys of clients; none where everybody is answered.
    pub keys: Option<Keys>,
    /// The certificate; none where everything is in clear text.
    pub tls: Option<Arc<Tls>>,
    repository: OnceLock<Arc<Repository>>,
    phase: watch::Sender<Phase>,
    /// Long computations that run at once: one a core.
    cores: Semaphore,
    /// Set where the end is asked for while models are being loaded.
    ending: Arc<AtomicBool>,
}

/// Where the server is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Models are being loaded.
    Starting,
    /// Requests are answered.
    Ready,
    /// The end was asked for; requests are still answered.
    Draining,
    /// The listeners close; what was accepted is finished.
    Closing,
}

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}; choose another with {flag}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The flag that sets it.
        flag: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The keys cannot be read.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
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
            Self::Keys(_)
            | Self::Tls(_)
            | Self::Runtime(
                RuntimeError::NotFound { .. }
                | RuntimeError::NoSuchLibrary { .. }
                | RuntimeError::Unusable { .. },
            )
            | Self::Repository(
                RepositoryError::Folder { .. }
                | RepositoryError::Empty { .. }
                | RepositoryError::OneModel { .. }
                | RepositoryError::NoVersion { .. }
                | RepositoryError::NoDefault { .. }
                | RepositoryError::NoBundle { .. },
            ) => ExitCode::from(2),
            Self::Bind { .. } | Self::Runtime(_) | Self::Repository(_) => ExitCode::FAILURE,
        }
    }
}

impl App {
    fn new(config: Config) -> Result<Self, StartError> {
        let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let tls = match (&config.tls_cert, &config.tls_key) {
            (Some(certificate), Some(key)) => Some(Arc::new(Tls::open(certificate, key)?)),
            (None, _) | (_, None) => None,
        };
        Ok(Self {
            keys: config.api_keys.as_deref().map(Keys::open).transpose()?,
            tls,
            metrics: Metrics::new(),
            budget: ByteBudget::new(config.max_inflight_bytes.get()),
            repository: OnceLock::new(),
            phase: watch::Sender::new(Phase::Starting),
            cores: Semaphore::new(cores),
            ending: Arc::default(),
            config,
        })
    }

    /// The models.
    ///
    /// # Errors
    /// [`ErrorKind::NotReady`] while they are being loaded.
    pub fn repository(&self) -> Result<&Arc<Repository>, ApiError> {
        self.repository.get().ok_or_else(|| {
            ErrorKind::NotReady.because("the models are still being loaded; try again in a moment")
        })
    }

    /// Where the server is in its life.
    pub fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Waits until the server is in a phase, or past it.
    pub async fn reached(&self, phase: Phase) {
        // The sender lives as long as this.
        let _ = self.phase.subscribe().wait_for(|&now| now >= phase).await;
    }

    /// Whether the end was asked for.
    pub fn is_draining(&self) -> bool {
        self.phase() >= Phase::Draining
    }

    /// Whether every worker lives.
    pub fn is_healthy(&self) -> bool {
        self.repository
            .get()
            .is_none_or(|repository| repository.models().iter().all(|model| model.is_healthy()))
    }

    /// Runs a computation of a request: a long one not before a core is free for it, and aside from the threads that
    /// serve connections.
    ///
    /// # Errors
    /// [`ErrorKind::DeadlineExceeded`] where no core was free in time.
    pub async fn compute<T>(
        &self,
        is_long: bool,
        deadline: Instant,
        work: impl FnOnce() -> T,
    ) -> Result<T, ApiError> {
        if !is_long {
            return Ok(work());
        }
        let permit = timeout_at(deadline.into(), self.cores.acquire()).await;
        let Ok(_permit) = permit else {
            return Err(ErrorKind::DeadlineExceeded
                .because("the request's time was up before a core was free for it"));
        };
        Ok(tokio::task::block_in_place(work))
    }

    fn enter(&self, phase: Phase) {
        self.phase.send_replace(phase);
    }
}

/// The sockets that the server listens on.
#[derive(Debug)]
pub struct Listeners {
    /// For HTTP.
    pub http: TcpListener,
    /// For gRPC, where it is on.
    pub grpc: Option<TcpListener>,
}

/// Listens on the configured addresses.
///
/// # Errors
/// [`StartError::Bind`].
pub async fn bind(config: &Config) -> Result<Listeners, StartError> {
    let http = listen(config.http, "--http").await?;
    let grpc = match config.grpc {
        GrpcAddress::At(address) => Some(listen(address, "--grpc").await?),
        GrpcAddress::Off => None,
    };
    Ok(Listeners { http, grpc })
}

async fn listen(address: SocketAddr, flag: &'static str) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|source| StartError::Bind { address, flag, source })
}

/// Serves until `shutdown` is ready, and then ends without losing a request that was accepted.
///
/// While models are being loaded the server listens already, and answers probes.
///
/// # Errors
/// [`StartError`] where the models cannot be served.
pub async fn run(
    config: Config,
    listeners: Listeners,
    shutdown: impl Future<Output = ()>,
) -> Result<(), StartError> {
    let started = Instant::now();
    let app = Arc::new(App::new(config)?);
    let http = connections(&app, http::service(Arc::clone(&app)));
    let grpc = connections(&app, grpc::router(&app));
    announce("http", Some(&listeners.http), app.tls.is_some());
    announce("grpc", listeners.grpc.as_ref(), app.tls.is_some());
    let upkeep = {
        // Received from now on: without that, the signal would end the process.
        let hangup = upkeep::hangup();
        let app = Arc::clone(&app);
        move || tokio::spawn(upkeep::keep_up(app, hangup))
    };
    let loading = {
        let app = Arc::clone(&app);
        tokio::task::spawn_blocking(move || load(&app, started))
    };
    let mut failure = None;
    let until_drained = async {
        let mut shutdown = pin!(shutdown);
        match loaded(&app, loading, shutdown.as_mut()).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                failure = Some(error);
                return;
            }
        }
        let upkeep = upkeep();
        shutdown.await;
        upkeep.abort();
        tracing::info!(linger_ms = app.config.linger_ms, "draining");
        app.enter(Phase::Draining);
        http.drain();
        grpc.drain();
        tokio::time::sleep(app.config.linger()).await;
    };
    let until_closing = async {
        until_drained.await;
        app.enter(Phase::Closing);
    };
    let grpc_served = async {
        if let Some(listener) = listeners.grpc {
            grpc.accept_until(listener, app.reached(Phase::Closing)).await;
        }
    };
    tokio::join!(http.accept_until(listeners.http, until_closing), grpc_served);
    if let Some(error) = failure {
        return Err(error);
    }
    let finished = async { tokio::join!(http.finish(), grpc.finish()) };
    if timeout(app.config.drain_timeout(), finished).await.is_err() {
        tracing::warn!("requests were still unanswered when the time for draining was up");
    }
    // ONNX Runtime must not be in use on another thread when the process ends.
    let stopping = tokio::task::spawn_blocking(move || {
        app.repository.get().map(|repository| repository.stop())
    });
    if let Err(panic) = stopping.await {
        tracing::error!(%panic, "a model could not be stopped");
    }
    tracing::info!("stopped");
    Ok(())
}

/// Waits until the models are loaded. False where the end was asked for before: then no further one is loaded, and the one
/// that is being loaded is waited for, because ONNX Runtime must not be in use when the process ends.
async fn loaded(
    app: &App,
    mut loading: JoinHandle<Result<(), StartError>>,
    shutdown: impl Future<Output = ()>,
) -> Result<bool, StartError> {
    let (outcome, is_ending) = tokio::select! {
        biased;
        outcome = &mut loading => (outcome, false),
        () = shutdown => {
            tracing::info!("ending before all models are loaded");
            app.ending.store(true, Ordering::Relaxed);
            (loading.await, true)
        }
    };
    match outcome {
        Ok(Ok(())) => Ok(!is_ending),
        Ok(Err(error)) => Err(error),
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}

/// Connections that are served as the configuration says.
fn connections<S: Answers>(app: &App, service: S) -> Connections<S> {
    Connections::new(service, app.config.max_connections.get())
        .with_tls(app.tls.clone())
        .with_write_timeout(app.config.write_timeout())
}

fn announce(protocol: &str, listener: Option<&TcpListener>, tls: bool) {
    if let Some(Ok(address)) = listener.map(TcpListener::local_addr) {
        tracing::info!(protocol, addr = %address, tls, "listening");
    }
}

fn load(app: &App, started: Instant) -> Result<(), StartError> {
    let config = &app.config;
    let runtime = Runtime::start(config.onnxruntime.as_deref())?;
    let repository = Repository::open(config, &runtime, &app.metrics, &app.ending)?;
    if app.ending.load(Ordering::Relaxed) {
        repository.stop();
        return Ok(());
    }
    // Set once, here.
    let _ = app.repository.set(repository);
    app.enter(Phase::Ready);
    tracing::info!(ms = started.elapsed().as_millis() as u64, "ready");
    Ok(())
}
