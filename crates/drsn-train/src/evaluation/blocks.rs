//! What the thresholds of each block do to inputs of each class.

use std::sync::atomic::{AtomicBool, Ordering};

use drsn_bundle::{Manifest, onnx::zeroed_output, runtime::Session};
use serde::{Deserialize, Serialize};

use super::{accuracy::EVALUATION_SEED, error::EvaluationError};
use crate::{
    dataset::Part,
    training::{Batches, Disturbance},
};

/// Inputs of a batch.
const BATCH: usize = 100;
/// Most inputs: means over more would hardly differ.
const INPUTS: usize = 2_000;

/// The thresholds of one block by class: means over the clean inputs of the class and the block's
/// channels, or `None` of a class without inputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BlockActivity {
    /// Name of the block.
    pub name: String,
    /// The threshold τ.
    pub threshold: Vec<Option<f64>>,
    /// The threshold as a share of the channel's mean magnitude, τ / A.
    pub relative: Vec<Option<f64>>,
    /// Share of features that are set to zero, in [0, 1].
    pub zeroed: Vec<Option<f64>>,
}

/// Sums of one block and class.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    inputs: f64,
    threshold: f64,
    relative: f64,
    zeroed: f64,
}

/// Runs a model whose graph also counts zeroed features on clean inputs of a part; `None` if `stop`
/// was set.
///
/// # Errors
/// [`EvaluationError`] if an input cannot be read or the model cannot be run.
pub(crate) fn block_activity(
    session: &mut Session,
    manifest: &Manifest,
    part: &Part,
    stop: &AtomicBool,
) -> Result<Option<Vec<BlockActivity>>, EvaluationError> {
    let stride = part.indices.len().div_ceil(INPUTS).max(1);
    let indices: Vec<usize> = part.indices.iter().copied().step_by(stride).collect();
    let disturbance = Disturbance::evaluation(None, EVALUATION_SEED);
    let batches = Batches { part, input: &manifest.input, disturbance };
    let mut sums = vec![vec![Sums::default(); manifest.classes.len()]; manifest.blocks.len()];
    for batch in indices.chunks(BATCH) {
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let inputs = batches.values(batch, 0)?;
        let mut outputs = session.run(inputs.view())?;
        for (block, sums) in manifest.blocks.iter().zip(&mut sums) {
            let thresholds = outputs.take(&block.threshold_output)?;
            let magnitudes = outputs.take(&block.mean_abs_output)?;
            let zeroed = outputs.take(&zeroed_output(block.name.as_str()))?;
            for (row, &index) in batch.iter().enumerate() {
                let Some(sums) = sums.get_mut(part.source.label(index)) else { continue };
                let channels = thresholds.row(row).len().max(1) as f64;
                let pairs = thresholds.row(row).into_iter().zip(magnitudes.row(row));
                let relative = pairs.map(|(&threshold, &mean)| {
                    if mean > 0.0 { f64::from(threshold) / f64::from(mean) } else { 0.0 }
                });
                sums.inputs += 1.0;
                sums.relative += relative.sum::<f64>() / channels;
                sums.threshold += f64::from(thresholds.row(row).sum()) / channels;
                sums.zeroed += f64::from(zeroed.row(row).sum()) / channels;
            }
        }
    }
    let named = manifest.blocks.iter().zip(sums);
    Ok(Some(named.map(|(block, sums)| means(block.name.to_string(), &sums)).collect()))
}

fn means(name: String, sums: &[Sums]) -> BlockActivity {
    let mean = |of: fn(&Sums) -> f64| {
        sums.iter().map(|sums| (sums.inputs > 0.0).then(|| of(sums) / sums.inputs)).collect()
    };
    BlockActivity {
        name,
        threshold: mean(|sums| sums.threshold),
        relative: mean(|sums| sums.relative),
        zeroed: mean(|sums| sums.zeroed),
    }
}
