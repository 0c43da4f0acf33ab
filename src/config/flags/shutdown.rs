//! How long the end may take.

use clap::Args;

use crate::config::values::whole;

/// How long the end may take.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Shutdown")]
pub struct ShutdownFlags {
    /// After SIGTERM: time in which new requests are still answered while /readyz returns 503, in
    /// milliseconds
    #[arg(
        long,
        env = "DRSN_LINGER_MS",
        value_name = "MS",
        default_value = "1000",
        value_parser = whole,
    )]
    pub linger_ms: u64,

    /// After that: time for accepted requests to finish, in milliseconds
    #[arg(
        long,
        env = "DRSN_DRAIN_TIMEOUT_MS",
        value_name = "MS",
        default_value = "8000",
        value_parser = whole,
    )]
    pub drain_timeout_ms: u64,
}
