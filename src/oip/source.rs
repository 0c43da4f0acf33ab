//! Which of the model's outputs a client wants, and in which form.

use drsn_bundle::{Manifest, onnx};

use super::{OutputName, invalid, shown};
use crate::{
    batcher::Share,
    error::ApiError,
    session::{BlockOutputs, Outputs},
};

/// Where an output's numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Class probabilities.
    Probabilities,
    /// What the softmax takes.
    Logits,
    /// Thresholds of a block, by its position.
    Threshold(usize),
    /// Mean magnitudes of a block, by its position.
    MeanAbs(usize),
}

/// An output that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedOutput {
    /// Its name.
    pub name: String,
    /// Where its numbers are.
    pub source: Source,
    /// Numbers of each input.
    pub width: usize,
    /// Number of classes, where classes are wanted instead of numbers.
    pub classes: Option<usize>,
}

impl WantedOutput {
    /// Every output of a model.
    pub fn all(manifest: &Manifest) -> Vec<Self> {
        let plain = |name: &str, source, width| Self {
            name: name.to_owned(),
            source,
            width,
            classes: None,
        };
        let classes = manifest.classes.len();
        let mut outputs = vec![
            plain(onnx::PROBABILITIES, Source::Probabilities, classes),
            plain(onnx::LOGITS, Source::Logits, classes),
        ];
        for (position, block) in manifest.blocks.iter().enumerate() {
            let threshold = onnx::threshold_output(block.name.as_str());
            outputs.push(plain(&threshold, Source::Threshold(position), block.channels));
            let mean_abs = onnx::mean_abs_output(block.name.as_str());
            outputs.push(plain(&mean_abs, Source::MeanAbs(position), block.channels));
        }
        outputs
    }

    /// This output's rows in a share of a batch, `[count, width]`.
    pub fn rows<'a>(&self, share: &'a Share<Outputs>) -> &'a [f32] {
        let block = |position: usize, of: fn(&BlockOutputs) -> &Vec<f32>| {
            share.outputs.blocks.get(position).map(of)
        };
        let tensor = match self.source {
            Source::Probabilities => Some(&share.outputs.probabilities),
            Source::Logits => Some(&share.outputs.logits),
            Source::Threshold(position) => block(position, |block| &block.threshold),
            Source::MeanAbs(position) => block(position, |block| &block.mean_abs),
        };
        let rows = share.first * self.width..(share.first + share.count) * self.width;
        tensor.and_then(|tensor| tensor.get(rows)).unwrap_or_default()
    }
}

/// The outputs of those names, all where none is named.
pub(super) fn resolve(
    manifest: &Manifest,
    names: &[OutputName],
) -> Result<Vec<WantedOutput>, ApiError> {
    let all = WantedOutput::all(manifest);
    if names.is_empty() {
        return Ok(all);
    }
    if names.len() > all.len() {
        return Err(invalid(format!(
            "the model has {} outputs, and the request asks for {}; name each once",
            all.len(),
            names.len()
        )));
    }
    names.iter().map(|name| find(&all, name)).collect()
}

fn find(all: &[WantedOutput], wanted: &OutputName) -> Result<WantedOutput, ApiError> {
    let found = all.iter().find(|output| output.name == wanted.name).ok_or_else(|| {
        invalid(format!(
            "the model has no output named {:?}; ask for {}, {}, threshold.<block> or mean_abs.<block>",
            shown(&wanted.name),
            onnx::PROBABILITIES,
            onnx::LOGITS
        ))
    })?;
    let mut found = found.clone();
    if let Some(classes) = wanted.classes {
        if !matches!(found.source, Source::Probabilities | Source::Logits) {
            return Err(invalid(format!(
                "the parameter classification belongs to {} and {}; the numbers of {} are no classes",
                onnx::PROBABILITIES,
                onnx::LOGITS,
                found.name
            )));
        }
        if classes == 0 {
            return Err(invalid("the parameter classification must be above 0".to_owned()));
        }
        found.classes = Some(usize::try_from(classes).map_or(found.width, |c| c.min(found.width)));
    }
    Ok(found)
}
