//! The baseline of a model: the distribution of the training data, for the server's input shift and
//! input level.

use std::sync::atomic::AtomicBool;

use drsn_bundle::{
    Baseline, Block, InputSpec,
    baseline::{
        ALARM_LEVEL, BaselineError, ClassLevels, Distance, LevelBaseline, ShiftAccumulator,
        ShiftBaseline, held_out_needed,
    },
    runtime::Session,
};

use super::{error::EvaluationError, outputs::for_each_output};
use crate::training::Batches;

/// The data that a baseline is measured on.
pub(crate) struct BaselineSample<'a> {
    /// Inputs that the model was trained on.
    pub(crate) training: Batches<'a>,
    /// Inputs that were held out.
    pub(crate) held_out: Batches<'a>,
    /// Description of the data.
    pub(crate) description: String,
}

/// Result of measuring a baseline.
pub(crate) enum BaselineOutcome {
    /// `stop` was set.
    Stopped,
    /// The model cannot have a baseline.
    Unavailable(BaselineUnavailable),
    /// The baseline.
    Measured(Box<Baseline>),
}

/// Why a model cannot have a baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cannot measure a baseline: {}{}", self.reason(), self.cure())]
pub enum BaselineUnavailable {
    /// The model has neither thresholds nor signals.
    NothingToMeasure,
    /// There are too few held-out inputs for the alarm level.
    TooFewHeldOut {
        /// Number of held-out inputs.
        found: u64,
        /// Required number.
        needed: u64,
        /// Whether they are windows of recordings.
        is_signal: bool,
    },
}

impl BaselineUnavailable {
    /// The message for a training, which continues without a baseline.
    pub(crate) fn warning(self) -> String {
        let (reason, cure) = (self.reason(), self.cure());
        format!("no baseline, so the server will not detect unusual inputs: {reason}{cure}")
    }

    fn reason(self) -> String {
        match self {
            Self::NothingToMeasure => {
                "the network has no thresholds, and its inputs are not signals".to_owned()
            }
            Self::TooFewHeldOut { found, needed, .. } => format!(
                "{found} inputs are held out, but an alarm level of {ALARM_LEVEL} requires at \
                 least {needed}"
            ),
        }
    }

    fn cure(self) -> &'static str {
        match self {
            Self::NothingToMeasure => "",
            Self::TooFewHeldOut { is_signal: true, .. } => {
                "; use longer recordings, a shorter data.hop or a larger held-out share"
            }
            Self::TooFewHeldOut { is_signal: false, .. } => {
                "; use more images, or hold more of them out"
            }
        }
    }
}

impl BaselineSample<'_> {
    fn is_signal(&self) -> bool {
        matches!(self.training.input, InputSpec::Signal(_))
    }

    /// Why a model with these blocks cannot have a baseline, if it cannot.
    fn obstacle(&self, blocks: &[Block]) -> Result<Option<BaselineUnavailable>, BaselineError> {
        let is_signal = self.is_signal();
        if blocks.is_empty() && !is_signal {
            return Ok(Some(BaselineUnavailable::NothingToMeasure));
        }
        let found = self.held_out.part.indices.len() as u64;
        let needed = held_out_needed(ALARM_LEVEL)?;
        let too_few = BaselineUnavailable::TooFewHeldOut { found, needed, is_signal };
        Ok((found < needed).then_some(too_few))
    }
}

/// Measures the baseline of a model.
pub(crate) fn measure_baseline(
    session: &mut Session,
    blocks: &[Block],
    classes: usize,
    sample: &BaselineSample<'_>,
    stop: &AtomicBool,
) -> Result<BaselineOutcome, EvaluationError> {
    let BaselineSample { training, held_out, description } = sample;
    if let Some(reason) = sample.obstacle(blocks)? {
        return Ok(BaselineOutcome::Unavailable(reason));
    }
    let Some(TrainingDistribution { distance, levels: training_levels }) =
        distribution(session, blocks, training, stop)?
    else {
        return Ok(BaselineOutcome::Stopped);
    };
    let (mut scores, mut levels) = (Vec::new(), Vec::new());
    let done = for_each_output(session, blocks, held_out, stop, |output| {
        if let Some(distance) = &distance {
            scores.push(distance.score(&output.mean_abs)?);
        }
        levels.push(ClassLevels { class: output.class, channels: output.levels });
        Ok(())
    })?;
    if !done {
        return Ok(BaselineOutcome::Stopped);
    }
    let shift = distance.map(|distance| ShiftBaseline::new(distance, &scores, ALARM_LEVEL));
    let level = sample
        .is_signal()
        .then(|| LevelBaseline::new(&training_levels, &levels, classes, ALARM_LEVEL));
    Ok(BaselineOutcome::Measured(Box::new(Baseline {
        data: description.clone(),
        alarm_level: ALARM_LEVEL,
        shift: shift.transpose()?,
        level: level.transpose()?,
    })))
}

/// The distribution of the training inputs.
struct TrainingDistribution {
    /// The distance of mean magnitudes, unless there are no blocks.
    distance: Option<Distance>,
    /// The levels of each input.
    levels: Vec<ClassLevels>,
}

/// Measures the distribution of the training inputs; `None` if `stop` was set.
fn distribution(
    session: &mut Session,
    blocks: &[Block],
    training: &Batches<'_>,
    stop: &AtomicBool,
) -> Result<Option<TrainingDistribution>, EvaluationError> {
    let source = &training.part.source;
    let mut accumulator = match blocks.iter().map(|block| block.channels).sum() {
        0 => None,
        channels => Some(ShiftAccumulator::new(channels)?),
    };
    let mut levels = Vec::new();
    let done = for_each_output(session, blocks, training, stop, |output| {
        if let Some(accumulator) = &mut accumulator {
            accumulator.add(&output.mean_abs)?;
        }
        levels.push(ClassLevels { class: source.label(output.index), channels: output.levels });
        Ok(())
    })?;
    if !done {
        return Ok(None);
    }
    let distance = accumulator.map(|accumulator| accumulator.distance()).transpose()?;
    Ok(Some(TrainingDistribution { distance, levels }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_there_is_no_baseline_is_said_with_what_follows_and_what_helps() {
        let reason = BaselineUnavailable::TooFewHeldOut { found: 10, needed: 100, is_signal: true };
        assert_eq!(
            reason.warning(),
            "no baseline, so the server will not detect unusual inputs: 10 inputs are held out, \
             but an alarm level of 0.01 requires at least 100; use longer recordings, a shorter \
             data.hop or a larger held-out share"
        );
        assert_eq!(
            reason.to_string(),
            "cannot measure a baseline: 10 inputs are held out, but an alarm level of 0.01 \
             requires at least 100; use longer recordings, a shorter data.hop or a larger \
             held-out share"
        );
        assert_eq!(
            BaselineUnavailable::NothingToMeasure.warning(),
            "no baseline, so the server will not detect unusual inputs: the network has no \
             thresholds, and its inputs are not signals"
        );
    }
}
