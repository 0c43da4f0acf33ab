//! Accuracy, F1 and calibration of a model under one noise.

mod rows;

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::{error::EvaluationError, predictions::Predictions};

/// Bins of the calibration error, as in Guo et al.
const BINS: usize = 15;

/// 97.5 % quantile of the normal distribution: for intervals of 95 %.
const QUANTILE: f64 = 1.959_963_984_540_054;

/// Scores of a model on labelled inputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Number of inputs.
    pub inputs: usize,
    /// Correctly classified inputs.
    pub right: usize,
    /// Their share, in [0, 1].
    pub accuracy: f64,
    /// Wilson's interval of 95 % for the accuracy, see `wilson`.
    pub interval: [f64; 2],
    /// Mean F1 of the classes that occur as labels or as predictions, in [0, 1].
    pub macro_f1: f64,
    /// Expected calibration error, in [0, 1]: the mean distance between confidence and accuracy in
    /// bins of equal width. Source: C. Guo et al., "On Calibration of Modern Neural Networks", ICML
    /// 2017, equation 3, with 15 bins.
    pub calibration_error: f64,
    /// Scores of each class, in the order of the model's outputs.
    pub classes: Vec<ClassScores>,
    /// Confusion matrix: inputs by correct class (row) and predicted class (column).
    #[serde(with = "rows")]
    pub confusion: Array2<usize>,
    /// Bins of the calibration error, from the lowest confidence.
    pub reliability: Vec<ReliabilityBin>,
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
    /// Scores predictions; `classes` are the names of the model's classes.
    ///
    /// # Errors
    /// [`EvaluationError::Predictions`] if the number of names differs from that of the classes.
    pub fn new(predictions: &Predictions, classes: &[String]) -> Result<Self, EvaluationError> {
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
        let reliability = reliability(predictions);
        Ok(Self {
            inputs,
            right,
            accuracy: right as f64 / inputs as f64,
            interval: wilson(right, inputs),
            macro_f1: mean(classes.iter().filter_map(|class| class.f1)),
            calibration_error: reliability
                .iter()
                .map(|bin| bin.inputs as f64 * (bin.confidence - bin.accuracy).abs())
                .sum::<f64>()
                / inputs as f64,
            classes,
            confusion,
            reliability,
        })
    }
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

fn reliability(predictions: &Predictions) -> Vec<ReliabilityBin> {
    let mut sums = [(0_usize, 0.0_f64, 0_usize); BINS];
    for (label, class, probability) in predictions.decisions() {
        // A non-finite probability, from a broken model, counts as no confidence.
        let confidence =
            if probability.is_finite() { f64::from(probability).clamp(0.0, 1.0) } else { 0.0 };
        let bin = ((confidence * BINS as f64).ceil() as usize).clamp(1, BINS) - 1;
        sums[bin].0 += 1;
        sums[bin].1 += confidence;
        sums[bin].2 += usize::from(label == class);
    }
    let bin = |(i, (inputs, confidence, right)): (usize, (usize, f64, usize))| ReliabilityBin {
        from: i as f64 / BINS as f64,
        to: (i + 1) as f64 / BINS as f64,
        inputs,
        confidence: confidence / inputs.max(1) as f64,
        accuracy: right as f64 / inputs.max(1) as f64,
    };
    sums.into_iter().enumerate().map(bin).collect()
}

/// Wilson's 95 % score interval for a share, within [0, 1]; [0, 1] if there are no inputs.
///
/// Unlike mean ± 1.96 standard errors, it keeps its level near 0 and 1, where good models are.
/// Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
/// 1927.
pub(crate) fn wilson(right: usize, inputs: usize) -> [f64; 2] {
    if inputs == 0 {
        return [0.0, 1.0];
    }
    let n = inputs as f64;
    let share = right as f64 / n;
    let square = QUANTILE * QUANTILE;
    let middle = (share + square / (2.0 * n)) / (1.0 + square / n);
    let half =
        QUANTILE / (1.0 + square / n) * (share * (1.0 - share) / n + square / (4.0 * n * n)).sqrt();
    // Rounding may put the share itself outside if all or no inputs are correct.
    [(middle - half).max(0.0).min(share), (middle + half).min(1.0).max(share)]
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0_usize), |(sum, count), value| (sum + value, count + 1));
    sum / count.max(1) as f64
}

#[cfg(test)]
mod tests;
