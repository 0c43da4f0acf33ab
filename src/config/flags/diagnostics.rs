//! How the diagnostics judge inputs.

use std::num::NonZeroUsize;

use clap::Args;

use crate::config::values::count;

/// How the diagnostics judge inputs.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Diagnostics")]
pub struct DiagnosticsFlags {
    /// Inputs in which the test for a change of a stream or of a long recording may be wrong once, on average
    #[arg(
        long,
        env = "DRSN_FALSE_ALARM_EVERY",
        value_name = "N",
        default_value = "10000",
        value_parser = count,
    )]
    pub false_alarm_every: NonZeroUsize,
}
