//! Whether a network works with the fixed statistics of its normalizations.
//!
//! On inputs that it was trained on, mixed into batches as in training, a sound network is about as
//! accurate with fixed statistics as with those of each batch. On held-out inputs it need not be:
//! the statistics of their batches adapt to another machine, speaker or mix of classes, and fixed
//! ones cannot. A loss on training inputs therefore shows a broken network, and a loss on held-out
//! inputs alone shows how much they differ.

use drsn_bundle::AccuracyByStatistics;

use super::error::ReestimationError;
use crate::{
    model::{BatchStatistics, Drsn, LayerStatistics},
    training::{HeldOutResult, Measured, TrainingContext},
};

/// The least loss on held-out inputs that is worth a warning.
const ONE_POINT: f64 = 0.01;
/// The least loss on training inputs that shows a broken network.
const FIVE_POINTS: f64 = 0.05;

/// Accuracy by statistics on some inputs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Number of inputs.
    pub inputs: usize,
    /// Accuracy on them.
    pub accuracy: AccuracyByStatistics,
}

/// How well a network works with fixed statistics.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StatisticsCheck {
    /// On at most some thousand training inputs.
    pub training: Sample,
    /// On the held-out inputs.
    pub held_out: Sample,
    /// The mean over classes of the share of their held-out inputs that are correctly classified, with
    /// exact statistics.
    pub held_out_macro_recall: f64,
    /// Mean cross-entropy on the held-out inputs, with exact statistics.
    pub held_out_loss: f64,
}

/// Measures a network with the statistics of its layers and with those of each batch, and the same
/// network with its `running` statistics.
///
/// # Errors
/// [`ReestimationError::Training`] if an input cannot be read.
pub fn check(
    network: &Drsn,
    running: &Drsn,
    context: TrainingContext<'_>,
) -> Result<StatisticsCheck, ReestimationError> {
    let measure = |inputs: &Measured<'_>| -> Result<(Sample, HeldOutResult), ReestimationError> {
        let fixed = |network: &Drsn| inputs.evaluate(network, context, || LayerStatistics);
        let exact = fixed(network)?;
        let accuracy = AccuracyByStatistics {
            running: fixed(running)?.accuracy,
            exact: exact.accuracy,
            batch: inputs.evaluate(network, context, BatchStatistics::default)?.accuracy,
        };
        Ok((Sample { inputs: inputs.inputs(), accuracy }, exact))
    };
    let (training, _) = measure(&Measured::training(&context))?;
    let (held_out, exact) = measure(&Measured::held_out(&context))?;
    let HeldOutResult { macro_recall, loss, .. } = exact;
    let (held_out_macro_recall, held_out_loss) = (macro_recall, loss);
    Ok(StatisticsCheck { training, held_out, held_out_macro_recall, held_out_loss })
}

impl StatisticsCheck {
    /// The reason not to export the network, if it loses more on training inputs than allowed.
    pub fn refusal(&self) -> Option<ReestimationError> {
        let AccuracyByStatistics { exact, batch, .. } = self.training.accuracy;
        let allowed = self.training.meaningful_loss(exact);
        (batch - exact > allowed).then_some(ReestimationError::Broken { exact, batch, allowed })
    }

    /// What a user of the model should know: that held-out inputs differ from training inputs.
    pub fn warning(&self) -> Option<String> {
        let AccuracyByStatistics { exact, batch, .. } = self.held_out.accuracy;
        (batch - exact > worth_a_warning(batch, self.held_out.inputs)).then(|| {
            format!(
                "held-out inputs differ from training inputs as a whole, as those of another \
                 machine, speaker or mix of classes do: the model is right on {:.2} % of them, but \
                 would be on {:.2} % if it could adapt its statistics to them; expect the same of \
                 other such inputs",
                100.0 * exact,
                100.0 * batch
            )
        })
    }

    /// That the running statistics of the training would break the network, if they would.
    pub fn trap(&self) -> Option<String> {
        let AccuracyByStatistics { running, exact, .. } = self.training.accuracy;
        let loss = exact - running;
        (loss > self.training.meaningful_loss(running)).then(|| {
            format!(
                "the running statistics of the training, which many programs export, would break \
                 this network: {:.2} % instead of {:.2} % right on training inputs",
                100.0 * running,
                100.0 * exact
            )
        })
    }
}

impl Sample {
    /// A loss of accuracy, down to `accuracy`, that is not by chance: five percentage points, or
    /// three standard errors of the difference between two accuracies, whichever is more.
    pub(crate) fn meaningful_loss(&self, accuracy: f64) -> f64 {
        let mean = f64::midpoint(accuracy, self.accuracy.batch);
        let standard_error = (2.0 * mean * (1.0 - mean) / self.inputs.max(1) as f64).sqrt();
        FIVE_POINTS.max(3.0 * standard_error)
    }
}

/// One percentage point or two standard errors of an accuracy over `inputs`, whichever is more.
fn worth_a_warning(batch_accuracy: f64, inputs: usize) -> f64 {
    let standard_error = (batch_accuracy * (1.0 - batch_accuracy) / inputs.max(1) as f64).sqrt();
    ONE_POINT.max(2.0 * standard_error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(running: f64, exact: f64, batch: f64) -> Sample {
        Sample { inputs: 5_000, accuracy: AccuracyByStatistics { running, exact, batch } }
    }

    fn check_of(training: Sample, held_out: Sample) -> StatisticsCheck {
        let (held_out_macro_recall, held_out_loss) = (held_out.accuracy.exact, 1.0);
        StatisticsCheck { training, held_out, held_out_macro_recall, held_out_loss }
    }

    #[test]
    fn a_point_is_allowed_or_two_standard_errors() {
        assert!((worth_a_warning(0.99, 5_000) - 0.01).abs() < 1e-12);
        assert!((worth_a_warning(0.5, 100) - 0.1).abs() < 1e-12);
    }

    #[test]
    fn a_network_that_loses_on_its_training_inputs_is_refused() {
        let check = |exact| check_of(sample(0.9, exact, 0.95), sample(0.9, 0.9, 0.9));
        assert!(check(0.91).refusal().is_none());
        let refusal = check(0.45).refusal().map(|e| e.to_string());
        assert!(refusal.is_some_and(|reason| reason.contains("45.00 % with the fixed")));
    }

    /// Of 32 inputs, one is three points: chance does not show that a network is broken.
    #[test]
    fn a_few_inputs_more_or_less_of_a_small_sample_are_chance() {
        let small = |exact| {
            let training = Sample { inputs: 32, ..sample(0.9, exact, 1.0) };
            check_of(training, training)
        };
        assert!(small(29.0 / 32.0).refusal().is_none());
        assert!(small(16.0 / 32.0).refusal().is_some());
    }

    /// Beats of other patients and digits of other speakers once ended finished trainings: 0.33
    /// with fixed statistics and 0.55 with those of each batch.
    #[test]
    fn a_loss_on_held_out_inputs_alone_is_a_warning() {
        let check = check_of(sample(0.93, 0.95, 0.94), sample(0.3, 0.33, 0.55));
        assert!(check.refusal().is_none());
        let warning = check.warning().unwrap();
        assert!(warning.contains("33.00 %") && warning.contains("55.00 %"), "{warning}");
        let alike = StatisticsCheck { held_out: sample(0.94, 0.94, 0.945), ..check };
        assert_eq!(alike.warning(), None);
    }

    /// The first author's Keras program, with the accuracies of its first seed.
    #[test]
    fn the_trap_of_running_statistics_is_named() {
        let keras = sample(0.3894, 0.8458, 0.8286);
        let check = check_of(keras, keras);
        assert!(check.refusal().is_none());
        assert!(check.trap().is_some_and(|trap| trap.contains("38.94 %")));
        let sound = StatisticsCheck { training: sample(0.93, 0.95, 0.94), ..check };
        assert_eq!(sound.trap(), None);
    }
}
