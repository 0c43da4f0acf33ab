//! From a model's outputs to predictions: class probabilities, and the effect of each block's
//! thresholds on the input.

pub(crate) mod baseline;
mod blocks;
mod capture;
mod causes;
mod changes;
mod class_map;
pub(crate) mod reader;

use std::sync::Arc;

use drsn_bundle::{
    InputSpec, Manifest,
    baseline::{InputLevel, InputShift, LevelCause},
};
use drsn_recording::Notice;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    error::ApiError,
    inference::origin::{Origin, Taken},
    observability::metrics::ModelMetrics,
    schema,
};

use baseline::BaselineCheck;
pub(crate) use blocks::{BlockDiagnostics, Channel, Left, Magnitudes, Spread};
pub(crate) use causes::{
    AlarmVectors, BandCause, Caused, ChannelCause, NearestClass, Shift, ShiftAnswer, ShiftCauses,
    StatisticCause,
};
pub(crate) use changes::{Change, changes};
pub(crate) use class_map::{ClassMap, ImageMap, MapSums, Segment, SignalMap};
use reader::Reading;

/// How much of the diagnostics a client wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Detail {
    /// No diagnostics.
    None,
    /// Mean, minimum and maximum over each block's channels.
    #[default]
    Summary,
    /// Also each channel.
    Full,
}

/// The answer for one input.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Prediction<'a> {
    /// Which input it is.
    pub(crate) input: InputName,
    /// What was assumed or repaired when the input was read; missing if nothing was.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) notices: Vec<NoticeText>,
    /// Label of the most probable class.
    pub(crate) label: &'a str,
    /// Position of that class in the model's list of classes.
    pub(crate) class_index: usize,
    /// Probability of that class.
    pub(crate) probability: f32,
    /// The classes, most probable first.
    pub(crate) probabilities: Vec<ClassProbability<'a>>,
    /// The windows of a longer recording, without those that are constant; empty if the input is a
    /// single window.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) windows: Vec<WindowPrediction<'a>>,
    /// Thresholds, input shift and level.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) diagnostics: Option<Diagnostics<'a>>,
}

/// One window of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub(crate) struct WindowPrediction<'a> {
    /// Its first sample, at the model's sample rate.
    pub(crate) start: usize,
    /// One past its last sample.
    pub(crate) end: usize,
    /// Label of its most probable class.
    pub(crate) label: &'a str,
    /// Position of that class in the model's list of classes.
    pub(crate) class_index: usize,
    /// Probability of that class.
    pub(crate) probability: f32,
    /// How far the window lies from the training data; null for a model without that baseline,
    /// missing if the client wants no diagnostics.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::input_shift)]
    #[expect(clippy::option_option, reason = "JSON distinguishes null from missing")]
    pub(crate) input_shift: Option<Option<InputShift>>,
}

/// Identifies one of a request's inputs.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct InputName {
    /// Position in the request, from 0.
    pub(crate) index: usize,
    /// Name of the file, if the input came as a named file.
    #[schema(required)]
    pub(crate) name: Option<String>,
    /// The variable of a MAT or NPZ file that was read, with its path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) variable: Option<String>,
    /// The channels of a recording that were read: their names, or else their positions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) channels: Vec<String>,
    /// The sample rate of a recording, in Hz, before resampling.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sample_rate_hz: Option<f64>,
}

/// Something that was assumed or repaired when an input was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct NoticeText {
    /// Its kind, a stable word such as `truncated` or `rate_assumed`.
    pub(crate) code: &'static str,
    /// One sentence: what was found, and what was made of it.
    pub(crate) message: String,
}

impl From<Notice> for NoticeText {
    fn from(notice: Notice) -> Self {
        Self { code: notice.code.name(), message: notice.message }
    }
}

/// How an answer names an input, and what it says of its reading.
pub(crate) fn described(index: usize, origin: Origin) -> (InputName, Vec<NoticeText>) {
    let Origin { name, taken } = origin;
    let Taken { variable, channels, sample_rate_hz, notices } = taken
        .map(|taken| Arc::try_unwrap(taken).unwrap_or_else(|shared| (*shared).clone()))
        .unwrap_or_default();
    let notices = notices.into_iter().map(NoticeText::from).collect();
    (InputName { index, name, variable, channels, sample_rate_hz }, notices)
}

/// A class and its probability.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub(crate) struct ClassProbability<'a> {
    /// Label.
    pub(crate) label: &'a str,
    /// Position in the model's list of classes.
    pub(crate) class_index: usize,
    /// Probability, in [0, 1].
    pub(crate) probability: f32,
}

/// The effect of the thresholds on an input, and how unusual the input is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Diagnostics<'a> {
    /// How far the input lies from the training data; null for a model without that baseline.
    #[schema(required, schema_with = schema::shift)]
    pub(crate) input_shift: Option<ShiftAnswer<'a>>,
    /// Level of the raw signal; null for images, and for a model without that baseline.
    #[schema(required, schema_with = schema::input_level)]
    pub(crate) input_level: Option<Caused<InputLevel, LevelCause>>,
    /// The blocks that shrink, in the order of the network.
    pub(crate) blocks: Vec<BlockDiagnostics<'a>>,
    /// Where in the input the evidence for the predicted class is, with `diagnostics=full`; missing
    /// for a model without such a map.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) map: Option<ClassMap<'a>>,
}

/// Which parts of a prediction the client wants.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// Maximum number of classes in the answer.
    pub(crate) top_k: usize,
    pub(crate) detail: Detail,
}

impl<'a> Prediction<'a> {
    fn of(
        index: usize,
        origin: Origin,
        reading: &Reading<'_>,
        manifest: &'a Manifest,
        wanted: Wanted,
    ) -> Result<Self, ApiError> {
        let probabilities = reading.outputs.probabilities.row(reading.row);
        check_finite(probabilities)?;
        let mut ranked = ranked(probabilities, manifest);
        let best = *ranked.first().ok_or_else(ApiError::internal)?;
        ranked.truncate(wanted.top_k);
        let (input, notices) = described(index, origin);
        Ok(Self {
            input,
            notices,
            label: best.label,
            class_index: best.class_index,
            probability: best.probability,
            probabilities: ranked,
            windows: Vec::new(),
            diagnostics: Diagnostics::of(reading, best.class_index, manifest, wanted.detail)?,
        })
    }
}

impl<'a> Diagnostics<'a> {
    fn of(
        reading: &Reading<'_>,
        class: usize,
        manifest: &'a Manifest,
        detail: Detail,
    ) -> Result<Option<Self>, ApiError> {
        if detail == Detail::None {
            return Ok(None);
        }
        // With its capacity: collecting results would not know their number.
        let mut blocks = Vec::with_capacity(manifest.blocks.len());
        for (block, outputs) in manifest.blocks.iter().zip(&reading.outputs.blocks) {
            let mut magnitudes = Magnitudes::of(outputs, reading.row)?;
            if detail != Detail::Full {
                magnitudes.left = None;
            }
            let scales = block.threshold.scales(magnitudes.threshold, magnitudes.mean_abs);
            blocks.push(BlockDiagnostics::new(block, magnitudes, scales, detail)?);
        }
        let BaselineCheck { shift, level } = reading.baseline;
        let input_shift = shift.map(|shift| {
            let causes = reading.shift_causes(shift, manifest);
            ShiftAnswer { judged: Shift::Input(shift), causes, changes: Vec::new() }
        });
        let input_level =
            level.map(|level| Caused::new(level, level.alarm, || reading.level_causes(manifest)));
        let map = if detail == Detail::Full {
            let samples = match &manifest.input {
                InputSpec::Signal(signal) => signal.window,
                InputSpec::Image(_) => 0,
            };
            let shape = reading.map_shape();
            let labels = labels_of_positions(manifest);
            ClassMap::of(reading.outputs, reading.row, class, shape, samples, labels)?
        } else {
            None
        };
        Ok(Some(Self { input_shift, input_level, blocks, map }))
    }
}

/// The labels of the classes that positions of an input can have, if the network was trained so.
pub(crate) fn labels_of_positions(manifest: &Manifest) -> Option<&[String]> {
    manifest.classifies_positions().then_some(&manifest.classes[..])
}

/// The classes, most probable first.
pub(crate) fn ranked<'a, 'p>(
    probabilities: impl IntoIterator<Item = &'p f32>,
    manifest: &'a Manifest,
) -> Vec<ClassProbability<'a>> {
    let mut ranked: Vec<ClassProbability<'a>> = manifest
        .classes
        .iter()
        .zip(probabilities)
        .enumerate()
        .map(|(class_index, (label, &probability))| ClassProbability {
            label,
            class_index,
            probability,
        })
        .collect();
    // The sort is stable: classes of equal probability keep the order of the model's list.
    ranked.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    ranked
}

/// Counts a prediction, and observes each block's mean threshold for its input.
fn observe(prediction: &Prediction<'_>, reading: &Reading<'_>, metrics: &ModelMetrics) {
    metrics.count_prediction(prediction.class_index);
    for (outputs, histogram) in reading.outputs.blocks.iter().zip(&metrics.thresholds) {
        let thresholds = outputs.threshold.row(reading.row);
        let mean = thresholds.iter().sum::<f32>() / thresholds.len() as f32;
        histogram.observe(f64::from(mean));
    }
}

/// Rejects non-finite numbers: they never leave the server.
pub(super) fn check_finite<'a>(numbers: impl IntoIterator<Item = &'a f32>) -> Result<(), ApiError> {
    if numbers.into_iter().all(|n| n.is_finite()) {
        return Ok(());
    }
    tracing::error!("the model returned a non-finite number");
    Err(ApiError::internal())
}

#[cfg(test)]
mod tests {
    use ndarray::aview1;

    use super::*;

    #[test]
    fn a_number_that_is_not_finite_never_leaves_the_server() {
        assert_eq!(check_finite(aview1(&[0.0, f32::NAN])), Err(ApiError::internal()));
        assert_eq!(check_finite(aview1(&[f32::INFINITY])), Err(ApiError::internal()));
        assert_eq!(check_finite(aview1(&[0.5])), Ok(()));
    }
}
