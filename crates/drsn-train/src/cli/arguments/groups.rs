//! Groups of arguments that several commands share.

use std::{num::NonZeroUsize, path::PathBuf, thread};

use anyhow::Context as _;
use clap::{Args, builder::FalseyValueParser};
use drsn_bundle::Name;
use drsn_train::{
    DataOptions, Destination,
    recipe::{Recipe, preset},
};

/// The recipe: a preset or a file, and changes to it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Recipe")]
pub(crate) struct RecipeArguments {
    /// Built-in recipe; `drsn-train presets` lists them.
    #[arg(long, value_name = "NAME", env = "DRSN_PRESET", conflicts_with = "config")]
    pub(crate) preset: Option<String>,
    /// Recipe in a TOML file, or a bundle's manifest.json.
    ///
    /// A manifest contains the recipe that its model was trained with.
    #[arg(long, value_name = "FILE", env = "DRSN_CONFIG")]
    config: Option<PathBuf>,
    /// Kind of residual unit: cw, cs, se or resnet.
    #[arg(long, env = "DRSN_UNIT")]
    unit: Option<String>,
    /// Seed of all random numbers.
    #[arg(long, env = "DRSN_SEED")]
    seed: Option<u64>,
    /// Passes over the training data.
    #[arg(long, env = "DRSN_EPOCHS")]
    epochs: Option<usize>,
    /// Inputs in a batch.
    #[arg(long, env = "DRSN_BATCH")]
    batch: Option<usize>,
    /// Highest learning rate.
    #[arg(long, value_name = "RATE", env = "DRSN_LEARNING_RATE")]
    learning_rate: Option<f64>,
    /// Train on at most N inputs.
    #[arg(long, value_name = "N", env = "DRSN_LIMIT")]
    limit: Option<usize>,
    /// Set any field of the recipe, such as optimizer.kind=adam; may be repeated.
    #[arg(long, value_name = "FIELD=VALUE")]
    set: Vec<String>,
}

/// Where the data is, and how it is read.
#[derive(Debug, Args)]
#[command(next_help_heading = "Data")]
pub(crate) struct DataArguments {
    /// Folder with the data; of windows that were cut beforehand, the file or a folder.
    #[arg(long, value_name = "DIR", env = "DRSN_DATA")]
    data: PathBuf,
    /// Table of the files, instead of a folder for each class.
    ///
    /// Columns are separated by commas, semicolons or tabs. Required are file (relative to --data)
    /// and label; optional are group, split (training, held-out or test), `sample_rate_hz`,
    /// variable and channel.
    #[arg(long, value_name = "FILE", env = "DRSN_INDEX")]
    index: Option<PathBuf>,
    /// Skip files and windows that cannot be used, and list them.
    #[arg(long, env = "DRSN_SKIP_BAD", value_parser = FalseyValueParser::new())]
    skip_bad: bool,
    /// Number of threads; affects only the speed [default: the number of cores].
    #[arg(long, value_name = "N", env = "DRSN_THREADS", help_heading = "Computation")]
    threads: Option<NonZeroUsize>,
}

/// Where the bundle is written to.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct DestinationArguments {
    /// Model repository, a folder of models.
    #[arg(long, value_name = "DIR", default_value = "models", env = "DRSN_OUT")]
    out: PathBuf,
    /// Version of the model.
    #[arg(long, default_value = "1", env = "DRSN_VERSION")]
    version: String,
    /// Replace the version if it exists.
    #[arg(long, env = "DRSN_REPLACE", value_parser = FalseyValueParser::new())]
    replace: bool,
    /// Export a network that does not work with fixed statistics, too; its manifest says so.
    #[arg(long, env = "DRSN_EXPORT_ANYWAY", value_parser = FalseyValueParser::new())]
    export_anyway: bool,
    #[command(flatten)]
    runtime: RuntimeArguments,
}

/// Where ONNX Runtime is.
#[derive(Debug, Args)]
#[command(next_help_heading = "Computation")]
pub(crate) struct RuntimeArguments {
    /// ONNX Runtime library [default: `ORT_DYLIB_PATH`, then the usual paths].
    #[arg(long, value_name = "FILE", env = "DRSN_ONNXRUNTIME")]
    pub(crate) onnxruntime: Option<PathBuf>,
}

impl RecipeArguments {
    /// The recipe of the preset or the file, with the changes of the other arguments.
    pub(crate) fn recipe(&self) -> anyhow::Result<Recipe> {
        let recipe = match (&self.preset, &self.config) {
            (Some(name), _) => preset(name)?,
            (None, Some(path)) => Recipe::open(path)?,
            (None, None) => anyhow::bail!(
                "missing recipe: add --preset NAME (`drsn-train presets` lists them) or --config \
                 FILE"
            ),
        };
        let number =
            |field: &str, value: Option<String>| value.map(|value| format!("{field}={value}"));
        let flags = [
            number("network.unit", self.unit.clone()),
            number("seed", self.seed.map(|n| n.to_string())),
            number("epochs", self.epochs.map(|n| n.to_string())),
            number("batch", self.batch.map(|n| n.to_string())),
            number("optimizer.learning_rate", self.learning_rate.map(|n| n.to_string())),
            number("data.limit", self.limit.map(|n| n.to_string())),
        ];
        let settings: Vec<String> = flags.into_iter().flatten().chain(self.set.clone()).collect();
        Ok(if settings.is_empty() { recipe } else { recipe.set(&settings)? })
    }
}

impl DataArguments {
    pub(crate) fn options(&self) -> DataOptions {
        let cores = || thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        DataOptions {
            folder: self.data.clone(),
            index: self.index.clone(),
            skip_bad: self.skip_bad,
            threads: self.threads.unwrap_or_else(cores).get(),
        }
    }
}

impl DestinationArguments {
    /// The destination of a model with this name, after checking name and version.
    pub(crate) fn destination(&self, name: Option<&str>) -> anyhow::Result<Destination> {
        let name = name.context("missing name: add --name, because only presets have a name")?;
        Ok(Destination {
            repository: self.out.clone(),
            name: Name::new(name).context("--name")?,
            version: Name::new(self.version.as_str()).context("--version")?,
            replace: self.replace,
            export_anyway: self.export_anyway,
            onnxruntime: self.runtime.onnxruntime.clone(),
        })
    }
}
