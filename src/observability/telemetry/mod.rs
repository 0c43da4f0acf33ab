//! The log, as text on a terminal and as JSON objects otherwise, with the level from `RUST_LOG`;
//! and traces, if a collector is configured.

mod context;
mod export;
mod lines;
mod repeats;
mod span;
mod writer;

use std::{
    io::{self, IsTerminal as _},
    panic::{self, PanicHookInfo},
    sync::OnceLock,
    time::Duration,
};

use tracing_subscriber::{
    EnvFilter, Layer as _, fmt::writer::BoxMakeWriter, layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

pub use export::{TraceError, Traces};
use lines::lines;
pub(crate) use lines::{current_request, for_same_request};
pub(crate) use span::{RequestTrace, TRACEPARENT};
use writer::LogWriter;
pub(crate) use writer::dropped_lines;

use crate::config::{LogFormat, variable};

/// How long the end of the process waits for its last log lines to be read.
const LAST_LINES: Duration = Duration::from_secs(1);

/// The writer of this process's log, once it is started; `None` if the system gave no thread.
static LOG: OnceLock<Option<LogWriter>> = OnceLock::new();

/// Starts the log, on standard error, and the export of traces. Panics are logged like everything
/// else. A second call in one process changes nothing.
pub fn start(format: Option<LogFormat>, traces: Option<&Traces>) {
    start_from("info", format, traces);
}

/// Starts the log of a command, which has nothing to say but errors.
pub(crate) fn start_quietly(format: Option<LogFormat>) {
    start_from("error", Some(format.unwrap_or(LogFormat::Text)), None);
}

/// Starts the log from this level on, unless `RUST_LOG` sets another.
fn start_from(level: &str, format: Option<LogFormat>, traces: Option<&Traces>) {
    let given = variable(EnvFilter::DEFAULT_ENV).and_then(|level| EnvFilter::try_new(level).ok());
    let filter = given.unwrap_or_else(|| EnvFilter::new(level));
    let on_terminal = io::stderr().is_terminal();
    let format = format.unwrap_or(if on_terminal { LogFormat::Text } else { LogFormat::Json });
    let registry = tracing_subscriber::registry();
    let writer = writer();
    let started = match traces {
        None => registry.with(filter).with(lines(format, on_terminal, writer)).try_init(),
        // The log's level does not apply to the traces.
        Some(traces) => registry
            .with(lines(format, on_terminal, writer).with_filter(filter))
            .with(traces.layer())
            .try_init(),
    };
    // Tests start several servers in one process: the first one's log stays.
    if started.is_ok() {
        panic::set_hook(Box::new(log_panic));
    }
}

/// Logs a panic. The standard library's hook would write to standard error and wait for its reader.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let at = panic.location().map(ToString::to_string);
    tracing::error!(panic = panic.payload_as_str(), at, "a thread panicked");
}

/// Waits until the log is written, but no longer than a second: nobody may be reading it. Call it
/// before the process ends.
pub fn finish() {
    if let Some(Some(log)) = LOG.get() {
        log.finish(LAST_LINES);
    }
}

/// The writer of the log; standard error itself if the system gives no thread.
fn writer() -> BoxMakeWriter {
    match LOG.get_or_init(|| LogWriter::start(io::stderr()).ok()).clone() {
        Some(log) => BoxMakeWriter::new(move || log.clone()),
        None => BoxMakeWriter::new(io::stderr),
    }
}
