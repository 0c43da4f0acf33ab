//! State shared by all requests: configuration, models, memory budget, metrics, and the server's
//! phase.

use std::{
    sync::{Arc, OnceLock},
    thread,
    time::{Duration, Instant},
};

use tokio::{sync::watch, task::block_in_place, time::timeout_at};

use crate::{
    admission::{ByteBudget, Client, Cores, Keys, Turn},
    config::Config,
    engine::allocator::return_freed_soon,
    error::{ApiError, ErrorKind},
    observability::{capture::Capture, metrics::Metrics},
    readers::Readers,
    repository::Repository,
    transport::{Peer, Tls},
};

/// The state that all requests share.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) config: Config,
    pub(crate) metrics: Arc<Metrics>,
    /// Where inputs are kept, if they are.
    pub(crate) capture: Option<Arc<Capture>>,
    /// Memory for bodies and inputs.
    pub(crate) budget: Arc<ByteBudget>,
    /// The clients' API keys; without them, no client needs one.
    pub(crate) keys: Option<Keys>,
    /// The certificate; without it, connections are in clear text.
    pub(crate) tls: Option<Arc<Tls>>,
    repository: OnceLock<Arc<Repository>>,
    phase: watch::Sender<Phase>,
    /// Turns for long computations.
    cores: Arc<Cores>,
    /// Where they run.
    /// Reads files with a time limit. Stopped when shutdown is requested: no further model is
    /// loaded then.
    pub(crate) readers: Readers,
}

/// Whose computation it is, and until when it is of use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller {
    pub(crate) client: Client,
    /// When nobody needs the answer any more.
    pub(crate) deadline: Instant,
}

/// The phases of the server, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Models are being loaded.
    Starting,
    /// Requests are answered.
    Ready,
    /// Shutdown was requested; requests are still answered.
    Draining,
    /// The listeners close; accepted requests are finished.
    Closing,
}

impl App {
    /// An app without models, in [`Phase::Starting`].
    pub(crate) fn new(
        config: Config,
        keys: Option<Keys>,
        tls: Option<Arc<Tls>>,
        readers: Readers,
        capture: Option<Arc<Capture>>,
    ) -> Self {
        let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            keys,
            tls,
            capture,
            metrics: Metrics::new(),
            budget: ByteBudget::watched(config.limits.max_inflight_bytes.get(), return_freed_soon),
            repository: OnceLock::new(),
            phase: watch::Sender::new(Phase::Starting),
            cores: Cores::new(cores),
            // As many as there may be turns.
            readers,
            config,
        }
    }

    /// The models.
    ///
    /// # Errors
    /// [`ErrorKind::NotReady`] while they are being loaded.
    pub(crate) fn repository(&self) -> Result<&Arc<Repository>, ApiError> {
        self.repository.get().ok_or_else(|| {
            ErrorKind::NotReady.because("the models are still being loaded; retry shortly")
        })
    }

    /// Serves these models from now on, in [`Phase::Ready`]. A second call changes nothing.
    pub(crate) fn serve_models(&self, repository: Arc<Repository>) {
        if self.repository.set(repository).is_ok() {
            self.enter(Phase::Ready);
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.send_replace(phase);
    }

    /// Waits until the server has reached `phase` or a later one.
    pub(crate) async fn reached(&self, phase: Phase) {
        // The sender lives as long as the app, so waiting cannot fail.
        let _ = self.phase.subscribe().wait_for(|&now| now >= phase).await;
    }

    /// Holds back a refusal for lack of room, if the client did not wait after the last one, at most
    /// until the request's `deadline`. Not while the server drains: then it may try another one at
    /// once.
    pub(crate) async fn hold_back(&self, peer: &Peer, kind: ErrorKind, deadline: Instant) {
        let is_overload = matches!(kind, ErrorKind::QueueFull | ErrorKind::BytesFull);
        let pause = kind.retry_after_seconds().map(Duration::from_secs);
        let Some(pause) = pause.filter(|_| is_overload && !self.is_draining()) else { return };
        if let Some(held) = peer.hold_refusal(pause) {
            let end = (Instant::now() + held.time).min(deadline);
            // Either way the refusal is told now.
            let _ = timeout_at(end.into(), self.reached(Phase::Draining)).await;
        }
    }

    /// Whether shutdown was requested.
    pub(crate) fn is_draining(&self) -> bool {
        self.phase() >= Phase::Draining
    }

    /// Whether every worker of every model is alive.
    pub(crate) fn is_healthy(&self) -> bool {
        self.repository
            .get()
            .is_none_or(|repository| repository.models().iter().all(|model| model.is_healthy()))
    }

    /// Waits for the client's turn on a CPU core, which is taken until the result is dropped.
    pub(crate) async fn core(&self, client: Client) -> Turn {
        self.cores.turn(client).await
    }

    /// Runs a computation of a request. A long one waits for its client's turn, and then runs here,
    /// while another thread takes over the tasks of this one.
    ///
    /// # Errors
    /// [`ErrorKind::DeadlineExceeded`] if no core is free before the deadline.
    pub(crate) async fn compute<T: Send>(
        &self,
        is_long: bool,
        caller: Caller,
        work: impl FnOnce() -> T + Send,
    ) -> Result<T, ApiError> {
        if !is_long {
            return Ok(work());
        }
        let turn = timeout_at(caller.deadline.into(), self.core(caller.client)).await;
        let Ok(_turn) = turn else {
            return Err(ErrorKind::DeadlineExceeded
                .because("the request's time was up before a CPU core was free"));
        };
        Ok(block_in_place(work))
    }
}
