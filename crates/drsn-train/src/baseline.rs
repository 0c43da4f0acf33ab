//! Where the training data lies in the network's own terms, for the server's input shift and level.

use std::sync::atomic::{AtomicBool, Ordering};

use drsn_bundle::{
    Baseline, Block, InputSpec,
    baseline::{
        ALARM_LEVEL, ClassLevels, Level, LevelBaseline, ShiftAccumulator, ShiftBaseline,
        held_out_needed, most_likely,
    },
    onnx::PROBABILITIES,
    runtime::Session,
};
use ndarray::ArrayView2;

use crate::{TrainError, training::Batches};

/// Inputs that go through the model together.
const BATCH: usize = 100;

/// What a baseline is taken of.
pub(crate) struct Sample<'a> {
    /// Inputs that the model was trained on.
    pub(crate) training: Batches<'a>,
    /// Inputs that took no part in training.
    pub(crate) held_out: Batches<'a>,
    /// The data in words.
    pub(crate) words: String,
}

/// What came of taking a baseline.
pub(crate) enum Taken {
    /// Nothing: `stop` was set.
    Stopped,
    /// The model cannot have one.
    Impossible(Impossible),
    /// This one.
    Baseline(Box<Baseline>),
}

/// Why a model cannot have a baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Impossible {
    /// Nothing of it can be measured.
    NothingToMeasure,
    /// Too few inputs are held out for the alarm level.
    TooFewHeldOut {
        /// How many are.
        found: u64,
        /// How many it takes.
        needed: u64,
        /// Whether they are windows of recordings.
        is_signal: bool,
    },
}

impl Impossible {
    /// For whoever trains, who is to know what the model will not do.
    pub(crate) fn told(self) -> String {
        let consequence = "the server will not judge how unusual inputs are";
        let cure = self.cure().map_or_else(String::new, |cure| format!("; {cure}"));
        format!("no baseline is taken: {}: {consequence}{cure}", self.reason())
    }

    /// For whoever asked for a baseline and nothing else.
    pub(crate) fn refusal(self) -> TrainError {
        let cure = self.cure().map_or_else(String::new, |cure| format!(": {cure}"));
        TrainError::NoBaseline { reason: format!("{}{cure}", self.reason()) }
    }

    fn reason(self) -> String {
        match self {
            Self::NothingToMeasure => {
                "the network has no thresholds, and its inputs are no signals".to_owned()
            }
            Self::TooFewHeldOut { found, needed, .. } => format!(
                "{found} inputs are held out, and an alarm level of {ALARM_LEVEL} needs at least {needed}"
            ),
        }
    }

    fn cure(self) -> Option<&'static str> {
        match self {
            Self::NothingToMeasure => None,
            Self::TooFewHeldOut { is_signal: true, .. } => {
                Some("use longer recordings, a shorter data.hop or a larger held-out share")
            }
            Self::TooFewHeldOut { is_signal: false, .. } => {
                Some("use more pictures, or hold more of them out")
            }
        }
    }
}

/// What a model and a raw input give for the baseline.
pub(crate) struct Answer {
    /// The input's index in its source.
    pub(crate) index: usize,
    /// The most likely class.
    pub(crate) class: usize,
    /// Mean magnitudes of all blocks.
    pub(crate) mean_abs: Vec<f32>,
    /// Levels of a signal's channels before it was prepared; none of an image.
    pub(crate) levels: Vec<Level>,
}

/// Takes the baseline of a model.
///
/// # Errors
/// What is wrong with data or runtime.
pub(crate) fn baseline(
    session: &mut Session,
    blocks: &[Block],
    classes: usize,
    sample: &Sample<'_>,
    stop: &AtomicBool,
) -> Result<Taken, TrainError> {
    let Sample { training, held_out, words } = sample;
    let is_signal = matches!(training.input, InputSpec::Signal(_));
    if blocks.is_empty() && !is_signal {
        return Ok(Taken::Impossible(Impossible::NothingToMeasure));
    }
    let (found, needed) = (held_out.part.indices.len() as u64, held_out_needed(ALARM_LEVEL)?);
    if found < needed {
        return Ok(Taken::Impossible(Impossible::TooFewHeldOut { found, needed, is_signal }));
    }
    let source = &training.part.source;
    let mut accumulator = match blocks.iter().map(|block| block.channels).sum() {
        0 => None,
        channels => Some(ShiftAccumulator::new(channels)?),
    };
    let mut usual = Vec::new();
    let done = each_answer(session, blocks, training, stop, |answer| {
        if let Some(accumulator) = &mut accumulator {
            accumulator.add(&answer.mean_abs)?;
        }
        usual.push(ClassLevels { class: source.label(answer.index), channels: answer.levels });
        Ok(())
    })?;
    let distance = accumulator.map(|accumulator| accumulator.distance()).transpose()?;
    let (mut scores, mut levels) = (Vec::new(), Vec::new());
    let done = done
        && each_answer(session, blocks, held_out, stop, |answer| {
            if let Some(distance) = &distance {
                scores.push(distance.score(&answer.mean_abs)?);
            }
            levels.push(ClassLevels { class: answer.class, channels: answer.levels });
            Ok(())
        })?;
    if !done {
        return Ok(Taken::Stopped);
    }
    let shift = distance.map(|distance| ShiftBaseline::new(distance, &scores, ALARM_LEVEL));
    let level = is_signal.then(|| LevelBaseline::new(&usual, &levels, classes, ALARM_LEVEL));
    Ok(Taken::Baseline(Box::new(Baseline {
        data: words.clone(),
        alarm_level: ALARM_LEVEL,
        shift: shift.transpose()?,
        level: level.transpose()?,
    })))
}

/// Calls with what the model gives for each input; false where `stop` was set.
pub(crate) fn each_answer(
    session: &mut Session,
    blocks: &[Block],
    batches: &Batches<'_>,
    stop: &AtomicBool,
    mut of: impl FnMut(Answer) -> Result<(), TrainError>,
) -> Result<bool, TrainError> {
    let elements = batches.input.elements();
    for indices in batches.part.indices.chunks(BATCH) {
        if stop.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let mut values = vec![0.0; indices.len() * elements];
        let mut levels = Vec::with_capacity(indices.len());
        for (&index, input) in indices.iter().zip(values.chunks_exact_mut(elements)) {
            batches.raw(index, 0, input)?;
            levels.push(match batches.input {
                InputSpec::Image(_) => Vec::new(),
                InputSpec::Signal(signal) => {
                    let shape = (signal.channels, signal.window);
                    ArrayView2::from_shape(shape, &*input)
                        .map_or_else(|_| Vec::new(), |input| Level::of_channels(&input))
                }
            });
            batches.prepare(index, input)?;
        }
        let mut outputs = session.run(session.batch(&values, indices.len())?)?;
        let probabilities = outputs.take(PROBABILITIES)?;
        let magnitudes: Vec<_> = blocks
            .iter()
            .map(|block| outputs.take(&block.mean_abs_output))
            .collect::<Result<_, _>>()?;
        for (row, (&index, levels)) in indices.iter().zip(levels).enumerate() {
            of(Answer {
                index,
                class: most_likely(probabilities.row(row)),
                mean_abs: magnitudes
                    .iter()
                    .flat_map(|magnitudes| magnitudes.row(row))
                    .copied()
                    .collect(),
                levels,
            })?;
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_there_is_no_baseline_is_said_with_what_follows_and_what_helps() {
        let reason = Impossible::TooFewHeldOut { found: 10, needed: 100, is_signal: true };
        assert_eq!(
            reason.told(),
            "no baseline is taken: 10 inputs are held out, and an alarm level of 0.01 needs at least 100: the server \
             will not judge how unusual inputs are; use longer recordings, a shorter data.hop or a larger held-out share"
        );
        assert_eq!(
            reason.refusal().to_string(),
            "no baseline is taken: 10 inputs are held out, and an alarm level of 0.01 needs at least 100: use longer \
             recordings, a shorter data.hop or a larger held-out share"
        );
        assert_eq!(
            Impossible::NothingToMeasure.told(),
            "no baseline is taken: the network has no thresholds, and its inputs are no signals: the server will not \
             judge how unusual inputs are"
        );
    }
}
