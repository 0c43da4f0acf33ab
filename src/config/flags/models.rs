//! Which models are served, and on what device.

use std::{num::NonZeroU64, path::PathBuf};

use clap::Args;
use drsn_bundle::Name;

use crate::config::values::{Device, ModelControl, VersionPolicy, number};

/// Which models are served, and on what device.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Models")]
pub struct ModelFlags {
    /// Folder of models, laid out as NAME/VERSION/, or one bundle
    ///
    /// For one bundle, --model-name sets the name under which it is served.
    #[arg(
        id = "models",
        long = "models",
        env = "DRSN_MODELS",
        value_name = "DIR",
        default_value = "models"
    )]
    pub folder: PathBuf,

    /// Name of the model if --models is one bundle; by default its manifest's name
    #[arg(long, env = "DRSN_MODEL_NAME", value_name = "NAME")]
    pub model_name: Option<Name>,

    /// Model for requests that do not name one; not needed if there is only one model
    #[arg(long, env = "DRSN_DEFAULT_MODEL", value_name = "NAME")]
    pub default_model: Option<Name>,

    /// Versions to serve of each model: latest, all, or specific:N[,N...]
    ///
    /// A request without a version gets the highest version served.
    #[arg(long, env = "DRSN_VERSION_POLICY", value_name = "POLICY", default_value = "latest")]
    pub version_policy: VersionPolicy,

    /// When to load and unload models: fixed, poll or explicit
    ///
    /// fixed serves the models found at start. poll scans the folder every --poll-seconds. explicit
    /// enables POST /v2/repository/models/MODEL/load and /unload. SIGHUP scans the folder in every
    /// mode.
    #[arg(long, env = "DRSN_MODEL_CONTROL", value_name = "HOW", default_value = "fixed")]
    pub model_control: ModelControl,

    /// Seconds between two scans of the folder with --model-control poll
    #[arg(
        long,
        env = "DRSN_POLL_SECONDS",
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
    #[arg(long, env = "DRSN_DEVICE", value_name = "DEVICE", default_value = "auto")]
    pub device: Device,

    /// ONNX Runtime's shared library; by default searched for in the usual places
    ///
    /// The usual places: `ORT_DYLIB_PATH`, beside this program, and where the system keeps its
    /// libraries.
    #[arg(long, env = "DRSN_ONNXRUNTIME", value_name = "PATH")]
    pub onnxruntime: Option<PathBuf>,
}
