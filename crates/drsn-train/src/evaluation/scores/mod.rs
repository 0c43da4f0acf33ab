//! Accuracy, F1 and calibration of a model under one noise.

mod calibration;
mod rows;

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::{
    error::EvaluationError,
    interval::{IndependentUnit, interval},
    predictions::Predictions,
    units::Units,
};

/// Scores of a model on labelled inputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Number of inputs.
    pub inputs: usize,
    /// Correctly classified inputs.
    pub right: usize,
    /// Their share, in [0, 1].
    pub accuracy: f64,
    /// Interval of 95 % for the accuracy on other inputs, files or groups of this kind; `None` if
    /// there are fewer than two of them.
    pub interval: Option<[f64; 2]>,
    /// What the interval takes as independent, and how many of them there are; `None` in files of
    /// older versions, whose intervals take inputs as independent.
    #[serde(default)]
    pub independent: Option<Independent>,
    /// Mean F1 of the classes that occur as labels or as predictions, in [0, 1].
    pub macro_f1: f64,
    /// Mean recall of the classes that occur, in [0, 1]; `None` in files of older versions.
    #[serde(default)]
    pub macro_recall: Option<f64>,
    /// The most frequent class and its share, which is the accuracy of always answering it; `None`
    /// in files of older versions.
    #[serde(default)]
    pub majority: Option<Majority>,
    /// Expected calibration error, in [0, 1]: the mean distance between confidence and accuracy in
    /// bins of equal width. Source: C. Guo et al., "On Calibration of Modern Neural Networks", ICML
    /// 2017, equation 3, with 15 bins.
    pub calibration_error: f64,
    /// Interval of 95 % for it on other inputs, files or groups of this kind; `None` if there are fewer
    /// than two of them, and in files of older versions.
    #[serde(default)]
    pub calibration_interval: Option<[f64; 2]>,
    /// Scores of each class, in the order of the model's outputs.
    pub classes: Vec<ClassScores>,
    /// Confusion matrix: inputs by correct class (row) and predicted class (column).
    #[serde(with = "rows")]
    pub confusion: Array2<usize>,
    /// Bins of the calibration error, from the lowest confidence.
    pub reliability: Vec<ReliabilityBin>,
}

/// What an interval takes as independent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Independent {
    /// What they are.
    pub unit: IndependentUnit,
    /// How many there are.
    pub count: usize,
}

/// The most frequent class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Majority {
    /// Label of the class.
    pub class: String,
    /// Its share of the inputs, in (0, 1].
    pub share: f64,
}

/// Scores of one class; `None` instead of a division by zero.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassScores {
    /// Label of the class.
    pub name: String,
    /// Inputs of the class.
    pub support: usize,
    /// Share of the inputs predicted as this class that belong to it; `None` if there are none.
    pub precision: Option<f64>,
    /// Share of this class's inputs that are predicted as it; `None` if there are none.
    pub recall: Option<f64>,
    /// Harmonic mean of both, `2 TP / (2 TP + FP + FN)`; `None` if the class neither occurs nor is
    /// predicted.
    pub f1: Option<f64>,
}

/// Inputs whose largest probability lies in `(from, to]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityBin {
    /// Lower bound, exclusive.
    pub from: f64,
    /// Upper bound, inclusive.
    pub to: f64,
    /// Number of inputs.
    pub inputs: usize,
    /// Mean of their largest probabilities; 0 if there are no inputs.
    pub confidence: f64,
    /// Share of correctly classified inputs; 0 if there are no inputs.
    pub accuracy: f64,
}

impl Scores {
    /// Scores predictions for independent inputs; `classes` are the names of the model's classes.
    ///
    /// # Errors
    /// [`EvaluationError::Predictions`] if the number of names differs from that of the classes.
    pub fn new(predictions: &Predictions, classes: &[String]) -> Result<Self, EvaluationError> {
        Self::over(predictions, classes, &Units::independent(predictions.inputs()))
    }

    /// Scores predictions for inputs of which those of one unit belong together.
    ///
    /// # Errors
    /// As [`Scores::new`].
    pub fn over(
        predictions: &Predictions,
        classes: &[String],
        units: &Units,
    ) -> Result<Self, EvaluationError> {
        let count = predictions.classes();
        if classes.len() != count {
            return Err(EvaluationError::Predictions {
                reason: format!("the model has {count} classes but {} labels", classes.len()),
            });
        }
        let mut confusion = Array2::zeros((count, count));
        for (label, class, _) in predictions.decisions() {
            confusion[[label, class]] += 1;
        }
        let inputs = predictions.inputs();
        let right: usize = confusion.diag().sum();
        let classes: Vec<ClassScores> =
            classes.iter().enumerate().map(|(i, name)| class_scores(name, i, &confusion)).collect();
        let reliability = calibration::reliability(predictions);
        let calibration_error = calibration::error(&reliability);
        let hits = predictions.decisions().map(|(label, class, _)| label == class);
        let counts = Units::counts(units.of_input.iter().copied(), hits);
        Ok(Self {
            inputs,
            right,
            accuracy: right as f64 / inputs as f64,
            interval: interval(units.unit, &counts),
            independent: Some(Independent { unit: units.unit, count: counts.len() }),
            macro_recall: Some(mean(classes.iter().filter_map(|class| class.recall))),
            majority: majority(&classes, inputs),
            macro_f1: mean(classes.iter().filter_map(|class| class.f1)),
            calibration_error,
            calibration_interval: calibration::interval(predictions, units, calibration_error),
            classes,
            confusion,
            reliability,
        })
    }
}

/// The first of the most frequent classes.
fn majority(classes: &[ClassScores], inputs: usize) -> Option<Majority> {
    let most = classes.iter().map(|class| class.support).max()?;
    let class = classes.iter().find(|class| class.support == most)?;
    Some(Majority { class: class.name.clone(), share: most as f64 / inputs.max(1) as f64 })
}

fn class_scores(name: &str, class: usize, confusion: &Array2<usize>) -> ClassScores {
    let right = confusion[[class, class]];
    let support = confusion.row(class).sum();
    let predicted = confusion.column(class).sum();
    let share = |part: usize, all: usize| (all > 0).then(|| part as f64 / all as f64);
    ClassScores {
        name: name.to_owned(),
        support,
        precision: share(right, predicted),
        recall: share(right, support),
        f1: share(2 * right, support + predicted),
    }
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0_usize), |(sum, count), value| (sum + value, count + 1));
    sum / count.max(1) as f64
}

#[cfg(test)]
mod tests;
