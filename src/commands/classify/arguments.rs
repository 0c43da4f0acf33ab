//! The arguments of `drsn-serve classify`.

use std::{
    num::{NonZeroU64, NonZeroUsize},
    path::PathBuf,
};

use clap::{Args, ValueEnum};

use crate::config::Device;

/// What to classify, how, and where the answers go.
#[derive(Debug, Args)]
pub struct Classify {
    /// Files, and folders of files
    ///
    /// Folders are searched to any depth, in the order of names. Hidden files are skipped. So are
    /// files that by the endings of their names are none that the model reads; they are counted at
    /// the end. A file that is named here is always tried.
    #[arg(value_name = "PATH", required = true)]
    pub(super) paths: Vec<PathBuf>,
    /// Folder of the bundle, like models/bearing/1, or of the model, whose highest version is used
    ///
    /// With --server it is the name of a served model, like bearing or bearing/1, and by default
    /// the server's default model.
    #[arg(long, value_name = "BUNDLE", required_unless_present = "server")]
    pub(super) model: Option<PathBuf>,
    /// Form of the answers
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Table)]
    pub(super) format: Format,
    /// File for the answers; by default they go to standard output
    ///
    /// The file appears when all is classified, and then replaces one that was there before. A pipe
    /// or device is written to at once.
    #[arg(long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,

    /// Channels of a recording: positions from 0, or names, separated by commas
    #[arg(long, value_name = "LIST", help_heading = "Options of the API")]
    channel: Option<String>,
    /// Variable of a MAT or NPZ file: its name or its ending
    #[arg(long, value_name = "NAME", help_heading = "Options of the API")]
    variable: Option<String>,
    /// Samples per second of recordings that do not say it themselves
    #[arg(long, value_name = "HZ", help_heading = "Options of the API")]
    sample_rate_hz: Option<String>,
    /// Convert recordings of another sample rate to the model's
    #[arg(
        long,
        value_name = "true|false",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        help_heading = "Options of the API"
    )]
    resample: Option<String>,
    /// Share of a window that the next one repeats, from 0 to below 1
    #[arg(long, value_name = "SHARE", help_heading = "Options of the API")]
    overlap: Option<String>,
    /// The variable or field of MAT and NPZ files with the samples per second
    #[arg(long, value_name = "NAME", help_heading = "Options of the API")]
    rate_variable: Option<String>,
    /// Lines of tables to leave out at their start
    #[arg(long, value_name = "N", help_heading = "Options of the API")]
    skip_lines: Option<String>,
    /// How many classes jsonl lists of each input, most probable first; by default all
    #[arg(long, value_name = "N", help_heading = "Options of the API")]
    top_k: Option<String>,
    /// How much jsonl tells of thresholds: none, summary or full; none also leaves out the alarms
    #[arg(long, value_name = "DETAIL", help_heading = "Options of the API")]
    diagnostics: Option<String>,

    /// Device to compute on: auto, cpu, cuda or cuda:N
    #[arg(
        long,
        env = "DRSN_DEVICE",
        default_value = "auto",
        value_name = "DEVICE",
        help_heading = "Computation, without --server"
    )]
    pub(super) device: Device,
    /// ONNX Runtime's shared library; by default searched for in the usual places
    #[arg(
        long,
        env = "DRSN_ONNXRUNTIME",
        value_name = "PATH",
        help_heading = "Computation, without --server"
    )]
    pub(super) onnxruntime: Option<PathBuf>,
    /// Largest recording, in bytes
    #[arg(
        long,
        env = "DRSN_MAX_RECORDING_BYTES",
        default_value = "268435456",
        value_name = "BYTES",
        help_heading = "Computation, without --server"
    )]
    pub(super) max_recording_bytes: NonZeroUsize,
    /// Largest number of windows of a file
    #[arg(
        long,
        env = "DRSN_MAX_WINDOWS",
        default_value = "20000",
        value_name = "N",
        help_heading = "Computation, without --server"
    )]
    pub(super) max_windows: NonZeroUsize,
    /// Memory for files that are classified at once, in bytes; one file may have three quarters
    #[arg(
        long,
        env = "DRSN_MAX_INFLIGHT_BYTES",
        default_value = "268435456",
        value_name = "BYTES",
        help_heading = "Computation, without --server"
    )]
    pub(super) max_inflight_bytes: NonZeroU64,

    /// Send the files to this server instead, like <http://127.0.0.1:8080> or <https://example.com>
    ///
    /// The server computes, with its own settings.
    #[arg(long, value_name = "URL", help_heading = "Server")]
    pub(super) server: Option<String>,
    /// Certificates of the authorities by which a server with https is known, as PEM
    ///
    /// By default those that this system trusts.
    #[arg(long, value_name = "FILE", requires = "server", help_heading = "Server")]
    pub(super) ca_cert: Option<PathBuf>,
    /// API key, if that server asks for one; with http it is sent in clear text
    #[arg(
        long,
        env = "DRSN_API_KEY",
        hide_env_values = true,
        value_name = "KEY",
        help_heading = "Server"
    )]
    pub(super) api_key: Option<String>,
}

/// Form of the answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Aligned columns for people, and a confusion matrix if folders are named after classes
    Table,
    /// Comma-separated values, one line an input, with a line of names
    Csv,
    /// One JSON object a file, with the predictions as the API answers them
    Jsonl,
}

impl Classify {
    /// The options that were given, by the names and values of the API.
    pub(super) fn options(&self) -> Vec<(&'static str, &str)> {
        let all = [
            ("channel", &self.channel),
            ("variable", &self.variable),
            ("rate_variable", &self.rate_variable),
            ("skip_lines", &self.skip_lines),
            ("sample_rate_hz", &self.sample_rate_hz),
            ("resample", &self.resample),
            ("overlap", &self.overlap),
            ("top_k", &self.top_k),
            ("diagnostics", &self.diagnostics),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, Command};

    use super::*;
    use crate::inference::options::ALL;

    #[test]
    fn every_option_of_the_api_that_applies_to_a_file_has_a_flag() {
        let command = Classify::augment_args(Command::new("classify"));
        let flags: Vec<&str> = command.get_arguments().filter_map(|a| a.get_long()).collect();
        for name in ALL {
            // The version is part of --model, and a batch is one of raw numbers.
            if !["version", "batch"].contains(&name) {
                assert!(flags.contains(&&*name.replace('_', "-")), "there is no flag for {name}");
            }
        }
    }
}
