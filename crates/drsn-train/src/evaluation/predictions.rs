//! Predictions for labelled inputs.

use ndarray::{Array2, ArrayRef1, ArrayView2};

use super::error::EvaluationError;

/// The classes of some inputs, and the probabilities predicted by a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Predictions {
    labels: Vec<usize>,
    /// `[inputs, classes]`.
    probabilities: Array2<f32>,
}

impl Predictions {
    /// Combines labels with probabilities, `[inputs, classes]`.
    ///
    /// # Errors
    /// [`EvaluationError::Predictions`] if there are no inputs or no classes, the sizes differ, or
    /// a label is out of range.
    pub fn new(labels: Vec<usize>, probabilities: Array2<f32>) -> Result<Self, EvaluationError> {
        let wrong = |reason: String| EvaluationError::Predictions { reason };
        let (inputs, classes) = probabilities.dim();
        if labels.is_empty() || classes == 0 {
            return Err(wrong("there are no inputs".to_owned()));
        }
        if labels.len() != inputs {
            return Err(wrong(format!(
                "expected probabilities for {} inputs, got {inputs}",
                labels.len()
            )));
        }
        if let Some(label) = labels.iter().find(|&&label| label >= classes) {
            return Err(wrong(format!(
                "an input has class number {label}, but the model knows only 0 to {}",
                classes - 1
            )));
        }
        Ok(Self { labels, probabilities })
    }

    /// The predictions of the same model whose logits are not divided by this temperature: softmax(z) is
    /// softmax(z / T) to the power of T, divided by its sum.
    #[must_use]
    pub fn without_temperature(&self, temperature: f32) -> Self {
        let mut probabilities = self.probabilities.clone();
        for mut row in probabilities.rows_mut() {
            let most = row.iter().fold(f32::MIN_POSITIVE, |a, &b| a.max(b));
            row.mapv_inplace(|p| (p / most).powf(temperature));
            let sum = row.sum();
            row.mapv_inplace(|p| p / sum);
        }
        Self { labels: self.labels.clone(), probabilities }
    }

    /// The correct class of each input.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// Probabilities, `[inputs, classes]`.
    pub fn probabilities(&self) -> ArrayView2<'_, f32> {
        self.probabilities.view()
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.probabilities.ncols()
    }

    /// Number of inputs, at least 1.
    pub fn inputs(&self) -> usize {
        self.labels.len()
    }

    /// Correct class, most probable class and its probability of each input.
    pub fn decisions(&self) -> impl Iterator<Item = (usize, usize, f32)> {
        self.labels.iter().zip(self.probabilities.rows()).map(|(&label, row)| {
            let (class, probability) = most_probable(&row);
            (label, class, probability)
        })
    }
}

/// The most probable class: the first of several equal ones, as in NumPy. NaN is less than any
/// number.
fn most_probable(row: &ArrayRef1<f32>) -> (usize, f32) {
    let first = (0, row.first().copied().unwrap_or_default());
    row.iter().copied().enumerate().skip(1).fold(first, |best, (class, probability)| {
        if probability > best.1 || (best.1.is_nan() && !probability.is_nan()) {
            (class, probability)
        } else {
            best
        }
    })
}

#[cfg(test)]
mod tests {
    use ndarray::aview1;

    use super::*;

    #[test]
    fn of_equal_probabilities_the_first_class_wins() {
        assert_eq!(most_probable(&aview1(&[0.2, 0.4, 0.4])), (1, 0.4));
        assert_eq!(most_probable(&aview1(&[f32::NAN, 0.1, 0.3])), (2, 0.3));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let refused = |labels: &[usize], shape: (usize, usize)| {
            let probabilities = Array2::from_elem(shape, 0.5);
            Predictions::new(labels.to_vec(), probabilities).unwrap_err().to_string()
        };
        assert!(refused(&[], (0, 2)).contains("no inputs"));
        assert!(refused(&[0, 1], (3, 2)).contains("got 3"));
        assert!(refused(&[0, 2], (2, 2)).contains("class number 2"));
    }
}
