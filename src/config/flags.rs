//! The flags of the server, in the groups of `--help`. Each has a variable `DRSN_…`.

use std::{
    net::SocketAddr,
    num::{NonZeroU64, NonZeroUsize},
    path::PathBuf,
};

use clap::{ArgAction, Parser};
use drsn_bundle::Name;

use super::values::{
    CorsOrigin, Device, GrpcAddress, LogFormat, MaxBatch, ModelControl, Switch, VersionPolicy,
    address, count, number, truth, whole,
};

/// Serves trained Deep Residual Shrinkage Networks: class probabilities, and what each block's
/// thresholds did.
#[derive(Debug, Clone, Parser)]
#[command(name = "drsn-serve", version, about, max_term_width = 110)]
pub struct Config {
    /// Address of HTTP/1.1 and HTTP/2; port 0 picks a free port
    ///
    /// In clear text unless --tls-cert is given. 0.0.0.0:8080 listens on all addresses of this
    /// machine.
    #[arg(
        long,
        env = "DRSN_HTTP",
        help_heading = "Network",
        value_name = "ADDR",
        default_value = "127.0.0.1:8080",
        value_parser = address,
    )]
    pub http: SocketAddr,

    /// Address of gRPC, or off; port 0 picks a free port
    ///
    /// In clear text unless --tls-cert is given.
    #[arg(
        long,
        env = "DRSN_GRPC",
        help_heading = "Network",
        value_name = "ADDR|off",
        default_value = "127.0.0.1:9000"
    )]
    pub grpc: GrpcAddress,

    /// Whether gRPC clients may ask for a description of the services
    #[arg(
        long,
        env = "DRSN_GRPC_REFLECTION",
        help_heading = "Network",
        value_name = "on|off",
        default_value = "on"
    )]
    pub grpc_reflection: Switch,

    /// Connections served at once; beyond them, the longest idle one is closed
    ///
    /// If none is idle, further connections get an answer to health probes, and 429 to other
    /// requests. Twice as many requests may be unfinished.
    #[arg(
        long,
        env = "DRSN_MAX_CONNECTIONS",
        help_heading = "Network",
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
    #[arg(
        long,
        env = "DRSN_CORS_ORIGIN",
        help_heading = "Network",
        value_name = "ORIGIN",
        value_delimiter = ','
    )]
    pub cors_origin: Vec<CorsOrigin>,

    /// Whether / is the console, a page to try the models and watch the server
    ///
    /// Without it, / redirects to /docs.
    #[arg(
        long,
        env = "DRSN_CONSOLE",
        help_heading = "Network",
        value_name = "on|off",
        default_value = "on"
    )]
    pub console: Switch,

    /// Time limit of a request, from its headers to its answer, in milliseconds
    ///
    /// A client can set a shorter one for its request with the header X-Request-Timeout-Ms, or with
    /// the deadline of gRPC.
    #[arg(
        long,
        env = "DRSN_REQUEST_TIMEOUT_MS",
        help_heading = "Network",
        value_name = "MS",
        default_value = "30000",
        value_parser = number,
    )]
    pub request_timeout_ms: NonZeroU64,

    /// Time after which a client that reads nothing of its response is disconnected, in milliseconds
    #[arg(
        long,
        env = "DRSN_WRITE_TIMEOUT_MS",
        help_heading = "Network",
        value_name = "MS",
        default_value = "30000",
        value_parser = number,
    )]
    pub write_timeout_ms: NonZeroU64,

    /// Time limit for a gRPC stream that sends no samples or reads no response, in milliseconds
    #[arg(
        long,
        env = "DRSN_STREAM_IDLE_MS",
        help_heading = "Network",
        value_name = "MS",
        default_value = "60000",
        value_parser = number,
    )]
    pub stream_idle_ms: NonZeroU64,

    /// Folder of models, laid out as NAME/VERSION/, or one bundle
    ///
    /// For one bundle, --model-name sets the name under which it is served.
    #[arg(
        long,
        env = "DRSN_MODELS",
        help_heading = "Models",
        value_name = "DIR",
        default_value = "models"
    )]
    pub models: PathBuf,

    /// Name of the model if --models is one bundle; by default its manifest's name
    #[arg(long, env = "DRSN_MODEL_NAME", help_heading = "Models", value_name = "NAME")]
    pub model_name: Option<Name>,

    /// Model for requests that do not name one; not needed if there is only one model
    #[arg(long, env = "DRSN_DEFAULT_MODEL", help_heading = "Models", value_name = "NAME")]
    pub default_model: Option<Name>,

    /// Versions to serve of each model: latest, all, or specific:N[,N...]
    ///
    /// A request without a version gets the highest version served.
    #[arg(
        long,
        env = "DRSN_VERSION_POLICY",
        help_heading = "Models",
        value_name = "POLICY",
        default_value = "latest"
    )]
    pub version_policy: VersionPolicy,

    /// When to load and unload models: fixed, poll or explicit
    ///
    /// fixed serves the models found at start. poll scans the folder every --poll-seconds. explicit
    /// enables POST /v2/repository/models/MODEL/load and /unload. SIGHUP scans the folder in every
    /// mode.
    #[arg(
        long,
        env = "DRSN_MODEL_CONTROL",
        help_heading = "Models",
        value_name = "HOW",
        default_value = "fixed"
    )]
    pub model_control: ModelControl,

    /// Seconds between two scans of the folder with --model-control poll
    #[arg(
        long,
        env = "DRSN_POLL_SECONDS",
        help_heading = "Models",
        value_name = "SECONDS",
        default_value = "10",
        value_parser = number,
    )]
    pub poll_seconds: NonZeroU64,

    /// Longest time for reading the files of a version, and again for trying it, in milliseconds
    ///
    /// It also limits each look at the folder of models, and reading keys and certificate.
    #[arg(
        long,
        env = "DRSN_LOAD_TIMEOUT_MS",
        help_heading = "Models",
        value_name = "MS",
        default_value = "60000",
        value_parser = number,
    )]
    pub load_timeout_ms: NonZeroU64,

    /// The program that tries new versions in a process of their own, `drsn-serve` itself; without
    /// it, they are loaded untried.
    #[arg(skip)]
    pub trial_program: Option<PathBuf>,

    /// Device to compute on: auto, cpu, cuda or cuda:N
    ///
    /// auto uses the first CUDA device if it works, and the CPU otherwise.
    #[arg(
        long,
        env = "DRSN_DEVICE",
        help_heading = "Models",
        value_name = "DEVICE",
        default_value = "auto"
    )]
    pub device: Device,

    /// ONNX Runtime's shared library; by default searched for in the usual places
    ///
    /// The usual places: `ORT_DYLIB_PATH`, beside this program, and where the system keeps its
    /// libraries.
    #[arg(long, env = "DRSN_ONNXRUNTIME", help_heading = "Models", value_name = "PATH")]
    pub onnxruntime: Option<PathBuf>,

    /// Batches of each model computed at once; by default one per core on the CPU, one on a GPU
    ///
    /// Each worker has an ONNX Runtime session of its own.
    #[arg(
        long,
        env = "DRSN_WORKERS",
        help_heading = "Batching",
        value_name = "N",
        value_parser = count,
    )]
    pub workers: Option<NonZeroUsize>,

    /// Largest batch given to a model, up to 4096 inputs, or auto
    ///
    /// auto measures at start what an input costs in batches of different sizes, and picks the
    /// smallest size that costs hardly more than the best.
    #[arg(
        long,
        env = "DRSN_MAX_BATCH",
        help_heading = "Batching",
        value_name = "N|auto",
        default_value = "auto"
    )]
    pub max_batch: MaxBatch,

    /// Time an incomplete batch waits for more inputs, in microseconds
    ///
    /// 0 is usually best: the inputs that arrive while all workers are busy form the next batch.
    #[arg(
        long,
        env = "DRSN_MAX_WAIT_US",
        help_heading = "Batching",
        value_name = "US",
        default_value = "0",
        value_parser = whole,
    )]
    pub max_wait_us: u64,

    /// Requests that may wait for each model; further ones are refused with 429
    #[arg(
        long,
        env = "DRSN_QUEUE",
        help_heading = "Limits",
        value_name = "N",
        default_value = "512",
        value_parser = count,
    )]
    pub queue: NonZeroUsize,

    /// Memory for the bodies and decoded inputs of all requests together, in bytes
    ///
    /// Requests beyond this budget are refused with 429.
    #[arg(
        long,
        env = "DRSN_MAX_INFLIGHT_BYTES",
        help_heading = "Limits",
        value_name = "BYTES",
        default_value = "268435456",
        value_parser = number,
    )]
    pub max_inflight_bytes: NonZeroU64,

    /// Largest request body, in bytes; recordings have --max-recording-bytes
    #[arg(
        long,
        env = "DRSN_MAX_BODY_BYTES",
        help_heading = "Limits",
        value_name = "BYTES",
        default_value = "16777216",
        value_parser = count,
    )]
    pub max_body_bytes: NonZeroUsize,

    /// Largest recording, as a file or as raw numbers, in bytes
    ///
    /// WAV files and raw numbers of one channel are classified as they arrive and never held in
    /// memory whole.
    #[arg(
        long,
        env = "DRSN_MAX_RECORDING_BYTES",
        help_heading = "Limits",
        value_name = "BYTES",
        default_value = "268435456",
        value_parser = count,
    )]
    pub max_recording_bytes: NonZeroUsize,

    /// Largest number of pixels that an image file may declare
    #[arg(
        long,
        env = "DRSN_MAX_IMAGE_PIXELS",
        help_heading = "Limits",
        value_name = "PIXELS",
        default_value = "50000000",
        value_parser = number,
    )]
    pub max_image_pixels: NonZeroU64,

    /// Largest number of inputs in one request; each window of a recording counts as one
    #[arg(
        long,
        env = "DRSN_MAX_WINDOWS",
        help_heading = "Limits",
        value_name = "N",
        default_value = "20000",
        value_parser = count,
    )]
    pub max_windows: NonZeroUsize,

    /// Inputs in which the test for a change of a stream or of a long recording may be wrong once, on average
    #[arg(
        long,
        env = "DRSN_FALSE_ALARM_EVERY",
        help_heading = "Diagnostics",
        value_name = "N",
        default_value = "10000",
        value_parser = count,
    )]
    pub false_alarm_every: NonZeroUsize,

    /// File of API keys, one per line; without it, clients need no key
    ///
    /// Lines that begin with # are comments. SIGHUP reads the file again.
    #[arg(long, env = "DRSN_API_KEYS", help_heading = "Security", value_name = "FILE")]
    pub api_keys: Option<PathBuf>,

    /// Serve /metrics without an API key
    #[arg(
        long,
        env = "DRSN_METRICS_OPEN",
        help_heading = "Security",
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
    #[arg(
        long,
        env = "DRSN_TLS_CERT",
        help_heading = "Security",
        value_name = "FILE",
        requires = "tls_key"
    )]
    pub tls_cert: Option<PathBuf>,

    /// Private key of the certificate, in PEM
    #[arg(
        long,
        env = "DRSN_TLS_KEY",
        help_heading = "Security",
        value_name = "FILE",
        requires = "tls_cert"
    )]
    pub tls_key: Option<PathBuf>,

    /// After SIGTERM: time in which new requests are still answered while /readyz returns 503, in
    /// milliseconds
    #[arg(
        long,
        env = "DRSN_LINGER_MS",
        help_heading = "Shutdown",
        value_name = "MS",
        default_value = "1000",
        value_parser = whole,
    )]
    pub linger_ms: u64,

    /// After that: time for accepted requests to finish, in milliseconds
    #[arg(
        long,
        env = "DRSN_DRAIN_TIMEOUT_MS",
        help_heading = "Shutdown",
        value_name = "MS",
        default_value = "8000",
        value_parser = whole,
    )]
    pub drain_timeout_ms: u64,

    /// Format of the log; by default text on a terminal and json otherwise
    ///
    /// `RUST_LOG` sets the level, as in `RUST_LOG=drsn_serve=debug`.
    #[arg(long, env = "DRSN_LOG_FORMAT", help_heading = "Logging", value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
}
