//! Captures inputs with what was answered for them.

use drsn_bundle::baseline::most_likely;
use serde::Serialize;
use serde_json::value::to_raw_value;

use super::{ClassProbability, Detail, Diagnostics, Prediction, Wanted, reader::Reading};
use crate::{
    inference::origin::Origin,
    observability::{
        capture::{Kept, ModelCapture},
        telemetry::current_request,
    },
};

/// A prediction as the API answers it, without what the client called its input.
#[derive(Serialize)]
struct KeptPrediction<'a> {
    label: &'a str,
    class_index: usize,
    probability: f32,
    probabilities: Vec<ClassProbability<'a>>,
    diagnostics: Option<Diagnostics<'a>>,
}

impl Reading<'_> {
    /// Captures the input if it alarms, is uncertain or one of the sampled share. `values` are those
    /// before its preparation; `start` is its first sample, if it is a window of a longer signal.
    /// Whatever keeps it from being captured, the answer goes on.
    pub(super) fn capture(&self, capture: &ModelCapture, values: &[f32], start: Option<usize>) {
        let probabilities = self.outputs.probabilities.row(self.row);
        let probability = probabilities[most_likely(probabilities)];
        let shift = self.baseline.shift.is_some_and(|shift| shift.alarm);
        let level = self.baseline.level.is_some_and(|level| level.alarm);
        let Some(reasons) = capture.reasons(shift, level, probability) else { return };
        let wanted = Wanted { top_k: usize::MAX, detail: Detail::Summary };
        let prediction = Prediction::of(0, Origin::default(), self, self.manifest(), wanted);
        // The log has the reason.
        let Ok(Prediction { label, class_index, probability, probabilities, diagnostics, .. }) =
            prediction
        else {
            return;
        };
        let predicted = label.to_owned();
        let answer = KeptPrediction { label, class_index, probability, probabilities, diagnostics };
        let Ok(prediction) = to_raw_value(&answer) else { return };
        capture.keep(Kept {
            reasons,
            request: current_request(),
            start,
            predicted,
            probability,
            prediction,
            values: values.to_vec(),
        });
    }
}
