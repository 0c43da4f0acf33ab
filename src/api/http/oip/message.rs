//! The JSON of an inference request, as the protocol defines it.

use serde::{Deserialize, de::IgnoredAny};
use serde_json::Number;
use utoipa::ToSchema;

use super::{
    few::Few,
    numbers::Numbers,
    object::{Fields, Object},
};
use crate::schema::{self, Schemas};

/// Most inputs that are parsed; a model has one.
const MOST_INPUTS: usize = 16;
/// Most sizes of a shape.
const MOST_SIZES: usize = 16;
/// Most outputs that a request can name. A request that names none receives all of them.
const MOST_OUTPUTS: usize = 1024;

#[derive(Deserialize, ToSchema)]
#[schema(as = InferRequest)]
pub(super) struct Message {
    pub(super) id: Option<String>,
    #[schema(value_type = Option<RequestParameters>)]
    pub(super) parameters: Option<Object<RequestParameters>>,
    #[schema(value_type = Vec<InputTensor>)]
    pub(super) inputs: Few<Object<InputTensor>, MOST_INPUTS>,
    #[schema(value_type = Option<Vec<RequestedOutput>>)]
    pub(super) outputs: Option<Few<Object<RequestedOutput>, MOST_OUTPUTS>>,
}

impl Fields for Message {
    const EXPECTED: &'static str = "an object with a list of inputs";
}

#[derive(Deserialize, Default, ToSchema)]
pub(super) struct RequestParameters {
    /// The time limit of this request, in microseconds.
    #[schema(value_type = Option<u64>)]
    pub(super) timeout: Option<Number>,
    pub(super) binary_data_output: Option<bool>,
}

impl Fields for RequestParameters {
    const EXPECTED: &'static str = "an object of parameters";
}

#[derive(Deserialize, ToSchema)]
pub(super) struct InputTensor {
    pub(super) name: String,
    #[schema(value_type = Vec<u64>)]
    pub(super) shape: Few<Number, MOST_SIZES>,
    pub(super) datatype: String,
    #[schema(value_type = Option<InputParameters>)]
    pub(super) parameters: Option<Object<InputParameters>>,
    #[schema(schema_with = schema::nested_numbers)]
    pub(super) data: Option<Numbers>,
}

impl Fields for InputTensor {
    const EXPECTED: &'static str = "an object with name, shape, datatype and data";
}

#[derive(Deserialize, Default, ToSchema)]
pub(super) struct InputParameters {
    #[schema(value_type = Option<u64>)]
    pub(super) binary_data_size: Option<Number>,
    #[schema(ignore)]
    pub(super) shared_memory_region: Option<IgnoredAny>,
}

impl Fields for InputParameters {
    const EXPECTED: &'static str = "an object of parameters";
}

#[derive(Deserialize, ToSchema)]
pub(super) struct RequestedOutput {
    pub(super) name: String,
    #[schema(value_type = Option<OutputParameters>)]
    pub(super) parameters: Option<Object<OutputParameters>>,
}

impl Fields for RequestedOutput {
    const EXPECTED: &'static str = "an object with the name of an output";
}

#[derive(Deserialize, Default, ToSchema)]
pub(super) struct OutputParameters {
    pub(super) binary_data: Option<bool>,
    #[schema(value_type = Option<u64>)]
    pub(super) classification: Option<Number>,
    #[schema(ignore)]
    pub(super) shared_memory_region: Option<IgnoredAny>,
}

impl Fields for OutputParameters {
    const EXPECTED: &'static str = "an object of parameters";
}

/// Adds the schemas of the request.
pub(super) fn schemas(schemas: &mut Schemas) {
    schemas.add::<Message>();
}
