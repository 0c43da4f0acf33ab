//! The evaluation of one bundle: its scores under each noise, and facts about the model.

use drsn_bundle::{Architecture, Baseline, Calibration, InputSpec, Manifest, Origin, Training};
use serde::{Deserialize, Serialize};

use super::{
    curve::{CurvePoint, NoiseCurve, noise_name},
    findings::findings,
    noise_scores::NoiseScores,
    text::{Table, bounds, decimal, error_bounds, interval, percent, plain, share},
};
use crate::evaluation::{AlarmRates, BlockActivity, Scores, Spread};

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
    /// What a reader must know before believing the numbers, in sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<String>,
    /// Seed of the noise.
    pub seed: u64,
    /// Scores under each noise; reports show details of the first.
    pub results: Vec<NoiseScores>,
    /// Input shift of the held-out inputs; `None` if the model has no such baseline.
    #[serde(default)]
    pub held_out_shift: Option<HeldOutShift>,
    /// What the thresholds of each block do to clean inputs; empty if there are none.
    #[serde(default)]
    pub blocks: Vec<BlockActivity>,
}

/// The input shift of the inputs that were held out of the training.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct HeldOutShift {
    /// Distribution of their scores.
    pub scores: Spread,
    /// Inputs with a larger score raise an alarm.
    pub alarm_above: f64,
}

impl HeldOutShift {
    /// That of a baseline.
    fn of(baseline: &Baseline) -> Option<Self> {
        let held_out = &baseline.shift.as_ref()?.held_out;
        let values = held_out.values.iter().map(|&value| f64::from(value));
        let alarm_above = f64::from(held_out.alarm_above(baseline.alarm_level));
        Some(Self { scores: Spread::of(values)?, alarm_above })
    }
}

/// Facts about a model, from its manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelFacts {
    /// Name of the model.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The network; `None` if it was imported.
    #[serde(default)]
    pub architecture: Option<Architecture>,
    /// Where an imported network comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// The input.
    pub input: InputSpec,
    /// Labels of its classes.
    pub classes: Vec<String>,
    /// The training.
    pub training: Option<Training>,
    /// The temperature of the probabilities; `None` if none was chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
}

impl ModelFacts {
    /// Trainable parameters of the network.
    pub fn parameters(&self) -> usize {
        let trained = self.architecture.as_ref().map(|architecture| architecture.parameters);
        trained.or(self.origin.as_ref().map(|origin| origin.parameters)).unwrap_or(0)
    }
}

impl From<&Manifest> for ModelFacts {
    fn from(manifest: &Manifest) -> Self {
        Self {
            name: manifest.name.to_string(),
            version: manifest.version.to_string(),
            architecture: manifest.architecture.clone(),
            origin: manifest.origin.clone(),
            input: manifest.input.clone(),
            classes: manifest.classes.clone(),
            training: manifest.training.clone(),
            calibration: manifest.calibration.clone(),
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
            findings: findings(manifest, &results),
            seed,
            held_out_shift: manifest.baseline.as_ref().and_then(HeldOutShift::of),
            blocks: Vec::new(),
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
            bar: result.scores.interval,
        };
        NoiseCurve { name: self.name(), points: self.results.iter().map(point).collect() }
    }

    /// A row for each noise.
    pub(super) fn noise_table(&self) -> Table {
        let mut table = Table::new("noise");
        let heads = ["accuracy", "95 % interval", "macro recall", "macro F1", "calibration error"];
        table.columns(heads.map(str::to_owned));
        table.columns(["95 % interval".to_owned()]);
        let is_calibrated = self.results.iter().any(|result| result.uncalibrated.is_some());
        let before = ["without temperature", "95 % interval"].map(str::to_owned);
        table.columns(is_calibrated.then_some(before).into_iter().flatten());
        for NoiseScores { noise, scores, uncalibrated, .. } in &self.results {
            let before = uncalibrated
                .map(|of| [percent(of.calibration_error), error_bounds(of.calibration_interval)]);
            let cells = [
                percent(scores.accuracy),
                interval(scores),
                share(scores.macro_recall),
                percent(scores.macro_f1),
                percent(scores.calibration_error),
                error_bounds(scores.calibration_interval),
            ];
            let cells = cells.into_iter().chain(before.into_iter().flatten());
            table.row(&noise_name(noise.as_ref()), cells);
        }
        table
    }

    /// Alarms by noise, of windows and of recordings; `None` if the model has no baseline.
    pub(super) fn alarm_table(&self) -> Option<Table> {
        type Column = (&'static str, Rate, fn(Option<f64>) -> String);
        let columns: [Column; 3] = [
            ("shift alarms", |w| w.shift_alarms, share),
            ("shift AUROC", |w| w.auroc, decimal),
            ("level alarms", |w| w.level_alarms, share),
        ];
        let watched =
            |of: Rate| self.results.iter().any(|r| r.watched.as_ref().and_then(of).is_some());
        let columns: Vec<_> = columns.into_iter().filter(|(_, of, _)| watched(*of)).collect();
        if columns.is_empty() {
            return None;
        }
        let of_recordings = |r: &NoiseScores| {
            let votes = r.recordings.as_ref()?;
            Some(format!("{} of {}", votes.shift_alarms?, votes.recordings.len()))
        };
        let has_recordings = self.results.iter().any(|r| of_recordings(r).is_some());
        let mut table = Table::new("noise");
        table.columns(columns.iter().map(|(name, ..)| (*name).to_owned()));
        table.columns(has_recordings.then(|| "recordings with a shift alarm".to_owned()));
        for result in &self.results {
            let rates =
                columns.iter().map(|(_, of, number)| number(result.watched.as_ref().and_then(*of)));
            let recordings =
                has_recordings.then(|| of_recordings(result).unwrap_or_else(|| "–".to_owned()));
            table.row(&noise_name(result.noise.as_ref()), rates.chain(recordings));
        }
        Some(table)
    }

    /// Scores of whole recordings by noise; `None` if the inputs are not windows of recordings.
    pub(super) fn vote_table(&self) -> Option<Table> {
        let mut table = Table::new("noise");
        let heads = ["recordings", "accuracy", "95 % interval", "macro recall"];
        table.columns(heads.map(str::to_owned));
        for result in &self.results {
            let Some(votes) = &result.recordings else { continue };
            let bounds = votes.interval.map_or_else(|| "too few".to_owned(), bounds);
            let cells = [
                votes.recordings.len().to_string(),
                percent(votes.accuracy),
                bounds,
                percent(votes.macro_recall),
            ];
            table.row(&noise_name(result.noise.as_ref()), cells);
        }
        (!table.rows.is_empty()).then_some(table)
    }

    /// What nobody should miss: the warnings of the training, and what the evaluation found.
    pub(super) fn findings(&self) -> Vec<String> {
        let warnings = self.model.training.iter().flat_map(|training| &training.warnings);
        let warnings = warnings.map(|warning| format!("warning: {warning}"));
        warnings.chain(self.findings.iter().cloned()).collect()
    }

    /// The evaluation as text for a terminal.
    pub fn text(&self) -> String {
        let (name, data) = (self.name(), plain(&self.data));
        let lines = self.notes.iter().cloned().chain(self.findings());
        let lines: String = lines.map(|line| plain(&line) + "\n").collect();
        let inputs = self.results.first().map_or(0, |first| first.scores.inputs);
        let mut text =
            format!("{lines}{name} on {data}, {inputs} inputs, noise seed {}\n", self.seed);
        let mut section = |title: &str, table: Option<Table>| {
            if let Some(table) = table {
                text.extend([title, "\n", &table.text()]);
            }
        };
        section("", Some(self.noise_table()));
        section("\nwhole recordings, by the mean of their windows\n", self.vote_table());
        section("\nalarms of the baseline\n", self.alarm_table());
        if let Some(first) = self.results.first() {
            let noise = noise_name(first.noise.as_ref());
            section(&format!("\nclasses, {noise}\n"), Some(first.scores.class_table()));
        }
        text
    }
}

impl Scores {
    /// A row for each class.
    pub(super) fn class_table(&self) -> Table {
        let mut table = Table::new("class");
        table.columns(["inputs", "recall", "precision", "F1"].map(str::to_owned));
        for class in &self.classes {
            let cells = [
                class.support.to_string(),
                share(class.recall),
                share(class.precision),
                share(class.f1),
            ];
            table.row(&class.name, cells);
        }
        table
    }
}
