//! What an operator sees: metrics, logs, traces and statistics of each model.

pub(crate) mod metrics;
pub(crate) mod rolling;
pub(crate) mod statistics;
pub mod telemetry;
