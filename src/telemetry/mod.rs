//! The log: lines for people on a terminal, JSON objects otherwise; `RUST_LOG` sets its level. And traces, where a
//! collector is named.

mod context;
mod export;
mod span;

use std::io::{self, IsTerminal as _};

use tracing::Subscriber;
use tracing_subscriber::{
    EnvFilter, Layer, fmt, layer::SubscriberExt as _, registry::LookupSpan,
    util::SubscriberInitExt as _,
};

pub use export::{TraceError, Traces};
pub(crate) use span::{RequestSpan, TRACEPARENT};

use crate::config::LogFormat;

/// Starts the log, on standard error, and what exports traces. A second call in one process changes nothing.
pub fn start(format: Option<LogFormat>, traces: Option<&Traces>) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let registry = tracing_subscriber::registry();
    let started = match traces {
        None => registry.with(filter).with(lines(format)).try_init(),
        // The level of the log is not that of the traces.
        Some(traces) => {
            registry.with(lines(format).with_filter(filter)).with(traces.layer()).try_init()
        }
    };
    // Tests start several servers in one process: the first one's log stays.
    drop(started);
}

fn lines<S>(format: Option<LogFormat>) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let on_terminal = io::stderr().is_terminal();
    let format = format.unwrap_or(if on_terminal { LogFormat::Text } else { LogFormat::Json });
    let lines = fmt::layer().with_writer(io::stderr).with_target(false);
    match format {
        LogFormat::Text => lines.with_ansi(on_terminal).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    }
}
