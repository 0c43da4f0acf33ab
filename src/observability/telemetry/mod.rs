//! The log, as text on a terminal and as JSON objects otherwise, with the level from `RUST_LOG`;
//! and traces, if a collector is configured.

mod context;
mod export;
mod lines;
mod span;

use std::io::{self, IsTerminal as _};

use tracing_subscriber::{
    EnvFilter, Layer as _, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

pub use export::{TraceError, Traces};
use lines::lines;
pub(crate) use span::{RequestTrace, TRACEPARENT};

use crate::config::LogFormat;

/// Starts the log, on standard error, and the export of traces. A second call in one process
/// changes nothing.
pub fn start(format: Option<LogFormat>, traces: Option<&Traces>) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let on_terminal = io::stderr().is_terminal();
    let format = format.unwrap_or(if on_terminal { LogFormat::Text } else { LogFormat::Json });
    let registry = tracing_subscriber::registry();
    let started = match traces {
        None => registry.with(filter).with(lines(format, on_terminal, io::stderr)).try_init(),
        // The log's level does not apply to the traces.
        Some(traces) => registry
            .with(lines(format, on_terminal, io::stderr).with_filter(filter))
            .with(traces.layer())
            .try_init(),
    };
    // Tests start several servers in one process: the first one's log stays.
    drop(started);
}
