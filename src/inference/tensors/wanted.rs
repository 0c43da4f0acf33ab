//! Which of the model's outputs a client wants, and in which form.

use drsn_bundle::{Manifest, onnx};
use ndarray::{Array2, ArrayView2, s};

use super::{OutputName, shortened};
use crate::{
    engine::{
        queue::BatchSlice,
        session::{BlockOutputs, Outputs},
    },
    error::ApiError,
};

/// Which of the model's outputs it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OutputKind {
    /// Class probabilities.
    Probabilities,
    /// The input of the softmax.
    Logits,
    /// Thresholds of the block at this position.
    Threshold(usize),
    /// Mean magnitudes of the block at this position.
    MeanAbs(usize),
    /// Features before the last layer.
    Features,
}

/// A requested output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WantedOutput {
    pub(super) name: String,
    pub(super) kind: OutputKind,
    /// Number of values for each input.
    pub(super) width: usize,
    /// Number of classes, if the client wants classes instead of numbers.
    pub(super) classes: Option<usize>,
}

impl WantedOutput {
    /// Every output of a model.
    pub(super) fn all(manifest: &Manifest) -> Vec<Self> {
        let plain =
            |name: &str, kind, width| Self { name: name.to_owned(), kind, width, classes: None };
        let classes = manifest.classes.len();
        let mut outputs = vec![
            plain(onnx::PROBABILITIES, OutputKind::Probabilities, classes),
            plain(onnx::LOGITS, OutputKind::Logits, classes),
        ];
        for (position, block) in manifest.blocks.iter().enumerate() {
            let threshold = onnx::threshold_output(block.name.as_str());
            outputs.push(plain(&threshold, OutputKind::Threshold(position), block.channels));
            let mean_abs = onnx::mean_abs_output(block.name.as_str());
            outputs.push(plain(&mean_abs, OutputKind::MeanAbs(position), block.channels));
        }
        if let Some(features) = &manifest.features {
            outputs.push(plain(onnx::FEATURES, OutputKind::Features, features.width));
        }
        outputs
    }

    /// This output's rows in a slice of a batch, `[count, width]`; `None` if the model has no such
    /// block.
    pub(super) fn rows<'a>(&self, slice: &'a BatchSlice<Outputs>) -> Option<ArrayView2<'a, f32>> {
        let outputs = &slice.outputs;
        let block = |position: usize, of: fn(&BlockOutputs) -> &Array2<f32>| {
            outputs.blocks.get(position).map(of)
        };
        let tensor = match self.kind {
            OutputKind::Probabilities => Some(&outputs.probabilities),
            OutputKind::Logits => Some(&outputs.logits),
            OutputKind::Threshold(position) => block(position, |block| &block.threshold),
            OutputKind::MeanAbs(position) => block(position, |block| &block.mean_abs),
            OutputKind::Features => outputs.features.as_ref(),
        };
        tensor.map(|tensor| tensor.slice(s![slice.rows.clone(), ..]))
    }
}

/// The outputs with these names, or all outputs if there are no names.
pub(super) fn resolve(
    manifest: &Manifest,
    names: &[OutputName],
) -> Result<Vec<WantedOutput>, ApiError> {
    let all = WantedOutput::all(manifest);
    if names.is_empty() {
        return Ok(all);
    }
    if names.len() > all.len() {
        return Err(ApiError::invalid(format!(
            "the model has {} outputs, but the request names {}; name each once",
            all.len(),
            names.len()
        )));
    }
    names.iter().map(|name| find(&all, name)).collect()
}

fn find(all: &[WantedOutput], wanted: &OutputName) -> Result<WantedOutput, ApiError> {
    let found = all.iter().find(|output| output.name == wanted.name).ok_or_else(|| {
        ApiError::invalid(format!(
            "the model has no output named {:?}; ask for {}, {}, threshold.<block> or mean_abs.<block>",
            shortened(&wanted.name),
            onnx::PROBABILITIES,
            onnx::LOGITS
        ))
    })?;
    let mut found = found.clone();
    if let Some(classes) = wanted.classes {
        if !matches!(found.kind, OutputKind::Probabilities | OutputKind::Logits) {
            return Err(ApiError::invalid(format!(
                "the parameter classification applies only to {} and {}: the numbers of {} do not belong to classes",
                onnx::PROBABILITIES,
                onnx::LOGITS,
                found.name
            )));
        }
        if classes == 0 {
            return Err(ApiError::invalid(
                "the parameter classification must be above 0".to_owned(),
            ));
        }
        found.classes = Some(usize::try_from(classes).map_or(found.width, |c| c.min(found.width)));
    }
    Ok(found)
}
