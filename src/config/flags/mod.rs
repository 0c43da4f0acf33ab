//! The flags of the server, in the groups of `--help`. Each has a variable `DRSN_…`.

mod batching;
mod capture;
mod diagnostics;
mod limits;
mod logging;
mod models;
mod network;
mod security;
mod shutdown;

use clap::Parser;

pub use batching::BatchingFlags;
pub use capture::CaptureFlags;
pub use diagnostics::DiagnosticsFlags;
pub use limits::LimitFlags;
pub use logging::LogFlags;
pub use models::ModelFlags;
pub use network::NetworkFlags;
pub use security::SecurityFlags;
pub use shutdown::ShutdownFlags;

/// Serves trained Deep Residual Shrinkage Networks: class probabilities, and what each block's
/// thresholds did.
#[derive(Debug, Clone, Parser)]
#[command(name = "drsn-serve", version, about, max_term_width = 110)]
pub struct Config {
    /// Where the server listens, and how long clients may take.
    #[command(flatten)]
    pub network: NetworkFlags,
    /// Which models are served, and on what device.
    #[command(flatten)]
    pub models: ModelFlags,
    /// How inputs are put together.
    #[command(flatten)]
    pub batching: BatchingFlags,
    /// What requests may cost.
    #[command(flatten)]
    pub limits: LimitFlags,
    /// How the diagnostics judge inputs.
    #[command(flatten)]
    pub diagnostics: DiagnosticsFlags,
    /// Which inputs are kept, and where.
    #[command(flatten)]
    pub capture: CaptureFlags,
    /// Keys and certificate.
    #[command(flatten)]
    pub security: SecurityFlags,
    /// How long the end may take.
    #[command(flatten)]
    pub shutdown: ShutdownFlags,
    /// The log.
    #[command(flatten)]
    pub logging: LogFlags,
}
