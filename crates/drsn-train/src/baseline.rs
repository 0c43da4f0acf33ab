//! Where the training data lies in the network's own terms, for the server's input shift and level.

use std::sync::atomic::{AtomicBool, Ordering};

use drsn_bundle::{
    Baseline, Block, InputSpec,
    baseline::{
        ALARM_LEVEL, Level, LevelBaseline, ShiftAccumulator, ShiftBaseline, held_out_needed,
    },
    runtime::{RuntimeError, Session},
};

use crate::{TrainError, training::Batches};

/// Inputs that go through the model together.
const BATCH: usize = 100;

/// What a baseline is taken of.
pub(crate) struct Sample<'a> {
    /// Inputs that the model was trained on, as it meets them.
    pub(crate) training: Batches<'a>,
    /// Inputs that took no part in training, as it meets them.
    pub(crate) held_out: Batches<'a>,
    /// Data and noise in words.
    pub(crate) words: String,
}

/// What came of taking a baseline.
pub(crate) enum Taken {
    /// Nothing: `stop` was set.
    Stopped,
    /// The model cannot have one: no thresholds and no signal, or too few held-out inputs for the alarm level.
    Impossible,
    /// This one.
    Baseline(Box<Baseline>),
}

/// Takes the baseline of a model.
///
/// # Errors
/// What is wrong with data or runtime.
pub(crate) fn baseline(
    session: &mut Session,
    blocks: &[Block],
    sample: &Sample<'_>,
    stop: &AtomicBool,
) -> Result<Taken, TrainError> {
    let held_out = sample.held_out.part.indices.len() as u64;
    if held_out < held_out_needed(ALARM_LEVEL)? {
        return Ok(Taken::Impossible);
    }
    let shift = if blocks.is_empty() {
        None
    } else {
        let Some(shift) = shift(session, blocks, sample, stop)? else { return Ok(Taken::Stopped) };
        Some(shift)
    };
    let level = match sample.training.input {
        InputSpec::Image(_) => None,
        InputSpec::Signal(_) => Some(LevelBaseline::new(
            &levels(&sample.training)?,
            &levels(&sample.held_out)?,
            ALARM_LEVEL,
        )?),
    };
    if shift.is_none() && level.is_none() {
        return Ok(Taken::Impossible);
    }
    let data = sample.words.clone();
    Ok(Taken::Baseline(Box::new(Baseline { data, alarm_level: ALARM_LEVEL, shift, level })))
}

/// None where `stop` was set.
fn shift(
    session: &mut Session,
    blocks: &[Block],
    sample: &Sample<'_>,
    stop: &AtomicBool,
) -> Result<Option<ShiftBaseline>, TrainError> {
    let mut accumulator = ShiftAccumulator::new(blocks.iter().map(|block| block.channels).sum())?;
    let done = each_mean_abs(session, blocks, &sample.training, stop, |vector| {
        Ok(accumulator.add(vector)?)
    })?;
    if !done {
        return Ok(None);
    }
    let distance = accumulator.distance()?;
    let mut scores = Vec::new();
    let done = each_mean_abs(session, blocks, &sample.held_out, stop, |vector| {
        scores.push(distance.score(vector)?);
        Ok(())
    })?;
    Ok(if done { Some(ShiftBaseline::new(distance, &scores, ALARM_LEVEL)?) } else { None })
}

/// Calls with the mean magnitudes of all blocks for each input; false where `stop` was set.
pub(crate) fn each_mean_abs(
    session: &mut Session,
    blocks: &[Block],
    batches: &Batches<'_>,
    stop: &AtomicBool,
    mut of: impl FnMut(&[f32]) -> Result<(), TrainError>,
) -> Result<bool, TrainError> {
    for indices in batches.part.indices.chunks(BATCH) {
        if stop.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let outputs = session.run(&batches.values(indices, 0)?, indices.len())?;
        let named = |output: &str| {
            outputs
                .iter()
                .find(|tensor| tensor.name == output)
                .ok_or_else(|| RuntimeError::MissingOutput { output: output.to_owned() })
        };
        let tensors: Vec<_> =
            blocks.iter().map(|block| named(&block.mean_abs_output)).collect::<Result<_, _>>()?;
        for row in 0..indices.len() {
            let parts = tensors.iter().zip(blocks).flat_map(|(tensor, block)| {
                tensor.data.iter().skip(row * block.channels).take(block.channels)
            });
            of(&parts.copied().collect::<Vec<f32>>())?;
        }
    }
    Ok(true)
}

/// The levels of each raw input's channels, before it is prepared.
fn levels(batches: &Batches<'_>) -> Result<Vec<Vec<Level>>, TrainError> {
    let mut values = vec![0.0; batches.input.elements()];
    let channels = batches.input.shape().first().copied().unwrap_or(1);
    let of = |&index: &usize| {
        batches.raw(index, 0, &mut values)?;
        Ok(Level::of_channels(&values, channels))
    };
    batches.part.indices.iter().map(of).collect()
}
