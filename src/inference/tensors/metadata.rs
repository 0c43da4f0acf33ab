//! What a model says of its tensors.

use drsn_bundle::{InputSpec, onnx};
use serde::Serialize;
use utoipa::ToSchema;

use super::{FP32, WantedOutput};
use crate::{engine::model::Model, schema};

/// A tensor's name, type and sizes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct TensorDescription {
    /// Its name.
    pub(crate) name: String,
    /// Type of its numbers.
    pub(crate) datatype: &'static str,
    /// Its sizes; -1, for the batch, stands for any.
    pub(crate) shape: Vec<i64>,
}

impl TensorDescription {
    /// The sizes without the batch.
    pub(crate) fn dims(&self) -> &[i64] {
        self.shape.get(1..).unwrap_or_default()
    }
}

/// The tensors that a model takes.
pub(crate) fn inputs(model: &Model) -> Vec<TensorDescription> {
    let sizes = model.manifest().input.shape();
    let shape = std::iter::once(-1).chain(sizes.into_iter().map(|size| size as i64)).collect();
    vec![TensorDescription { name: onnx::INPUT.to_owned(), datatype: FP32, shape }]
}

/// The tensors that it gives.
pub(crate) fn outputs(model: &Model) -> Vec<TensorDescription> {
    let describe = |output: WantedOutput| TensorDescription {
        name: output.name,
        datatype: FP32,
        shape: vec![-1, output.width as i64],
    };
    WantedOutput::all(model.manifest()).into_iter().map(describe).collect()
}

/// What a client must know besides: how its numbers are prepared, what the classes are, and where it computes.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ModelParameters)]
pub(crate) struct Parameters<'a> {
    /// The input's kind and sizes, and its normalisation and scaling, which the server does.
    #[schema(schema_with = schema::input_spec)]
    pub(crate) input: &'a InputSpec,
    /// Labels of the classes, in the order of the outputs.
    pub(crate) classes: &'a [String],
    /// Largest batch that is given to the model; longer requests are split.
    pub(crate) max_batch: usize,
    /// The execution provider in use.
    pub(crate) execution_provider: &'static str,
}

impl<'a> Parameters<'a> {
    /// Those of a model.
    pub(crate) fn of(model: &'a Model) -> Self {
        Self {
            input: &model.manifest().input,
            classes: &model.manifest().classes,
            max_batch: model.max_batch(),
            execution_provider: model.provider.name(),
        }
    }
}
