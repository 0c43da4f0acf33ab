//! The state of a call: its deadline, its memory, its model, and how it is counted in the metrics.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use axum::http::HeaderMap;
use tonic::{Code, Status};

use super::status;
use crate::{
    admission::{Client, Reservation, Turn},
    app::{App, Caller},
    engine::model::Model,
    error::{ApiError, ErrorKind},
    inference::context::RequestContext,
    observability::metrics::{Metrics, ResponseCode, grpc_name},
};

/// A call that is being answered.
#[derive(Debug)]
pub(super) struct Call {
    metrics: Arc<Metrics>,
    /// Whose call it is.
    pub(super) client: Client,
    /// When its headers were received.
    pub(super) arrival: Instant,
    /// When the call is given up: the earlier of the server's and the client's limit.
    pub(super) deadline: Instant,
    /// The client's own deadline, which also ends streams.
    pub(super) client_deadline: Option<Instant>,
    /// Whether the request was compressed; then so is the response.
    pub(super) is_compressed: bool,
    /// Memory of the received bytes, until the method takes it over.
    memory: Mutex<Option<Reservation>>,
    /// Memory of each message that was received and not yet released, in bytes.
    received: Mutex<VecDeque<u64>>,
    /// The turn in which the next message, a large one, is decoded.
    turn: Mutex<Option<Turn>>,
    /// Whether the call is being polled in such a turn.
    is_aside: AtomicBool,
    model: OnceLock<Arc<Model>>,
    failure: OnceLock<ErrorKind>,
    is_counted: AtomicBool,
}

impl Call {
    pub(super) fn new(app: &App, headers: &HeaderMap, client: Client) -> Self {
        app.metrics.inflight_requests.inc();
        let arrival = Instant::now();
        let client_deadline = timeout_of(headers).and_then(|timeout| arrival.checked_add(timeout));
        let longest = arrival + app.config.request_timeout();
        Self {
            metrics: Arc::clone(&app.metrics),
            client,
            arrival,
            deadline: client_deadline.map_or(longest, |deadline| deadline.min(longest)),
            client_deadline,
            is_compressed: headers.get("grpc-encoding").is_some_and(|e| e != "identity"),
            memory: Mutex::new(Some(app.budget.open())),
            received: Mutex::default(),
            turn: Mutex::default(),
            is_aside: AtomicBool::new(false),
            model: OnceLock::new(),
            failure: OnceLock::new(),
            is_counted: AtomicBool::new(false),
        }
    }

    /// The call that the middleware attached to a request.
    pub(super) fn of<T>(request: &tonic::Request<T>) -> Result<Arc<Self>, Status> {
        let call = request.extensions().get::<Arc<Self>>();
        call.cloned().ok_or_else(|| status::of(&ApiError::internal()))
    }

    /// Records which model is used.
    pub(super) fn set_model(&self, model: &Arc<Model>) {
        // A call uses one model: the first value stays.
        let _ = self.model.set(Arc::clone(model));
    }

    /// The status of an error, whose kind is recorded for the metrics.
    pub(super) fn refuse(&self, error: &ApiError) -> Status {
        let _ = self.failure.set(error.kind);
        status::of(error)
    }

    /// The context of a received request, with the memory of its bytes.
    pub(super) fn take_context<'a>(&self, app: &'a App) -> RequestContext<'a> {
        let mut context =
            RequestContext::new(app, Caller { client: self.client, deadline: self.deadline });
        if let Some(memory) = self.memory().take() {
            context.memory = memory;
        }
        context
    }

    /// Releases the memory of the oldest message, which is counted elsewhere from now on.
    pub(super) fn release_message(&self) {
        let bytes = self.messages().pop_front().unwrap_or_default();
        self.release(bytes);
    }

    /// Records the memory of a message that is handed on.
    pub(super) fn count_message(&self, bytes: u64) {
        self.messages().push_back(bytes);
    }

    /// Releases reserved bytes, unless the method has taken the memory over.
    pub(super) fn release(&self, bytes: u64) {
        if let Some(memory) = self.memory().as_mut() {
            memory.shrink_to(memory.bytes().saturating_sub(bytes));
        }
    }

    /// Releases all memory of a call that is refused.
    pub(super) fn release_all(&self) {
        drop(self.memory().take());
    }

    /// Offers the turn in which a large message is to be decoded.
    pub(super) fn offer_turn(&self, turn: Turn) {
        *self.turn() = Some(turn);
    }

    /// Begins the turn that was offered, if there is one; without one, the call is no longer aside.
    pub(super) fn begin_turn(&self) -> Option<Turn> {
        let turn = self.turn().take();
        self.is_aside.store(turn.is_some(), Ordering::Relaxed);
        turn
    }

    /// Whether the call is being polled in its turn.
    pub(super) fn is_aside(&self) -> bool {
        self.is_aside.load(Ordering::Relaxed)
    }

    /// Whether the call was refused with one of our errors.
    pub(super) fn is_refused(&self) -> bool {
        self.failure.get().is_some()
    }

    /// The kind of the error that the call was refused with.
    pub(super) fn failure(&self) -> Option<ErrorKind> {
        self.failure.get().copied()
    }

    /// Reserves memory of the call, by `reserve`.
    pub(super) fn reserve<T>(
        &self,
        reserve: impl FnOnce(&mut Reservation) -> Result<T, ApiError>,
    ) -> Result<T, Status> {
        match self.memory().as_mut() {
            Some(memory) => reserve(memory).map_err(|error| self.refuse(&error)),
            // A unary method has its message already, and reads no other.
            None => Err(self.refuse_further_message()),
        }
    }

    /// The status of a unary call that has a second message.
    pub(super) fn refuse_further_message(&self) -> Status {
        self.refuse(&ApiError::invalid("expected one message in the call, got more"))
    }

    fn turn(&self) -> MutexGuard<'_, Option<Turn>> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn messages(&self) -> MutexGuard<'_, VecDeque<u64>> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn memory(&self) -> MutexGuard<'_, Option<Reservation>> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts the call as answered with `code`; a second call does nothing.
    pub(super) fn finish(&self, code: Code) {
        if self.is_counted.swap(true, Ordering::Relaxed) {
            return;
        }
        let model = self.model.get();
        let labels = model.map(|model| &model.labels);
        self.metrics.count_request(labels, ResponseCode::Grpc(grpc_name(code)));
        if let Some(model) = model {
            model.metrics.grpc_duration.observe(self.arrival.elapsed().as_secs_f64());
        }
        let reason = match self.failure.get() {
            Some(kind) => kind.rejection(),
            None => rejection(code),
        };
        if let Some(reason) = reason {
            self.metrics.count_rejection(labels, reason);
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.metrics.inflight_requests.dec();
        if !*self.is_counted.get_mut() {
            self.metrics.count_rejection(None, "cancelled");
        }
    }
}

/// The reason in the metrics for a code that tonic set.
fn rejection(code: Code) -> Option<&'static str> {
    match code {
        Code::InvalidArgument => Some("invalid"),
        Code::OutOfRange | Code::ResourceExhausted => Some("too_large"),
        Code::DeadlineExceeded => Some("deadline"),
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::Unimplemented
        | Code::Internal
        | Code::Unavailable
        | Code::DataLoss
        | Code::Unauthenticated => None,
    }
}

/// Parses `grpc-timeout`: a number of at most 8 digits, and its unit.
pub(super) fn timeout_of(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if number.len() > 8 {
        return None;
    }
    let number: u64 = number.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_hours(number)),
        "M" => Some(Duration::from_mins(number)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_timeout_is_parsed_with_its_unit() {
        let read = |text| {
            timeout_of(&HeaderMap::from_iter([(
                "grpc-timeout".parse().unwrap(),
                HeaderValue::from_static(text),
            )]))
        };
        assert_eq!(read("100m"), Some(Duration::from_millis(100)));
        assert_eq!(read("99999999H"), Some(Duration::from_hours(99_999_999)));
        for wrong in ["", "m", "1", "-1S", "123456789S", "1é"] {
            assert_eq!(HeaderValue::from_str(wrong).ok().and_then(|_| read_or_none(wrong)), None);
        }
    }

    fn read_or_none(text: &str) -> Option<Duration> {
        let value = HeaderValue::from_str(text).ok()?;
        timeout_of(&HeaderMap::from_iter([("grpc-timeout".parse().ok()?, value)]))
    }
}
