//! What an operator sees: metrics, logs, traces and per-model statistics.

pub(crate) mod metrics;
pub(crate) mod statistics;
pub mod telemetry;
