//! Where the server listens, and how long clients may take.

use std::{
    net::SocketAddr,
    num::{NonZeroU64, NonZeroUsize},
};

use clap::Args;

use crate::config::values::{CorsOrigin, GrpcAddress, Switch, address, count, number};

/// Where the server listens, and how long clients may take.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Network")]
pub struct NetworkFlags {
    /// Address of HTTP/1.1 and HTTP/2; port 0 picks a free port
    ///
    /// In clear text unless --tls-cert is given. 0.0.0.0:8080 listens on all addresses of this
    /// machine.
    #[arg(
        long,
        env = "DRSN_HTTP",
        value_name = "ADDR",
        default_value = "127.0.0.1:8080",
        value_parser = address,
    )]
    pub http: SocketAddr,

    /// Address of gRPC, or off; port 0 picks a free port
    ///
    /// In clear text unless --tls-cert is given.
    #[arg(long, env = "DRSN_GRPC", value_name = "ADDR|off", default_value = "127.0.0.1:9000")]
    pub grpc: GrpcAddress,

    /// Whether gRPC clients may ask for a description of the services
    #[arg(long, env = "DRSN_GRPC_REFLECTION", value_name = "on|off", default_value = "on")]
    pub grpc_reflection: Switch,

    /// Connections served at once; beyond them, the longest idle one is closed
    ///
    /// If none is idle, further connections get an answer to health probes, and 429 to other
    /// requests. Twice as many requests may be unfinished.
    #[arg(
        long,
        env = "DRSN_MAX_CONNECTIONS",
        value_name = "N",
        default_value = "1024",
        value_parser = count,
    )]
    pub max_connections: NonZeroUsize,

    /// Origin whose pages may call the REST API from a browser, or * for all; may be given repeatedly
    ///
    /// An origin is a scheme, a host and, unless it is the usual one, a port, as in
    /// `https://example.com`. Several are separated by commas. By default browsers refuse such
    /// requests. Keys apply to them, too.
    #[arg(long, env = "DRSN_CORS_ORIGIN", value_name = "ORIGIN", value_delimiter = ',')]
    pub cors_origin: Vec<CorsOrigin>,

    /// Whether / is the console, a page to try the models and watch the server
    ///
    /// Without it, / redirects to /docs.
    #[arg(long, env = "DRSN_CONSOLE", value_name = "on|off", default_value = "on")]
    pub console: Switch,

    /// Time limit of a request, from its headers to its answer, in milliseconds
    ///
    /// A client can set a shorter one for its request with the header X-Request-Timeout-Ms, or with
    /// the deadline of gRPC.
    #[arg(
        long,
        env = "DRSN_REQUEST_TIMEOUT_MS",
        value_name = "MS",
        default_value = "30000",
        value_parser = number,
    )]
    pub request_timeout_ms: NonZeroU64,

    /// Time after which a client that reads nothing of its response is disconnected, in milliseconds
    #[arg(
        long,
        env = "DRSN_WRITE_TIMEOUT_MS",
        value_name = "MS",
        default_value = "30000",
        value_parser = number,
    )]
    pub write_timeout_ms: NonZeroU64,

    /// Time limit for a gRPC stream that sends no samples or reads no response, in milliseconds
    #[arg(
        long,
        env = "DRSN_STREAM_IDLE_MS",
        value_name = "MS",
        default_value = "60000",
        value_parser = number,
    )]
    pub stream_idle_ms: NonZeroU64,
}
