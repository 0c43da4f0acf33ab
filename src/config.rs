//! Every knob of the server, in one structure. Each flag has a twin in the environment, `DRSN_…`.

mod values;

use std::{
    net::SocketAddr,
    num::{NonZeroU64, NonZeroUsize},
    path::PathBuf,
    time::Duration,
};

use clap::Parser;
use drsn_bundle::Name;

pub use values::{Device, GrpcAddress, LogFormat, MaxBatch, ModelControl, VersionPolicy};
use values::{address, count, number, whole};

/// Serves trained Deep Residual Shrinkage Networks: class probabilities, and what each block's thresholds did.
#[derive(Debug, Clone, Parser)]
#[command(name = "drsn-serve", version, about, max_term_width = 110)]
pub struct Config {
    /// Address of HTTP/1.1 and HTTP/2, in clear text unless --tls-cert is given; port 0 takes a free one.
    #[arg(
        long,
        env = "DRSN_HTTP",
        default_value = "127.0.0.1:8080",
        value_name = "ADDR",
        value_parser = address,
    )]
    pub http: SocketAddr,

    /// Address of gRPC, in clear text unless --tls-cert is given, or `off`; port 0 takes a free one.
    #[arg(long, env = "DRSN_GRPC", default_value = "127.0.0.1:9000", value_name = "ADDR|off")]
    pub grpc: GrpcAddress,

    /// Folder of models, `NAME/VERSION/`, or one bundle (then with --model-name).
    #[arg(long, env = "DRSN_MODELS", default_value = "models", value_name = "DIR")]
    pub models: PathBuf,

    /// Name of the model, where --models is one bundle; its manifest's own name otherwise.
    #[arg(long, env = "DRSN_MODEL_NAME", value_name = "NAME")]
    pub model_name: Option<Name>,

    /// Model that answers where a request names none; not needed where there is only one.
    #[arg(long, env = "DRSN_DEFAULT_MODEL", value_name = "NAME")]
    pub default_model: Option<Name>,

    /// ONNX Runtime's shared library; looked for in the usual places otherwise.
    #[arg(long, env = "DRSN_ONNXRUNTIME", value_name = "PATH")]
    pub onnxruntime: Option<PathBuf>,

    /// Where to compute: auto, cpu, cuda or cuda:N. `auto` takes a CUDA device where one can be used.
    #[arg(long, env = "DRSN_DEVICE", default_value = "auto", value_name = "DEVICE")]
    pub device: Device,

    /// Batches of each model that are computed at once, each in a session of its own; one a core on the CPU, one on a
    /// GPU.
    #[arg(long, env = "DRSN_WORKERS", value_name = "N", value_parser = count)]
    pub workers: Option<NonZeroUsize>,

    /// Largest batch that is given to a model at once: a number up to 4096, or auto, which measures at the start
    /// which is the smallest that costs hardly more for each input than the best.
    #[arg(long, env = "DRSN_MAX_BATCH", default_value = "auto", value_name = "N")]
    pub max_batch: MaxBatch,

    /// How long a lone input waits for others, in microseconds. None is usually best: what arrives while
    /// the workers are busy is the next batch.
    #[arg(
        long,
        env = "DRSN_MAX_WAIT_US",
        default_value = "0",
        value_name = "US",
        value_parser = whole,
    )]
    pub max_wait_us: u64,

    /// Requests that may wait for each model; a further one is refused with 429.
    #[arg(long, env = "DRSN_QUEUE", default_value = "512", value_name = "N", value_parser = count)]
    pub queue: NonZeroUsize,

    /// Bytes of bodies and decoded inputs that may be in memory at once, over all requests.
    #[arg(
        long,
        env = "DRSN_MAX_INFLIGHT_BYTES",
        default_value = "268435456",
        value_name = "BYTES",
        value_parser = number,
    )]
    pub max_inflight_bytes: NonZeroU64,

    /// Largest body of a request, in bytes.
    #[arg(
        long,
        env = "DRSN_MAX_BODY_BYTES",
        default_value = "16777216",
        value_name = "BYTES",
        value_parser = count,
    )]
    pub max_body_bytes: NonZeroUsize,

    /// Most pixels that an image file may declare.
    #[arg(
        long,
        env = "DRSN_MAX_IMAGE_PIXELS",
        default_value = "50000000",
        value_name = "PIXELS",
        value_parser = number,
    )]
    pub max_image_pixels: NonZeroU64,

    /// Most inputs of one request, each window of a recording counted.
    #[arg(
        long,
        env = "DRSN_MAX_WINDOWS",
        default_value = "20000",
        value_name = "N",
        value_parser = count,
    )]
    pub max_windows: NonZeroUsize,

    /// How long a request may take, from its headers to its answer, in milliseconds.
    #[arg(
        long,
        env = "DRSN_REQUEST_TIMEOUT_MS",
        default_value = "30000",
        value_name = "MS",
        value_parser = number,
    )]
    pub request_timeout_ms: NonZeroU64,

    /// How long a stream of samples may bring nothing, or take no answer, in milliseconds.
    #[arg(
        long,
        env = "DRSN_STREAM_IDLE_MS",
        default_value = "60000",
        value_name = "MS",
        value_parser = number,
    )]
    pub stream_idle_ms: NonZeroU64,

    /// Connections that are served at once; further ones wait to be accepted.
    #[arg(
        long,
        env = "DRSN_MAX_CONNECTIONS",
        default_value = "1024",
        value_name = "N",
        value_parser = count,
    )]
    pub max_connections: NonZeroUsize,

    /// At the end: how long new requests are still answered after /readyz turned 503, in milliseconds.
    #[arg(
        long,
        env = "DRSN_LINGER_MS",
        default_value = "1000",
        value_name = "MS",
        value_parser = whole,
    )]
    pub linger_ms: u64,

    /// At the end: how long accepted requests may take to finish after that, in milliseconds.
    #[arg(
        long,
        env = "DRSN_DRAIN_TIMEOUT_MS",
        default_value = "8000",
        value_name = "MS",
        value_parser = whole,
    )]
    pub drain_timeout_ms: u64,

    /// Largest recording, as a file or as raw numbers, in bytes; WAV files and raw numbers of one channel are read as
    /// they come, and are never in memory whole.
    #[arg(
        long,
        env = "DRSN_MAX_RECORDING_BYTES",
        default_value = "268435456",
        value_name = "BYTES",
        value_parser = count,
    )]
    pub max_recording_bytes: NonZeroUsize,

    /// When models come and go: fixed, as they are at the start; poll looks at the folder every --poll-seconds;
    /// explicit opens POST /v2/repository/models/M/load and unload. SIGHUP looks at the folder in all three.
    #[arg(long, env = "DRSN_MODEL_CONTROL", default_value = "fixed", value_name = "HOW")]
    pub model_control: ModelControl,

    /// Pause between two looks at the folder of models, with --model-control poll.
    #[arg(
        long,
        env = "DRSN_POLL_SECONDS",
        default_value = "10",
        value_name = "SECONDS",
        value_parser = number,
    )]
    pub poll_seconds: NonZeroU64,

    /// Which versions of a model are served: latest, all, or specific:N (several: specific:1,3). A request that
    /// names no version gets the highest.
    #[arg(long, env = "DRSN_VERSION_POLICY", default_value = "latest", value_name = "POLICY")]
    pub version_policy: VersionPolicy,

    /// File with the keys that clients must have, one a line, `#` for comments; read again at SIGHUP. Without it
    /// everybody is answered.
    #[arg(long, env = "DRSN_API_KEYS", value_name = "FILE")]
    pub api_keys: Option<PathBuf>,

    /// Answer /metrics without a key, where --api-keys is set.
    #[arg(long, env = "DRSN_METRICS_OPEN")]
    pub metrics_open: bool,

    /// Certificate chain in PEM, the server's own first; with --tls-key everything is served over TLS. Read again
    /// at SIGHUP.
    #[arg(long, env = "DRSN_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// Private key of the certificate, in PEM.
    #[arg(long, env = "DRSN_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,

    /// How long a client may take none of its answer before its connection is closed, in milliseconds.
    #[arg(
        long,
        env = "DRSN_WRITE_TIMEOUT_MS",
        default_value = "30000",
        value_name = "MS",
        value_parser = number,
    )]
    pub write_timeout_ms: NonZeroU64,

    /// Form of the log; by default `text` on a terminal and `json` otherwise. `RUST_LOG` sets its level.
    #[arg(long, env = "DRSN_LOG_FORMAT", value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
}

impl Config {
    /// How long a lone input waits for others.
    pub fn max_wait(&self) -> Duration {
        Duration::from_micros(self.max_wait_us)
    }

    /// How long a request may take.
    pub fn request_timeout(&self) -> Duration {
        Duration::from_millis(self.request_timeout_ms.get())
    }

    /// How long a stream of samples may bring nothing, or take no answer.
    pub fn stream_idle(&self) -> Duration {
        Duration::from_millis(self.stream_idle_ms.get())
    }

    /// Pause between two looks at the folder of models.
    pub fn poll_interval(&self) -> Duration {
        Duration::from_secs(self.poll_seconds.get())
    }

    /// How long a client may take none of its answer.
    pub fn write_timeout(&self) -> Duration {
        Duration::from_millis(self.write_timeout_ms.get())
    }

    /// How long new requests are still answered while draining.
    pub fn linger(&self) -> Duration {
        Duration::from_millis(self.linger_ms)
    }

    /// How long accepted requests may take to finish after the linger.
    pub fn drain_timeout(&self) -> Duration {
        Duration::from_millis(self.drain_timeout_ms)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Config::command().debug_assert();
    }

    #[test]
    fn every_flag_has_its_twin_in_the_environment() {
        let command = Config::command();
        let flags = command.get_arguments().filter(|a| a.get_long().is_some());
        for flag in flags {
            let long = flag.get_long().unwrap_or_default();
            if matches!(long, "help" | "version") {
                continue;
            }
            let twin = format!("DRSN_{}", long.replace('-', "_").to_uppercase());
            assert_eq!(flag.get_env().and_then(|e| e.to_str()), Some(&*twin));
        }
    }
}
