//! The log: lines for people on a terminal, JSON objects otherwise; `RUST_LOG` sets its level.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::config::LogFormat;

/// Starts the log, on standard error. A second call in one process changes nothing.
pub fn start(format: Option<LogFormat>) {
    let on_terminal = io::stderr().is_terminal();
    let format = format.unwrap_or(if on_terminal { LogFormat::Text } else { LogFormat::Json });
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::registry().with(filter);
    let layer = fmt::layer().with_writer(io::stderr).with_target(false);
    let started = match format {
        LogFormat::Text => log.with(layer.with_ansi(on_terminal)).try_init(),
        LogFormat::Json => log.with(layer.json().flatten_event(true)).try_init(),
    };
    // Tests start several servers in one process: the first one's log stays.
    drop(started);
}
