//! The recipe of a training: one structure, recorded in full in the trained model's manifest.
//!
//! A recipe is a TOML file; the presets are recipes built into the program. The location of the
//! data and the number of threads are not part of it: neither changes what is trained.

mod check;
mod data;
mod error;
mod front_end;
mod network;
mod noise;
mod optimization;
mod presets;
mod settings;
mod windows;

use std::{fs, path::Path};

use serde::{Deserialize, Serialize};

pub(crate) use data::MAX_SKIPPED_LINES;
pub use data::{
    Augmentation, DataConfig, IdxConfig, ImageConfig, NormalizationConfig, PaddingConfig,
    SignalConfig, Split,
};
pub use error::RecipeError;
pub use front_end::{FrontEndConfig, LogMelConfig};
pub use network::NetworkConfig;
pub use noise::{Noise, NoiseKind, NoiseStrength, TrainingNoise};
pub use optimization::{
    ClassWeights, EarlyStopping, L2, L2Form, Metric, OptimizerConfig, OptimizerKind, Sampling,
    Schedule, Start,
};
pub use presets::{PRESETS, Preset, preset};
pub(crate) use windows::Axis;
pub use windows::WindowConfig;

/// Everything that a training depends on besides the data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Description of the data for the manifest: source, licence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// Seed of all random numbers.
    pub seed: u64,
    /// Passes over the training data.
    pub epochs: usize,
    /// Inputs in a batch. An incomplete batch at the end of an epoch is dropped.
    pub batch: usize,
    /// Ghost batches: nearly equal parts of a batch whose gradients are computed in parallel and
    /// averaged. Each is normalised with its own statistics, so the number is part of the recipe;
    /// the number of threads that compute them changes nothing.
    #[serde(rename = "shards")]
    pub ghost_batches: usize,
    /// Weight of an input's class in the loss.
    #[serde(default)]
    pub class_weights: ClassWeights,
    /// Signals: weight of a second loss: the mean cross-entropy of the positions of the last features, each
    /// classified alone.
    #[serde(default, skip_serializing_if = "data::is_zero")]
    pub position_loss: f64,
    /// How often an epoch takes the inputs of each class.
    #[serde(default, skip_serializing_if = "optimization::is_default")]
    pub sampling: Sampling,
    /// Ends the training when its held-out results stop getting better; never if missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<EarlyStopping>,
    /// The weights that the training starts from; random ones if missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Start>,
    /// The data, how it is cut into inputs, and how it is split.
    pub data: DataConfig,
    /// Random changes to training inputs besides noise.
    #[serde(default)]
    pub augmentation: Augmentation,
    /// Noise in training; none if missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise: Option<TrainingNoise>,
    /// The network.
    pub network: NetworkConfig,
    /// The optimizer.
    pub optimizer: OptimizerConfig,
    /// How the learning rate changes.
    pub schedule: Schedule,
    /// Noises under which the finished model is evaluated, besides clean inputs, such as
    /// `gaussian@-5dB`.
    #[serde(default)]
    pub evaluate: Vec<Noise>,
}

impl Recipe {
    /// The held-out result by which the best epoch is chosen.
    pub(crate) fn metric(&self) -> Metric {
        self.early_stopping.map_or(Metric::default(), |early| early.metric)
    }

    /// Parses a recipe from TOML.
    ///
    /// # Errors
    /// [`RecipeError`] with the line and the reason.
    pub(crate) fn from_toml(text: &str) -> Result<Self, RecipeError> {
        toml::from_str(text).map_err(|e| RecipeError::new(one_line(&e.to_string())))
    }

    /// Reads a recipe from a TOML file, or from a bundle's manifest, which records the recipe that
    /// the model was trained with.
    ///
    /// # Errors
    /// [`RecipeError`] with the file and the reason.
    pub fn open(path: &Path) -> Result<Self, RecipeError> {
        let named = |reason: String| RecipeError::new(format!("{}: {reason}", path.display()));
        let text = fs::read_to_string(path)
            .map_err(|e| RecipeError::new(format!("cannot read {}: {e}", path.display())))?;
        // Editors on Windows write the mark of UTF-8.
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        if !text.trim_start().starts_with('{') {
            return toml::from_str(text).map_err(|e| named(one_line(&e.to_string())));
        }
        let json: serde_json::Value =
            serde_json::from_str(text).map_err(|e| named(e.to_string()))?;
        let recipe = json.pointer("/training/configuration").unwrap_or(&json);
        serde_json::from_value(recipe.clone()).map_err(|e| named(e.to_string()))
    }
}

/// Joins a TOML error, which shows the offending line below the message, into one line, and names
/// types in words.
fn one_line(error: &str) -> String {
    let line = error
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && *line != "|")
        .collect::<Vec<_>>()
        .join(" ");
    let line = line.replace("expected usize", "expected a whole number");
    let line = line.replace("expected u64", "expected a whole number");
    let line = line.replace("expected f64", "expected a number");
    match line.split_once("expected internally tagged enum ") {
        Some((before, after)) => {
            let after = after.split_once(' ').map_or("", |(_, after)| after);
            format!("{before}expected a table with its kind {after}").trim_end().to_owned()
        }
        None => line,
    }
}
