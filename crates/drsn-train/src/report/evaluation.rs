//! How well one bundle does: its facts, and its scores under each noise.

use drsn_bundle::{Architecture, InputSpec, Manifest, Training};
use serde::{Deserialize, Serialize};

use super::{
    CurvePoint, NoiseCurve, Scores, Watched,
    curve::noise_name,
    text::{Table, percent, plain, share},
};
use crate::recipe::Noise;

/// An evaluation of one bundle, as `report.json` holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvaluationReport {
    /// Program and version that made the report.
    pub tool: String,
    /// The model.
    pub model: ModelFacts,
    /// What it was evaluated on, like `MNIST test`.
    pub data: String,
    /// Seed of the noise.
    pub seed: u64,
    /// Scores under each noise; the first are shown in full.
    pub results: Vec<NoiseScores>,
}

/// What the manifest says of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelFacts {
    /// Name of the model.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The network.
    pub architecture: Architecture,
    /// What it takes.
    pub input: InputSpec,
    /// Labels of its classes.
    pub classes: Vec<String>,
    /// How it was trained.
    pub training: Option<Training>,
}

/// Scores under one noise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NoiseScores {
    /// The noise; none for clean inputs.
    pub noise: Option<Noise>,
    /// The scores.
    pub scores: Scores,
    /// What the model's baseline says of the inputs; none for a model without one.
    #[serde(default)]
    pub watched: Option<Watched>,
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

/// Reads one figure of what a baseline said.
type Figure = fn(&Watched) -> Option<f64>;

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
            seed,
            results,
        }
    }

    /// What tables and legends call the model: its name and version.
    pub fn name(&self) -> String {
        format!("{} {}", self.model.name, self.model.version)
    }

    /// Accuracy and macro F1 by noise; the bars are intervals of 95 %.
    pub fn curve(&self) -> NoiseCurve {
        let point = |result: &NoiseScores| CurvePoint {
            noise: result.noise,
            accuracy: result.scores.accuracy,
            macro_f1: Some(result.scores.macro_f1),
            bar: Some(result.scores.interval),
        };
        NoiseCurve { name: self.name(), points: self.results.iter().map(point).collect() }
    }

    /// A row for each noise.
    pub fn noise_table(&self) -> Table {
        let mut table = Table::new("noise");
        let heads = ["inputs", "accuracy", "95 % interval", "macro F1", "calibration error"];
        let watched =
            |of: Figure| self.results.iter().any(|r| r.watched.as_ref().and_then(of).is_some());
        let columns: [(&str, Figure); 3] = [
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
                share(Some(scores.macro_f1)),
                percent(scores.calibration_error),
            ];
            let watched = columns.iter().map(|(_, of)| share(watched.as_ref().and_then(of)));
            table.row(&noise_name(noise.as_ref()), cells.into_iter().chain(watched));
        }
        table
    }

    /// For a terminal.
    pub fn text(&self) -> String {
        let (name, data) = (self.name(), plain(&self.data));
        let noises = self.noise_table().text();
        let noises = format!("{name} on {data}, noise of seed {}\n\n{noises}", self.seed);
        let Some(first) = self.results.first() else {
            return noises;
        };
        let noise = noise_name(first.noise.as_ref());
        format!("{noises}\nclasses, {noise}\n\n{}", first.scores.class_table().text())
    }
}

impl Scores {
    /// A row for each class.
    pub fn class_table(&self) -> Table {
        let mut table = Table::new("class");
        table.columns(["inputs", "precision", "recall", "F1"].map(str::to_owned));
        for class in &self.classes {
            let cells = [
                class.support.to_string(),
                share(class.precision),
                share(class.recall),
                share(class.f1),
            ];
            table.row(&class.name, cells);
        }
        table
    }
}
