//! The command line: serving, and subcommands for operators.

mod check;
mod classify;
mod export_triton;
mod healthcheck;
mod import;
mod inspect;

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::{Parser, Subcommand, value_parser};

use crate::{
    config::{Config, Device},
    repository::{TryBundle, try_bundle},
};
pub use classify::{Classify, Format};
use drsn_bundle::{Bundle, BundleError, Name};
pub use import::{Import, ImportConfined};

/// The command line of `drsn-serve`. Without a subcommand it serves.
#[derive(Debug, Parser)]
#[command(
    name = "drsn-serve",
    version,
    about = "Serves trained Deep Residual Shrinkage Networks: class probabilities, and what each \
             block's thresholds did",
    max_term_width = 110,
    args_conflicts_with_subcommands = true
)]
pub struct Cli {
    /// The subcommand, if any.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The settings of the server.
    #[command(flatten)]
    pub config: Config,
}

/// A subcommand.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Classify files and folders, without a server
    ///
    /// The answers are those of a server with this model. What cannot be classified is named on
    /// standard error, and the rest goes on. The exit code is 0 if every file was classified, 1 if
    /// one failed, or the model or server cannot be used, 2 if an argument names something that does not exist
    /// or does not fit.
    #[command(after_help = "Examples:\n  \
        drsn-serve classify seven.png --model models/mnist\n  \
        drsn-serve classify recordings/ --model models/bearing --variable DE_time --sample-rate-hz 48000\n  \
        drsn-serve classify *.wav --model models/bearing/1 --format jsonl --output answers.jsonl")]
    Classify(Box<Classify>),
    /// Check a bundle: checksums, graph, and golden outputs in ONNX Runtime
    Check {
        /// Folder of the bundle, like models/mnist/1
        #[arg(value_name = "MODEL_DIR")]
        folder: PathBuf,
        /// ONNX Runtime's shared library; by default searched for in the usual places
        #[arg(long, env = "DRSN_ONNXRUNTIME", value_name = "PATH")]
        onnxruntime: Option<PathBuf>,
        /// Device to compute on: cpu, cuda or cuda:N; auto means cpu here
        #[arg(long, env = "DRSN_DEVICE", default_value = "cpu", value_name = "DEVICE")]
        device: Device,
    },
    /// Make a bundle of a network that another program trained: any ONNX classifier
    ///
    /// Finds the soft thresholds and garrotes in its graph, and serves them as those of `drsn-train`.
    /// The exit code is 1 if the model is refused; then nothing is written. docs/import.md has the
    /// export calls of each framework.
    #[command(after_help = "Examples:\n  \
        drsn-serve import drsn.onnx --labels normal,inner,outer --out models/mine/1 --normalize z-score\n  \
        drsn-serve import photos.onnx --labels labels.txt --out models/photos/1 \\\n    \
            --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225 --geometry center-crop\n  \
        drsn-serve import drsn.onnx --labels a,b,c --out models/mine/1 --sample x.npy --expect out.npy")]
    Import(Box<Import>),
    /// Show a bundle's inputs, outputs, sizes, units and training
    Inspect {
        /// Folder of the bundle, like models/mnist/1
        #[arg(value_name = "MODEL_DIR")]
        folder: PathBuf,
        /// Print one JSON object, for programs
        #[arg(long)]
        json: bool,
    },
    /// Export a bundle to a model repository of NVIDIA's Triton Inference Server
    ExportTriton {
        /// Folder of the bundle, like models/mnist/1
        #[arg(value_name = "MODEL_DIR")]
        folder: PathBuf,
        /// Triton's model repository, created if missing
        ///
        /// The command writes NAME/config.pbtxt, NAME/labels.txt and NAME/VERSION/model.onnx, and
        /// overwrites nothing.
        #[arg(value_name = "OUT_DIR")]
        repository: PathBuf,
        /// Name of the model in Triton; by default its manifest's name
        #[arg(long, value_name = "NAME")]
        name: Option<Name>,
        /// Largest batch that Triton gives the model
        #[arg(
            long,
            default_value = "64",
            value_name = "N",
            value_parser = value_parser!(u16).range(1..=4096)
        )]
        max_batch: u16,
    },
    /// Check whether a server is ready, for containers; the exit code is 0 or 1
    Healthcheck {
        /// URL to request; by default /readyz on this machine, at the port of --http (`DRSN_HTTP`)
        ///
        /// The certificate of an https server is not verified: the request carries no secret.
        #[arg(long, env = "DRSN_HEALTHCHECK_URL", value_name = "URL")]
        url: Option<String>,
    },
    /// Try a bundle within limits, as the server does before it loads a new version
    #[command(hide = true)]
    TryBundle(TryBundle),
    /// Import a model within limits, in the process that `import` starts for it
    #[command(hide = true)]
    ImportConfined(Box<ImportConfined>),
}

impl Command {
    /// Runs the subcommand and prints its result to standard output, or its error to standard
    /// error.
    pub fn run(self, config: &Config) -> ExitCode {
        let outcome = match self {
            Self::Classify(arguments) => return classify::run(&arguments, config),
            Self::Check { folder, onnxruntime, device } => {
                check::run(&folder, onnxruntime.as_deref(), device)
            }
            Self::Inspect { folder, json } => inspect::run(&folder, json),
            Self::ExportTriton { folder, repository, name, max_batch } => {
                export_triton::run(&folder, &repository, name.as_ref(), max_batch)
            }
            Self::Healthcheck { url } => healthcheck::run(url.as_deref(), config),
            Self::TryBundle(tried) => try_bundle(&tried),
            Self::Import(import) => import::run(&import),
            Self::ImportConfined(confined) => import::run_confined(&confined, config),
        };
        let (written, code) = match outcome {
            Ok(text) => (writeln!(io::stdout(), "{text}"), ExitCode::SUCCESS),
            Err(error) => (writeln!(io::stderr(), "error: {}", in_full(&error)), ExitCode::FAILURE),
        };
        // A closed pipe, as with `head`, is not a failure.
        match written {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
            Ok(()) | Err(_) => code,
        }
    }
}

/// Opens and checks the bundle in `folder`.
fn open(folder: &Path) -> anyhow::Result<Bundle> {
    let context = || format!("the bundle in {} is invalid", folder.display());
    match Bundle::open(folder) {
        Err(error @ BundleError::NoManifest { .. }) => Err(error.into()),
        opened => opened.with_context(context),
    }
}

/// An error with its causes. Many of our messages already contain the cause, which is not repeated.
fn in_full(error: &anyhow::Error) -> String {
    let mut sentence = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !sentence.ends_with(&cause) {
            sentence = format!("{sentence}: {cause}");
        }
    }
    sentence
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed_and_serves_without_a_command() {
        Cli::command().debug_assert();
        let serving = Cli::try_parse_from(["drsn-serve", "--queue", "7"]).ok();
        assert!(
            serving.is_some_and(|cli| cli.command.is_none() && cli.config.limits.queue.get() == 7)
        );
        let checking = Cli::try_parse_from(["drsn-serve", "check", "models/a/1"]).ok();
        assert!(checking.is_some_and(|cli| matches!(cli.command, Some(Command::Check { .. }))));
    }

    #[test]
    fn a_cause_that_the_message_contains_is_not_repeated() {
        let cause = io::Error::other("no room");
        let error = anyhow::Error::new(cause).context("cannot write a: no room").context("outer");
        assert_eq!(in_full(&error), "outer: cannot write a: no room");
    }
}
