//! The evaluation of one bundle: its scores under each noise, and facts about the model.

use drsn_bundle::{Architecture, InputSpec, Manifest, Training};
use serde::{Deserialize, Serialize};

use super::{
    curve::{CurvePoint, NoiseCurve, noise_name},
    text::{Table, decimal, percent, plain},
};
use crate::{
    evaluation::{AlarmRates, Scores},
    recipe::Noise,
};

/// An evaluation of one bundle, as written to `report.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvaluationReport {
    /// Program and version.
    pub tool: String,
    /// The model.
    pub model: ModelFacts,
    /// Name of the data, such as `MNIST test`.
    pub data: String,
    /// What was noticed while the data was read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Seed of the noise.
    pub seed: u64,
    /// Scores under each noise; reports show details of the first.
    pub results: Vec<NoiseScores>,
}

/// Facts about a model, from its manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelFacts {
    /// Name of the model.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The network.
    pub architecture: Architecture,
    /// The input.
    pub input: InputSpec,
    /// Labels of its classes.
    pub classes: Vec<String>,
    /// The training.
    pub training: Option<Training>,
}

/// Scores under one noise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NoiseScores {
    /// The noise; `None` for clean inputs.
    pub noise: Option<Noise>,
    /// The scores.
    pub scores: Scores,
    /// Alarms of the model's baseline; `None` if it has none.
    #[serde(default)]
    pub watched: Option<AlarmRates>,
}

impl From<&Manifest> for ModelFacts {
    fn from(manifest: &Manifest) -> Self {
        Self {
            name: manifest.name.to_string(),
            version: manifest.version.to_string(),
            architecture: manifest.architecture.clone(),
            input: manifest.input.clone(),
            classes: manifest.classes.clone(),
            training: manifest.training.clone(),
        }
    }
}

/// Selects one of the alarm rates.
type Rate = fn(&AlarmRates) -> Option<f64>;

impl EvaluationReport {
    /// A report of the model with this manifest.
    pub fn new(
        manifest: &Manifest,
        data: impl Into<String>,
        seed: u64,
        results: Vec<NoiseScores>,
    ) -> Self {
        Self {
            tool: format!("drsn-train {}", env!("CARGO_PKG_VERSION")),
            model: manifest.into(),
            data: data.into(),
            notes: Vec::new(),
            seed,
            results,
        }
    }

    /// Name and version of the model, for tables and legends.
    pub(super) fn name(&self) -> String {
        format!("{} {}", self.model.name, self.model.version)
    }

    /// Accuracy and macro F1 by noise; the bars are 95 % intervals.
    pub(super) fn curve(&self) -> NoiseCurve {
        let point = |result: &NoiseScores| CurvePoint {
            noise: result.noise,
            accuracy: result.scores.accuracy,
            macro_f1: Some(result.scores.macro_f1),
            bar: Some(result.scores.interval),
        };
        NoiseCurve { name: self.name(), points: self.results.iter().map(point).collect() }
    }

    /// A row for each noise.
    pub(super) fn noise_table(&self) -> Table {
        let mut table = Table::new("noise");
        let heads = ["inputs", "accuracy", "95 % interval", "macro F1", "calibration error"];
        let watched =
            |of: Rate| self.results.iter().any(|r| r.watched.as_ref().and_then(of).is_some());
        let columns: [(&str, Rate); 3] = [
            ("shift AUROC", |w| w.auroc),
            ("shift alarms", |w| w.shift_alarms),
            ("level alarms", |w| w.level_alarms),
        ];
        let columns: Vec<_> = columns.into_iter().filter(|(_, of)| watched(*of)).collect();
        let names = heads.into_iter().chain(columns.iter().map(|(name, _)| *name));
        table.columns(names.map(str::to_owned));
        for NoiseScores { noise, scores, watched } in &self.results {
            let [low, high] = scores.interval;
            let cells = [
                scores.inputs.to_string(),
                percent(scores.accuracy),
                format!("{:.2} to {}", 100.0 * low, percent(high)),
                decimal(Some(scores.macro_f1)),
                percent(scores.calibration_error),
            ];
            let watched = columns.iter().map(|(_, of)| decimal(watched.as_ref().and_then(of)));
            table.row(&noise_name(noise.as_ref()), cells.into_iter().chain(watched));
        }
        table
    }

    /// The evaluation as text for a terminal.
    pub fn text(&self) -> String {
        let (name, data) = (self.name(), plain(&self.data));
        let noises = self.noise_table().text();
        let warnings = self.model.training.iter().flat_map(|training| &training.warnings);
        let warnings = warnings.map(|warning| format!("warning: {}\n", plain(warning)));
        let notes = self.notes.iter().map(|note| plain(note) + "\n");
        let notes: String = warnings.chain(notes).collect();
        let noises = format!("{notes}{name} on {data}, noise seed {}\n\n{noises}", self.seed);
        let Some(first) = self.results.first() else {
            return noises;
        };
        let noise = noise_name(first.noise.as_ref());
        format!("{noises}\nclasses, {noise}\n\n{}", first.scores.class_table().text())
    }
}

impl Scores {
    /// A row for each class.
    pub(super) fn class_table(&self) -> Table {
        let mut table = Table::new("class");
        table.columns(["inputs", "precision", "recall", "F1"].map(str::to_owned));
        for class in &self.classes {
            let cells = [
                class.support.to_string(),
                decimal(class.precision),
                decimal(class.recall),
                decimal(class.f1),
            ];
            table.row(&class.name, cells);
        }
        table
    }
}
