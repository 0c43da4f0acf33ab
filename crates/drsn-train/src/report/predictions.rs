//! What a model says of labelled inputs.

use super::ReportError;

/// The classes of some inputs, and the probabilities that a model gives them.
#[derive(Debug, Clone, PartialEq)]
pub struct Predictions {
    labels: Vec<usize>,
    /// `[inputs, classes]`, row-major.
    probabilities: Vec<f32>,
    classes: usize,
}

impl Predictions {
    /// Labels with the probabilities `[inputs, classes]` in row-major order.
    ///
    /// # Errors
    /// [`ReportError::Predictions`] where there is no input or no class, the sizes differ, or a label is no class.
    pub fn new(
        labels: Vec<usize>,
        probabilities: Vec<f32>,
        classes: usize,
    ) -> Result<Self, ReportError> {
        let wrong = |reason: String| ReportError::Predictions { reason };
        if labels.is_empty() || classes == 0 {
            return Err(wrong("there is no input".to_owned()));
        }
        if Some(probabilities.len()) != labels.len().checked_mul(classes) {
            return Err(wrong(format!(
                "{} inputs and {classes} classes need one probability each, and {} came",
                labels.len(),
                probabilities.len()
            )));
        }
        if let Some(label) = labels.iter().find(|&&label| label >= classes) {
            return Err(wrong(format!(
                "an input has class number {label}, and the model knows the numbers 0 to {}",
                classes - 1
            )));
        }
        Ok(Self { labels, probabilities, classes })
    }

    /// The right class of each input.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// Probabilities, `[inputs, classes]` in row-major order.
    pub fn probabilities(&self) -> &[f32] {
        &self.probabilities
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Number of inputs, at least one.
    pub fn inputs(&self) -> usize {
        self.labels.len()
    }

    /// Right class, most probable class and its probability, input by input.
    pub fn decisions(&self) -> impl Iterator<Item = (usize, usize, f32)> {
        let rows = self.probabilities.chunks_exact(self.classes);
        self.labels.iter().zip(rows).map(|(&label, row)| {
            let (class, probability) = most_probable(row);
            (label, class, probability)
        })
    }
}

/// The most probable class: the first of several equal ones, as NumPy has it. What is no number is less than all.
fn most_probable(row: &[f32]) -> (usize, f32) {
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
    use super::*;

    #[test]
    fn of_equal_probabilities_the_first_class_wins() {
        assert_eq!(most_probable(&[0.2, 0.4, 0.4]), (1, 0.4));
        assert_eq!(most_probable(&[f32::NAN, 0.1, 0.3]), (2, 0.3));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let refused = |labels: &[usize], probabilities: usize, classes| {
            Predictions::new(labels.to_vec(), vec![0.5; probabilities], classes)
                .unwrap_err()
                .to_string()
        };
        assert!(refused(&[], 0, 2).contains("no input"));
        assert!(refused(&[0, 1], 3, 2).contains("3 came"));
        assert!(refused(&[0, 2], 4, 2).contains("class number 2"));
    }
}
