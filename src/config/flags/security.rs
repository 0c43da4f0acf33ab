//! Keys and certificate.

use std::path::PathBuf;

use clap::{ArgAction, Args};

use crate::config::values::truth;

/// Keys and certificate.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Security")]
pub struct SecurityFlags {
    /// File of API keys, one per line; without it, clients need no key
    ///
    /// Lines that begin with # are comments. SIGHUP reads the file again.
    #[arg(long, env = "DRSN_API_KEYS", value_name = "FILE")]
    pub api_keys: Option<PathBuf>,

    /// Serve /metrics without an API key
    #[arg(
        long,
        env = "DRSN_METRICS_OPEN",
        action = ArgAction::Set,
        num_args = 0..=1,
        require_equals = true,
        default_value = "false",
        default_missing_value = "true",
        hide_default_value = true,
        hide_possible_values = true,
        value_name = "yes|no",
        value_parser = truth,
    )]
    pub metrics_open: bool,

    /// Certificate chain in PEM, the server's own certificate first; needs --tls-key
    ///
    /// With it, HTTP and gRPC are served over TLS. SIGHUP reads the certificate and the key again.
    #[arg(long, env = "DRSN_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// Private key of the certificate, in PEM
    #[arg(long, env = "DRSN_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
}
