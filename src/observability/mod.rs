//! What an operator sees: metrics, logs, traces, statistics of each model, and inputs that were kept.

pub(crate) mod capture;
pub(crate) mod clock;
pub(crate) mod metrics;
pub(crate) mod rolling;
pub(crate) mod statistics;
pub mod telemetry;
