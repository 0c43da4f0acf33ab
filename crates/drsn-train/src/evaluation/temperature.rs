//! The temperature of a model's probabilities (C. Guo et al., "On Calibration of Modern Neural
//! Networks", ICML 2017): the number T that the logits are divided by, so that a probability of 0.9
//! is right in nine of ten cases.
//!
//! Held-out inputs that are all classified right fit best with T towards 0, and windows of one
//! recording are alike. So probabilities are never sharpened (T ≥ 1), and T is 1 unless it lowers the
//! loss on recordings that it was not fitted on, by more than twice the error of that mean.

use std::sync::atomic::{AtomicBool, Ordering};

use drsn_bundle::{Calibration, onnx::LOGITS, runtime::Session};
use ndarray::{Array2, ArrayView1};

use super::{error::EvaluationError, units::Units};
use crate::{dataset::Part, training::Batches};

/// Batch size for the model.
const BATCH: usize = 100;
/// Most logits that a temperature is chosen by; of more, every n-th input counts.
const MOST_LOGITS: usize = 1 << 21;

/// Largest temperature.
const MOST: f64 = 20.0;
/// Parts that the units are divided into: each one's loss is measured with the temperature of the
/// others.
const FOLDS: usize = 10;
/// Steps of the search for a temperature, each of which halves the range.
const STEPS: usize = 30;
/// Standard errors by which the loss must fall.
const ERRORS: f64 = 2.0;
/// Least temperature other than 1: a smaller one changes no answer that a user sees.
const LEAST: f64 = 1.01;

/// Chooses the temperature of a model of so many classes by held-out inputs; `None` if there are none, or
/// `stop` was set.
pub(crate) fn calibrate(
    session: &mut Session,
    held_out: &Batches<'_>,
    classes: usize,
    stop: &AtomicBool,
) -> Result<Option<Calibration>, EvaluationError> {
    let Part { source, indices } = held_out.part;
    let stride = (indices.len() * classes).div_ceil(MOST_LOGITS).max(1);
    let indices: Vec<usize> = indices.iter().copied().step_by(stride).collect();
    let part = Part { source: source.clone(), indices };
    let mut logits = Vec::with_capacity(part.indices.len() * classes);
    for batch in part.indices.chunks(BATCH) {
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let inputs = held_out.values(batch, 0)?;
        logits.extend(session.run(inputs.view())?.take(LOGITS)?);
    }
    if part.indices.is_empty() {
        return Ok(None);
    }
    let wrong =
        |error: ndarray::ShapeError| EvaluationError::Predictions { reason: error.to_string() };
    let values = Array2::from_shape_vec((part.indices.len(), classes), logits).map_err(wrong)?;
    let labels = part.indices.iter().map(|&index| part.source.label(index)).collect();
    Ok(Some(Logits { values, labels, units: &Units::of(&part) }.calibration()?))
}

/// The logits of labelled inputs, and which of them belong together.
#[derive(Debug)]
pub(crate) struct Logits<'a> {
    /// `[inputs, classes]`.
    pub(crate) values: Array2<f32>,
    /// The class of each input.
    pub(crate) labels: Vec<usize>,
    /// The independent units.
    pub(crate) units: &'a Units,
}

impl Logits<'_> {
    /// The temperature of these held-out inputs, and why it is that one.
    ///
    /// # Errors
    /// [`EvaluationError::Predictions`] if the sizes differ, a label is out of range, or a logit is not
    /// finite.
    pub(crate) fn calibration(&self) -> Result<Calibration, EvaluationError> {
        self.check()?;
        let inputs = self.labels.len();
        let unit_of = &self.units.of_input;
        let units = unit_of.iter().max().map_or(0, |last| last + 1);
        let what = format!("{inputs} held-out inputs of {}", self.units.unit.count(units));
        let all: Vec<usize> = (0..inputs).collect();
        let found = self.fit(&all);
        let kept = |reason: String| Calibration {
            temperature: 1.0,
            reason,
            inputs: inputs as u64,
            units: units as u64,
        };
        if units < 2 {
            return Ok(kept(format!("1 without a fit: there are {what}, and two are needed")));
        }
        if found < LEAST {
            return Ok(kept(format!("1: on {what} the probabilities are not too high")));
        }
        let (gain, error) = self.gain(units);
        let measured = format!(
            "on those that it was not fitted on it lowers the loss by {gain:.5} ± {error:.5}"
        );
        if gain <= ERRORS * error {
            return Ok(kept(format!("1: {found:.3} fits {what} best, and {measured} only")));
        }
        let reason = format!("fitted on {what}: {measured}");
        Ok(Calibration { temperature: found as f32, ..kept(reason) })
    }

    fn check(&self) -> Result<(), EvaluationError> {
        let (inputs, classes) = self.values.dim();
        let wrong = |reason: &str| {
            Err(EvaluationError::Predictions { reason: format!("cannot calibrate: {reason}") })
        };
        if self.labels.len() != inputs || self.units.of_input.len() != inputs {
            return wrong("labels, units and logits differ in number");
        }
        if self.labels.iter().any(|&label| label >= classes) {
            return wrong("an input has a class that the model does not know");
        }
        if !self.values.iter().all(|logit| logit.is_finite()) {
            return wrong("a logit is not finite");
        }
        Ok(())
    }

    /// The temperature from 1 on with the least loss. The loss is convex in 1 / T, so its derivative
    /// changes sign once.
    fn fit(&self, inputs: &[usize]) -> f64 {
        let slope = |inverse: f64| -> f64 {
            inputs
                .iter()
                .map(|&input| slope(&self.values.row(input), self.labels[input], inverse))
                .sum()
        };
        if slope(1.0) <= 0.0 {
            return 1.0;
        }
        let (mut low, mut high) = (1.0 / MOST, 1.0);
        for _ in 0..STEPS {
            let middle = f64::midpoint(low, high);
            if slope(middle) > 0.0 { high = middle } else { low = middle }
        }
        1.0 / f64::midpoint(low, high)
    }

    /// How much less the mean loss of an input is with the temperature of the other folds than with 1,
    /// and the standard error of that over units.
    fn gain(&self, units: usize) -> (f64, f64) {
        let unit_of = &self.units.of_input;
        let folds = FOLDS.min(units);
        let (mut sums, mut counts) = (vec![0.0; units], vec![0.0; units]);
        for fold in 0..folds {
            let (tested, fitted): (Vec<usize>, Vec<usize>) =
                (0..unit_of.len()).partition(|&input| unit_of[input] % folds == fold);
            let inverse = 1.0 / self.fit(&fitted);
            for input in tested {
                let loss = |inverse| loss(&self.values.row(input), self.labels[input], inverse);
                sums[unit_of[input]] += loss(1.0) - loss(inverse);
                counts[unit_of[input]] += 1.0;
            }
        }
        let inputs = unit_of.len() as f64;
        let gain = sums.iter().sum::<f64>() / inputs;
        let squares: f64 = sums
            .iter()
            .zip(&counts)
            .map(|(sum, count): (&f64, &f64)| (sum - count * gain).powi(2))
            .sum();
        let units = units as f64;
        (gain, (squares * units / (units - 1.0)).sqrt() / inputs)
    }
}

/// −ln p of a class, with the logits times `inverse`.
fn loss(logits: &ArrayView1<'_, f32>, label: usize, inverse: f64) -> f64 {
    let most = logits.iter().fold(f32::NEG_INFINITY, |a, &b| a.max(b));
    let sum: f64 = logits.iter().map(|&z| (f64::from(z - most) * inverse).exp()).sum();
    sum.ln() - f64::from(logits[label] - most) * inverse
}

/// The derivative of [`loss`] by `inverse`: the expected logit minus that of the class.
fn slope(logits: &ArrayView1<'_, f32>, label: usize, inverse: f64) -> f64 {
    let most = logits.iter().fold(f32::NEG_INFINITY, |a, &b| a.max(b));
    let (mut sum, mut weighted) = (0.0, 0.0);
    for &z in logits {
        let z = f64::from(z - most);
        let weight = (z * inverse).exp();
        sum += weight;
        weighted += weight * z;
    }
    weighted / sum - f64::from(logits[label] - most)
}

#[cfg(test)]
mod tests {
    use rand::RngExt as _;
    use rand_distr::StandardNormal;

    use super::*;
    use crate::{
        evaluation::{Predictions, Scores},
        random::{Purpose, stream},
    };

    const CLASSES: usize = 5;

    /// Logits with whose softmax labels are drawn, times `sharpness`: what an overconfident network
    /// gives, if it is above 1.
    fn drawn(seed: u64, inputs: usize, sharpness: f32) -> (Array2<f32>, Vec<usize>) {
        let mut rng = stream(seed, Purpose::Evaluation, 0, 0);
        let mut labels = Vec::with_capacity(inputs);
        let logits = Array2::from_shape_fn((inputs, CLASSES), |_| {
            2.0 * rng.sample::<f32, _>(StandardNormal)
        });
        for row in logits.rows() {
            let weights: Vec<f64> = row.iter().map(|&z| f64::from(z).exp()).collect();
            let mut rest = rng.random::<f64>() * weights.iter().sum::<f64>();
            let label = weights.iter().position(|weight| {
                rest -= weight;
                rest <= 0.0
            });
            labels.push(label.unwrap_or(CLASSES - 1));
        }
        (logits * sharpness, labels)
    }

    fn calibration(logits: &Array2<f32>, labels: &[usize], units: &Units) -> Calibration {
        let (values, labels) = (logits.clone(), labels.to_vec());
        Logits { values, labels, units }.calibration().unwrap()
    }

    fn calibration_error(logits: &Array2<f32>, labels: &[usize], temperature: f32) -> f64 {
        let mut probabilities = logits / temperature;
        for mut row in probabilities.rows_mut() {
            let most = row.fold(f32::NEG_INFINITY, |a, &b| a.max(b));
            row.mapv_inplace(|z| (z - most).exp());
            let sum = row.sum();
            row.mapv_inplace(|weight| weight / sum);
        }
        let predictions = Predictions::new(labels.to_vec(), probabilities).unwrap();
        let names: Vec<String> = (0..CLASSES).map(|class| class.to_string()).collect();
        Scores::new(&predictions, &names).unwrap().calibration_error
    }

    #[test]
    fn an_overconfident_network_gets_a_temperature_and_is_calibrated_on_new_inputs() {
        let (logits, labels) = drawn(1, 2_000, 1.8);
        let found = calibration(&logits, &labels, &Units::independent(2_000));
        assert!((found.temperature - 1.8).abs() < 0.15, "{found:?}");
        assert!(found.reason.starts_with("fitted on 2000 held-out inputs"), "{found:?}");
        let (logits, labels) = drawn(2, 5_000, 1.8);
        let before = calibration_error(&logits, &labels, 1.0);
        let after = calibration_error(&logits, &labels, found.temperature);
        // Of 5,000 inputs in 15 bins, 0.02 is what scatter alone makes of perfect probabilities.
        assert!(before > 0.08 && after < before / 4.0, "{before}, {after}");
    }

    #[test]
    fn a_calibrated_and_an_underconfident_network_keep_their_probabilities() {
        for (seed, sharpness) in [(3, 1.0), (4, 1.0), (5, 0.5)] {
            let (logits, labels) = drawn(seed, 2_000, sharpness);
            let found = calibration(&logits, &labels, &Units::independent(2_000));
            assert!((found.temperature - 1.0).abs() < f32::EPSILON, "{sharpness}: {found:?}");
        }
    }

    /// Where every held-out window is right, the loss falls with T down to 0, and that of other
    /// recordings rises.
    #[test]
    fn held_out_inputs_that_are_all_right_sharpen_nothing() {
        let (logits, _) = drawn(6, 500, 1.0);
        let labels: Vec<usize> = logits
            .rows()
            .into_iter()
            .map(|row| (0..CLASSES).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap())
            .collect();
        let found = calibration(&logits, &labels, &Units::independent(500));
        assert!((found.temperature - 1.0).abs() < f32::EPSILON, "{found:?}");
        assert!(found.reason.contains("not too high"), "{found:?}");
    }

    /// One wrong recording of ten: its windows are one observation and not fifty.
    #[test]
    fn one_recording_of_wrong_windows_is_no_evidence() {
        let (logits, labels) = drawn(7, 500, 1.0);
        let mut sure = logits * 0.1;
        let mut units = Units::independent(500);
        units.of_input = (0..500).map(|input| input / 50).collect();
        for (input, mut row) in sure.rows_mut().into_iter().enumerate() {
            let told = if input < 50 { (labels[input] + 1) % CLASSES } else { labels[input] };
            row[told] += 6.0;
        }
        let alike = calibration(&sure, &labels, &units);
        assert!((alike.temperature - 1.0).abs() < f32::EPSILON, "{alike:?}");
        let independent = calibration(&sure, &labels, &Units::independent(500));
        assert!(independent.temperature > 1.3, "{independent:?}");
        units.of_input = vec![0; 500];
        let one = calibration(&sure, &labels, &units);
        assert!(one.reason.contains("without a fit"), "{one:?}");
    }
}
