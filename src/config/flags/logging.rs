//! The log.

use clap::Args;

use crate::config::values::LogFormat;

/// The log.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Logging")]
pub struct LogFlags {
    /// Format of the log; by default text on a terminal and json otherwise
    ///
    /// `RUST_LOG` sets the level, as in `RUST_LOG=drsn_serve=debug`.
    #[arg(long, env = "DRSN_LOG_FORMAT", value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
}
