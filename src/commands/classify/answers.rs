//! The answer for one file, computed here or received from a server.

use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;

use crate::{
    error::ApiError,
    inference::{classify::Outcome, diagnostics::Prediction},
};

/// The answer for one file.
#[derive(Debug, PartialEq)]
pub(super) struct Answered {
    /// One for each input; an array `[N, C, L]` is N of them.
    pub(super) rows: Vec<Row>,
    /// The predictions as the API writes them, if they are wanted.
    pub(super) predictions: Option<Box<str>>,
}

/// The most important of a prediction.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) label: String,
    pub(super) probability: f32,
    /// Number of windows; 1 for an image, and for a recording as long as a window.
    pub(super) windows: usize,
    /// Whether the input shift alarms; `None` if it is unknown.
    pub(super) shift: Option<bool>,
    /// Whether the input level alarms; `None` if it is unknown.
    pub(super) level: Option<bool>,
    /// The codes of its notices, separated by blanks.
    pub(super) notices: String,
}

impl Row {
    fn of(prediction: &Prediction<'_>) -> Self {
        let diagnostics = prediction.diagnostics.as_ref();
        let shift = diagnostics.and_then(|found| found.input_shift.as_ref());
        let level = diagnostics.and_then(|found| found.input_level.as_ref());
        Self {
            label: prediction.label.to_owned(),
            probability: prediction.probability,
            windows: prediction.windows.len().max(1),
            shift: shift.map(|shift| shift.judged.alarm()),
            level: level.map(|level| level.judged.alarm),
            notices: codes(prediction.notices.iter().map(|notice| notice.code)),
        }
    }
}

impl Answered {
    /// Reads the answer of this process.
    ///
    /// # Errors
    /// [`ApiError::internal`] if the model returned a non-finite number.
    pub(super) fn of(outcome: &Outcome, with_predictions: bool) -> Result<Self, ApiError> {
        let answer = outcome.answer()?;
        let rows = answer.predictions.iter().map(Row::of).collect();
        let text = || serde_json::to_string(&answer.predictions).map(String::into_boxed_str);
        let predictions = with_predictions.then(text).transpose().map_err(|error| {
            tracing::error!(%error, "cannot serialize an answer");
            ApiError::internal()
        })?;
        Ok(Self { rows, predictions })
    }

    /// Reads the JSON of a server's answer.
    ///
    /// # Errors
    /// [`serde_json::Error`] if it is none.
    pub(super) fn of_json(json: &[u8], with_predictions: bool) -> serde_json::Result<Self> {
        let answer: AnswerText<'_> = serde_json::from_slice(json)?;
        let text = answer.predictions.get();
        let predictions: Vec<PredictionText> = serde_json::from_str(text)?;
        let rows = predictions.into_iter().map(PredictionText::row).collect();
        Ok(Self { rows, predictions: with_predictions.then(|| text.into()) })
    }
}

/// A server's answer.
#[derive(Debug, Deserialize)]
struct AnswerText<'a> {
    #[serde(borrow)]
    predictions: &'a RawValue,
}

#[derive(Debug, Deserialize)]
struct PredictionText {
    label: String,
    probability: f32,
    #[serde(default)]
    windows: Vec<IgnoredAny>,
    diagnostics: Option<DiagnosticsText>,
    #[serde(default)]
    notices: Vec<NoticeCodeText>,
}

#[derive(Debug, Deserialize)]
struct NoticeCodeText {
    code: String,
}

#[derive(Debug, Deserialize)]
struct DiagnosticsText {
    input_shift: Option<AlarmText>,
    input_level: Option<AlarmText>,
}

#[derive(Debug, Deserialize)]
struct AlarmText {
    alarm: bool,
}

impl PredictionText {
    fn row(self) -> Row {
        let diagnostics = self.diagnostics.as_ref();
        let alarm = |part: &Option<AlarmText>| part.as_ref().map(|part| part.alarm);
        Row {
            shift: diagnostics.and_then(|found| alarm(&found.input_shift)),
            level: diagnostics.and_then(|found| alarm(&found.input_level)),
            label: self.label,
            probability: self.probability,
            windows: self.windows.len().max(1),
            notices: codes(self.notices.iter().map(|notice| &notice.code[..])),
        }
    }
}

fn codes<'a>(codes: impl Iterator<Item = &'a str>) -> String {
    codes.collect::<Vec<_>>().join(" ")
}
