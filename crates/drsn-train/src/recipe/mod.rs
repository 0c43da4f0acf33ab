//! The recipe of a training: one structure, which the manifest of the trained model records whole.
//!
//! A recipe is a TOML file; the presets are recipes that come with the program. Where its data lies is no part
//! of it, nor how many threads compute: neither changes what is trained.

mod check;
mod data;
mod network;
mod noise;
mod optimization;
mod presets;

use std::{fs, path::Path};

use serde::{Deserialize, Serialize};

use crate::TrainError;

pub use data::{
    Augmentation, DataConfig, IdxConfig, ImageConfig, NormalizationConfig, SignalConfig, Split,
};
pub use network::NetworkConfig;
pub use noise::{Noise, NoiseKind, NoiseStrength, TrainingNoise};
pub use optimization::{
    ClassWeights, EarlyStopping, L2, L2Form, OptimizerConfig, OptimizerKind, Schedule,
};
pub use presets::{PRESETS, Preset, preset};

/// Everything that a training depends on besides the data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// What the data is, in words for the manifest: source, licence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// Seed of everything random.
    pub seed: u64,
    /// Passes over the training data.
    pub epochs: usize,
    /// Inputs in a batch. What is left over at the end of an epoch sits that epoch out.
    pub batch: usize,
    /// Parts of a batch, as even as can be, whose gradients are computed side by side and averaged. Each is normalised with its
    /// own statistics, so the number is a part of the recipe; how many threads work on them changes nothing.
    pub shards: usize,
    /// How much an input counts by its class.
    #[serde(default)]
    pub class_weights: ClassWeights,
    /// Ends the training when the held-out inputs no longer profit; never where it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<EarlyStopping>,
    /// What the data is, how it is cut into inputs and split.
    pub data: DataConfig,
    /// What an input meets in training besides noise.
    #[serde(default)]
    pub augmentation: Augmentation,
    /// Noise in training; none where it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise: Option<TrainingNoise>,
    /// The network.
    pub network: NetworkConfig,
    /// How weights are changed.
    pub optimizer: OptimizerConfig,
    /// How the learning rate changes.
    pub schedule: Schedule,
    /// Noise under which the finished model is evaluated, besides clean inputs, like `gaussian@-5dB`.
    #[serde(default)]
    pub evaluate: Vec<Noise>,
}

impl Recipe {
    /// Reads a recipe from TOML.
    ///
    /// # Errors
    /// [`TrainError::Config`] with the line and what is wrong there.
    pub fn from_toml(text: &str) -> Result<Self, TrainError> {
        toml::from_str(text).map_err(|e| wrong(one_line(&e.to_string())))
    }

    /// The recipe as TOML.
    ///
    /// # Errors
    /// [`TrainError::Config`] where a number is larger than TOML knows.
    pub fn to_toml(&self) -> Result<String, TrainError> {
        toml::to_string(self).map_err(|e| wrong(e.to_string()))
    }

    /// Reads a recipe from a TOML file, or from the manifest of a bundle, which holds the one it was trained with.
    ///
    /// # Errors
    /// [`TrainError::Config`] with the file and what is wrong with it.
    pub fn open(path: &Path) -> Result<Self, TrainError> {
        let named = |reason: String| wrong(format!("{}: {reason}", path.display()));
        let text = fs::read_to_string(path)
            .map_err(|e| wrong(format!("cannot read the recipe {}: {e}", path.display())))?;
        if !text.trim_start().starts_with('{') {
            return toml::from_str(&text).map_err(|e| named(one_line(&e.to_string())));
        }
        let json: serde_json::Value =
            serde_json::from_str(&text).map_err(|e| named(e.to_string()))?;
        let recipe = json.pointer("/training/configuration").unwrap_or(&json);
        serde_json::from_value(recipe.clone()).map_err(|e| named(e.to_string()))
    }

    /// The recipe with some fields changed, each as `path=value` with the value in TOML: `optimizer.learning_rate=0.01`.
    /// A value that is no TOML is taken as text: `network.unit=cs`.
    ///
    /// # Errors
    /// [`TrainError::Config`] with the setting that is not understood.
    pub fn set<S: AsRef<str>>(&self, settings: &[S]) -> Result<Self, TrainError> {
        let table = toml::Table::try_from(self).map_err(|e| wrong(e.to_string()))?;
        let settings: Vec<&str> = settings.iter().map(AsRef::as_ref).collect();
        changed(&table, &settings).map_err(|reason| {
            // Fields can depend on one another: only what is wrong by itself can be named.
            let alone = settings.iter().find_map(|setting| {
                let reason = changed(&table, &[setting]).err()?;
                Some(format!("\"{setting}\": {reason}"))
            });
            wrong(alone.unwrap_or(reason))
        })
    }
}

/// A recipe's table with some fields changed, as a recipe; or why it is none.
fn changed(table: &toml::Table, settings: &[&str]) -> Result<Recipe, String> {
    let mut table = table.clone();
    for setting in settings {
        let (path, value) =
            setting.split_once('=').ok_or("expected path=value, as epochs=10".to_owned())?;
        let value = format!("value = {value}")
            .parse::<toml::Table>()
            .ok()
            .and_then(|mut parsed| parsed.remove("value"))
            .unwrap_or_else(|| toml::Value::String(value.to_owned()));
        insert(&mut table, path.trim(), value)
            .ok_or_else(|| format!("{path} lies within no table"))?;
    }
    table.try_into().map_err(|e: toml::de::Error| one_line(&e.to_string()))
}

/// Puts a value at a path of keys; none where a key on the way holds no table.
fn insert(table: &mut toml::Table, path: &str, value: toml::Value) -> Option<()> {
    let (first, rest) = path.split_once('.').map_or((path, None), |(a, b)| (a, Some(b)));
    let Some(rest) = rest else {
        table.insert(first.to_owned(), value);
        return Some(());
    };
    let inner = table
        .entry(first.to_owned())
        .or_insert_with(|| toml::Value::Table(toml::Table::new()))
        .as_table_mut()?;
    insert(inner, rest, value)
}

fn wrong(reason: String) -> TrainError {
    TrainError::Config { reason }
}

/// TOML's errors show the line in question beneath themselves: here they are one line, with words for types.
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
            format!("{before}expected a table that says its kind {after}").trim_end().to_owned()
        }
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_set_by_their_path_as_numbers_words_and_tables() {
        let recipe = preset("mnist")
            .unwrap()
            .set(&["network.unit=cs", "optimizer.learning_rate=1", "early_stopping.patience=3"])
            .unwrap();
        assert_eq!(recipe.network.unit, drsn_bundle::Unit::Cs);
        assert!((recipe.optimizer.learning_rate - 1.0).abs() < 1e-12);
        assert_eq!(recipe.early_stopping, Some(EarlyStopping { patience: 3 }));
    }

    #[test]
    fn settings_that_are_not_understood_are_refused_by_what_they_say() {
        for (setting, said) in [
            ("epochs", "expected path=value"),
            ("epoch=3", "epoch"),
            ("epochs=many", "invalid type"),
            ("epochs.more=1", "lies within no table"),
            ("network.unit=cx", "cx"),
            (
                "data.held_out=abc",
                "\"data.held_out=abc\": invalid type: string \"abc\", expected a whole number",
            ),
            ("schedule=cosine", "expected a table that says its kind"),
        ] {
            let refusal = preset("mnist").unwrap().set(&[setting]).unwrap_err().to_string();
            assert!(refusal.contains(said) && refusal.lines().count() == 1, "{setting}: {refusal}");
        }
    }
}
