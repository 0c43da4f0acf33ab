//! The baseline of a model: the distribution of the training data, for the server's input shift and
//! input level.

use std::sync::atomic::AtomicBool;

use drsn_bundle::{
    Baseline, InputSpec,
    baseline::{
        ALARM_LEVEL, BaselineError, ClassLevels, LevelBaseline, ShiftDistances, ShiftLengths,
        ShiftSample, ThresholdSample, UsualThresholds, bands_of, held_out_needed, statistics_of,
    },
    runtime::Session,
};

use super::{
    error::EvaluationError,
    outputs::{Names, for_each_output},
};
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

/// Why a model cannot have a baseline: too few inputs are held out for the alarm level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cannot measure a baseline: {}{}", self.reason(), self.cure())]
pub struct BaselineUnavailable {
    /// Number of held-out inputs.
    pub found: u64,
    /// Required number.
    pub needed: u64,
    /// Whether they are windows of recordings.
    pub is_signal: bool,
}

impl BaselineUnavailable {
    /// The message for a training, which continues without a baseline.
    pub(crate) fn warning(self) -> String {
        let (reason, cure) = (self.reason(), self.cure());
        format!("no baseline, so the server will not detect unusual inputs: {reason}{cure}")
    }

    fn reason(self) -> String {
        let Self { found, needed, .. } = self;
        format!(
            "{found} inputs are held out, but an alarm level of {ALARM_LEVEL} requires at least \
             {needed}"
        )
    }

    fn cure(self) -> &'static str {
        if self.is_signal {
            "; use longer recordings, a shorter data.hop or a larger held-out share"
        } else {
            "; use more images, or hold more of them out"
        }
    }
}

impl BaselineSample<'_> {
    fn is_signal(&self) -> bool {
        matches!(self.training.input, InputSpec::Signal(_))
    }

    /// Why a model cannot have a baseline, if it cannot.
    fn obstacle(&self) -> Result<Option<BaselineUnavailable>, BaselineError> {
        let is_signal = self.is_signal();
        let found = self.held_out.part.indices.len() as u64;
        let needed = held_out_needed(ALARM_LEVEL)?;
        let too_few = BaselineUnavailable { found, needed, is_signal };
        Ok((found < needed).then_some(too_few))
    }
}

/// Measures the baseline of a model.
pub(crate) fn measure_baseline(
    session: &mut Session,
    names: Names<'_>,
    classes: usize,
    sample: &BaselineSample<'_>,
    stop: &AtomicBool,
) -> Result<BaselineOutcome, EvaluationError> {
    let BaselineSample { training, held_out, description } = sample;
    if let Some(reason) = sample.obstacle()? {
        return Ok(BaselineOutcome::Unavailable(reason));
    }
    let Some(TrainingDistribution { distances, levels: training_levels, thresholds }) =
        distribution(session, names, classes, training, stop)?
    else {
        return Ok(BaselineOutcome::Stopped);
    };
    let (mut scores, mut levels) = (Vec::new(), Vec::new());
    let done = for_each_output(session, names, held_out, stop, |output| {
        scores.push(distances.score(&output.vectors())?);
        levels.push(ClassLevels { class: output.class, channels: output.levels });
        Ok(())
    })?;
    if !done {
        return Ok(BaselineOutcome::Stopped);
    }
    let level = sample
        .is_signal()
        .then(|| LevelBaseline::new(&training_levels, &levels, classes, ALARM_LEVEL));
    Ok(BaselineOutcome::Measured(Box::new(Baseline {
        data: description.clone(),
        alarm_level: ALARM_LEVEL,
        shift: Some(distances.baseline(&scores, ALARM_LEVEL)?),
        level: level.transpose()?,
        thresholds,
    })))
}

/// The distribution of the training inputs.
struct TrainingDistribution {
    /// The distances of mean magnitudes, features, input statistics and spectrum.
    distances: ShiftDistances,
    /// The levels of each input.
    levels: Vec<ClassLevels>,
    /// The thresholds of each class.
    thresholds: Option<UsualThresholds>,
}

/// Measures the distribution of the training inputs; `None` if `stop` was set.
fn distribution(
    session: &mut Session,
    names: Names<'_>,
    classes: usize,
    training: &Batches<'_>,
    stop: &AtomicBool,
) -> Result<Option<TrainingDistribution>, EvaluationError> {
    let source = &training.part.source;
    let lengths = ShiftLengths {
        channels: names.blocks.iter().map(|block| block.channels).sum(),
        features: names.features.map_or(0, |features| features.width),
        statistics: statistics_of(training.input),
        bands: bands_of(training.input),
    };
    let mut shift = ShiftSample::new(lengths, classes);
    let mut levels = Vec::new();
    let mut thresholds = ThresholdSample::new(names.blocks, classes);
    let done = for_each_output(session, names, training, stop, |output| {
        let class = source.label(output.index);
        shift.add(&output.vectors(), class)?;
        if let Some(thresholds) = &mut thresholds {
            thresholds.add(&output.thresholds, &output.mean_abs, class)?;
        }
        levels.push(ClassLevels { class, channels: output.levels });
        Ok(())
    })?;
    if !done {
        return Ok(None);
    }
    let thresholds = thresholds.map(|thresholds| thresholds.usual());
    Ok(Some(TrainingDistribution { distances: shift.distances()?, levels, thresholds }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_there_is_no_baseline_is_said_with_what_follows_and_what_helps() {
        let reason = BaselineUnavailable { found: 10, needed: 100, is_signal: true };
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
    }
}
