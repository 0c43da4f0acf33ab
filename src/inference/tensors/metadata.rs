//! The metadata of a model's tensors.

use drsn_bundle::{InputSpec, onnx};
use serde::Serialize;
use utoipa::ToSchema;

use super::{FP32, WantedOutput};
use crate::{engine::model::Model, schema};

/// A tensor's name, type and sizes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct TensorDescription {
    /// Name of the tensor.
    pub(crate) name: String,
    /// Type of its numbers.
    pub(crate) datatype: &'static str,
    /// Its sizes; -1, for the batch, means any.
    pub(crate) shape: Vec<i64>,
}

impl TensorDescription {
    /// The sizes without the batch.
    pub(crate) fn dims(&self) -> &[i64] {
        self.shape.get(1..).unwrap_or_default()
    }
}

/// A model's input tensors.
pub(crate) fn inputs(model: &Model) -> Vec<TensorDescription> {
    let sizes = model.manifest().input.shape();
    let shape = std::iter::once(-1).chain(sizes.into_iter().map(|size| size as i64)).collect();
    vec![TensorDescription { name: onnx::INPUT.to_owned(), datatype: FP32, shape }]
}

/// A model's output tensors.
pub(crate) fn outputs(model: &Model) -> Vec<TensorDescription> {
    let describe = |output: WantedOutput| {
        let sizes = output.sizes.into_iter().map(|size| size as i64);
        let shape = std::iter::once(-1).chain(sizes).collect();
        TensorDescription { name: output.name, datatype: FP32, shape }
    };
    WantedOutput::all(model).into_iter().map(describe).collect()
}

/// Other facts that a client needs: how the server prepares inputs, the labels of the classes, and
/// the execution provider.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ModelParameters)]
pub(crate) struct Parameters<'a> {
    /// The input's kind and sizes, and its normalisation and scaling, which the server does.
    #[schema(schema_with = schema::input_spec)]
    pub(crate) input: &'a InputSpec,
    /// Labels of the classes, in the order of the outputs.
    pub(crate) classes: &'a [String],
    /// Largest batch of the model; larger requests are split.
    pub(crate) max_batch: usize,
    /// The execution provider in use.
    pub(crate) execution_provider: &'static str,
}

impl<'a> Parameters<'a> {
    pub(crate) fn of(model: &'a Model) -> Self {
        Self {
            input: &model.manifest().input,
            classes: &model.manifest().classes,
            max_batch: model.max_batch(),
            execution_provider: model.provider.name(),
        }
    }
}
