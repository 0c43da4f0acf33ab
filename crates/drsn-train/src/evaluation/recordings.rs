//! Votes: the class of a whole recording, from the probabilities of its windows.

use drsn_bundle::{Baseline, baseline::InputShift};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::{
    answers::Answers, error::EvaluationError, interval::interval, predictions::Predictions,
    scores::Scores, units::Units,
};
use crate::dataset::Part;

/// Scores of whole recordings, each classified by the mean of its windows' probabilities.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordingScores {
    /// Correctly classified recordings.
    pub right: usize,
    /// Their share, in [0, 1].
    pub accuracy: f64,
    /// Interval of 95 % for the accuracy; `None` if fewer than two of them are independent.
    pub interval: Option<[f64; 2]>,
    /// Mean recall of the classes that occur, in [0, 1].
    pub macro_recall: f64,
    /// Recordings with an input shift alarm: more of their windows alarm than the baseline's level
    /// explains. `None` if the model has no such baseline.
    pub shift_alarms: Option<usize>,
    /// The recordings, in the order of the data.
    pub recordings: Vec<RecordingVote>,
}

/// One recording, or a part of one with a label of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordingVote {
    /// Its file.
    pub file: String,
    /// Its group, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Its class.
    pub class: String,
    /// The class with the largest mean probability.
    pub prediction: String,
    /// That probability.
    pub probability: f64,
    /// Number of its windows.
    pub windows: usize,
    /// Correctly classified windows.
    pub right: usize,
    /// Share of windows with an input shift alarm; `None` if the model has no such baseline.
    pub shift_alarms: Option<f64>,
    /// Whether more windows alarm than the baseline's level explains.
    pub shift_alarm: Option<bool>,
}

impl RecordingScores {
    /// Votes of the recordings of a part; `None` if its inputs are not windows of recordings.
    /// `alarm_level` is that of the model's baseline.
    ///
    /// # Errors
    /// [`EvaluationError::Predictions`] if the number of classes differs from that of the model.
    pub(crate) fn new(
        part: &Part,
        units: &Units,
        answers: &Answers,
        classes: &[String],
        baseline: Option<&Baseline>,
    ) -> Result<Option<Self>, EvaluationError> {
        if units.recordings.is_empty() {
            return Ok(None);
        }
        let votes = votes(units, &answers.predictions)?;
        let scores = Scores::new(&votes, classes)?;
        let hits: Vec<bool> =
            answers.predictions.decisions().map(|(label, class, _)| label == class).collect();
        let name = |class: usize| classes.get(class).cloned().unwrap_or_default();
        let vote = |(windows, (label, class, probability)): (&Vec<usize>, (usize, usize, f32))| {
            let first = windows.first().map(|&first| part.source.origin(part.indices[first]));
            let origin = first.unwrap_or_default();
            let shifts: Vec<InputShift> =
                windows.iter().filter_map(|&window| answers.shifts.get(window)).copied().collect();
            let shift = baseline.and_then(|baseline| baseline.shift_over_windows(&shifts));
            RecordingVote {
                file: origin.file.unwrap_or_default().to_owned(),
                group: origin.group.map(str::to_owned),
                class: name(label),
                prediction: name(class),
                probability: f64::from(probability),
                windows: windows.len(),
                right: windows.iter().filter(|&&window| hits[window]).count(),
                shift_alarms: shift.map(|shift| shift.alarm_share),
                shift_alarm: shift.map(|shift| shift.alarm),
            }
        };
        let recordings: Vec<RecordingVote> =
            units.recordings.iter().zip(votes.decisions()).map(vote).collect();
        let alarms: Option<Vec<bool>> = recordings.iter().map(|vote| vote.shift_alarm).collect();
        let first = |windows: &Vec<usize>| windows.first().map_or(0, |&w| units.of_input[w]);
        let counts = Units::counts(
            units.recordings.iter().map(first),
            votes.decisions().map(|(label, class, _)| label == class),
        );
        Ok(Some(Self {
            right: scores.right,
            accuracy: scores.accuracy,
            interval: interval(units.unit, &counts),
            macro_recall: scores.macro_recall.unwrap_or_default(),
            shift_alarms: alarms.map(|alarms| alarms.iter().filter(|alarm| **alarm).count()),
            recordings,
        }))
    }
}

/// Mean probabilities of the windows of each recording.
fn votes(units: &Units, predictions: &Predictions) -> Result<Predictions, EvaluationError> {
    let mut means = Array2::zeros((units.recordings.len(), predictions.classes()));
    let mut labels = Vec::with_capacity(units.recordings.len());
    for (mut mean, windows) in means.outer_iter_mut().zip(&units.recordings) {
        for &window in windows {
            mean.scaled_add(1.0 / windows.len() as f32, &predictions.probabilities().row(window));
        }
        labels.push(windows.first().map_or(0, |&window| predictions.labels()[window]));
    }
    Predictions::new(labels, means)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ndarray::{ArrayViewMutD, array};

    use drsn_bundle::{Manifest, baseline::ShiftReason};

    use super::*;
    use crate::dataset::{DatasetError, DatasetSource, Origin};

    /// Three windows of `a.wav`, one of `b.wav`.
    #[derive(Debug)]
    struct Two;

    impl DatasetSource for Two {
        fn len(&self) -> usize {
            4
        }

        fn label(&self, index: usize) -> usize {
            usize::from(index == 3)
        }

        fn name(&self, index: usize) -> String {
            index.to_string()
        }

        fn origin(&self, index: usize) -> Origin<'_> {
            let recording = usize::from(index == 3);
            let file = Some(["a.wav", "b.wav"][recording]);
            Origin { file, recording: Some(recording), ..Origin::default() }
        }

        fn read(&self, _: usize, _: isize, _: ArrayViewMutD<'_, f32>) -> Result<(), DatasetError> {
            Ok(())
        }
    }

    #[test]
    fn a_recording_votes_by_the_mean_of_its_windows_and_alarms_as_in_the_server() {
        let part = Part { source: Arc::new(Two), indices: vec![0, 1, 2, 3] };
        let units = Units::of(&part);
        // Two of three windows are wrong, but unsure.
        let probabilities = array![[0.9, 0.1], [0.4, 0.6], [0.45, 0.55], [0.7, 0.3]];
        let predictions = Predictions::new(vec![0, 0, 0, 1], probabilities).unwrap();
        let shift = |alarm| {
            let p_value = if alarm { 0.003 } else { 0.5 };
            InputShift { score: 1.0, p_value, alarm, reason: alarm.then_some(ShiftReason::Input) }
        };
        let manifest = include_bytes!("../../../../models/bearing/1/manifest.json");
        let baseline = Manifest::from_json(manifest).unwrap().baseline;
        let shifts = [true, true, false, false].map(shift).to_vec();
        let answers = Answers { predictions, shifts, level_alarms: Vec::new() };
        let classes = ["ok".to_owned(), "worn".to_owned()];
        let scores = RecordingScores::new(&part, &units, &answers, &classes, baseline.as_ref());
        let scores = scores.unwrap().unwrap();
        assert_eq!((scores.right, scores.shift_alarms), (1, Some(1)));
        let [a, b] = &scores.recordings[..] else { panic!("{scores:?}") };
        assert_eq!((&*a.file, &*a.prediction, a.windows, a.right), ("a.wav", "ok", 3, 1));
        assert!((a.probability - 1.75 / 3.0).abs() < 1e-6);
        assert_eq!((&*b.file, &*b.class, &*b.prediction), ("b.wav", "worn", "ok"));
        assert_eq!((a.shift_alarm, b.shift_alarm), (Some(true), Some(false)));
        assert!((scores.macro_recall - 0.5).abs() < 1e-12);
    }
}
