//! Which of the model's outputs a client wants, and in which form.

use drsn_bundle::onnx;
use ndarray::{Array2, ArrayView2, Axis, s};

use super::{OutputName, shortened};
use crate::{
    engine::{
        class_map::MapShape,
        model::Model,
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
    /// What each position adds to the logits.
    ClassMap,
}

/// A requested output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WantedOutput {
    pub(super) name: String,
    pub(super) kind: OutputKind,
    /// Sizes of its values for each input.
    pub(super) sizes: Vec<usize>,
    /// Number of classes, if the client wants classes instead of numbers.
    pub(super) classes: Option<usize>,
}

impl WantedOutput {
    /// Every output of a model. The class activation map, if there is one, is the last.
    pub(super) fn all(model: &Model) -> Vec<Self> {
        let shaped =
            |name: &str, kind, sizes| Self { name: name.to_owned(), kind, sizes, classes: None };
        let plain = |name: &str, kind, width| shaped(name, kind, vec![width]);
        let manifest = model.manifest();
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
        let sizes = match model.map {
            Some(MapShape::Signal { positions }) => vec![classes, positions],
            Some(MapShape::Image { height, width }) => vec![classes, height, width],
            None => return outputs,
        };
        outputs.push(shaped(onnx::CLASS_MAP, OutputKind::ClassMap, sizes));
        outputs
    }

    /// Whether it is only computed if it is asked for.
    pub(super) fn is_detail(&self) -> bool {
        self.kind == OutputKind::ClassMap
    }

    /// This output's rows in a slice of a batch, `[count, values]`; `None` if the model has no such
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
            OutputKind::ClassMap => {
                let rows = outputs.map.as_ref()?.slice(s![slice.rows.clone(), .., ..]);
                let shape = (rows.len_of(Axis(0)), self.sizes.iter().product::<usize>());
                return rows.into_shape_with_order(shape).ok();
            }
        };
        tensor.map(|tensor| tensor.slice(s![slice.rows.clone(), ..]))
    }
}

/// The outputs with these names, or if there are no names all but the class activation map, which
/// costs a request a good deal.
pub(super) fn resolve(model: &Model, names: &[OutputName]) -> Result<Vec<WantedOutput>, ApiError> {
    let all = WantedOutput::all(model);
    if names.is_empty() {
        return Ok(all.into_iter().filter(|output| !output.is_detail()).collect());
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
            "the model has no output named {:?}; ask for {}, {}, threshold.<block>, mean_abs.<block> or another one of its metadata",
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
        let all = found.sizes.iter().product();
        found.classes = Some(usize::try_from(classes).map_or(all, |classes| classes.min(all)));
    }
    Ok(found)
}
