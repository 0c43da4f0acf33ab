//! The response to an inference request: JSON, followed by the numbers of binary tensors.

use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use crate::{
    engine::model::Model,
    error::ApiError,
    inference::tensors::{Answer, Data, Output},
    schema::{self, Schemas},
};

#[derive(Serialize, ToSchema)]
#[schema(as = InferResponse)]
struct Response<'a> {
    model_name: &'a str,
    model_version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<ShiftParameters>,
    outputs: Vec<OutputTensor<'a>>,
}

/// The smallest p-value of the request's inputs, and whether any of them raises an alarm.
#[derive(Serialize, ToSchema)]
struct ShiftParameters {
    input_shift_p_value: f64,
    input_shift_alarm: bool,
}

#[derive(Serialize, ToSchema)]
struct OutputTensor<'a> {
    name: &'a str,
    datatype: &'static str,
    shape: &'a [usize],
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<BinarySize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::output_data)]
    data: Option<Flat<'a>>,
}

#[derive(Serialize, ToSchema)]
struct BinarySize {
    binary_data_size: usize,
}

/// A tensor's data as one flat list.
struct Flat<'a>(&'a Data<'a>);

impl Serialize for Flat<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Data::Floats(pieces) => serializer.collect_seq(pieces.iter().copied().flatten()),
            Data::Classes(classes) => serializer.collect_seq(classes),
        }
    }
}

/// Writes the body of a response. If binary data follow the JSON, the second value is its length.
pub(super) fn write(
    model: &Model,
    answer: &Answer,
    id: Option<&str>,
    is_binary: impl Fn(usize) -> bool,
) -> Result<(Vec<u8>, Option<usize>), ApiError> {
    let outputs: Vec<Output<'_>> = answer.outputs(model.manifest()).collect();
    let tensor = |(position, output)| describe(output, is_binary(position));
    let response = Response {
        model_name: &model.labels.model,
        model_version: &model.labels.version,
        id,
        parameters: answer.input_shift_p_value.map(|p_value| ShiftParameters {
            input_shift_p_value: p_value,
            input_shift_alarm: answer.input_shift_alarm.unwrap_or_default(),
        }),
        outputs: outputs.iter().enumerate().map(tensor).collect(),
    };
    let mut body = serde_json::to_vec(&response).map_err(|error| {
        tracing::error!(%error, "cannot serialize an answer");
        ApiError::internal()
    })?;
    let json_length = body.len();
    let mut has_binary = false;
    for (position, output) in outputs.iter().enumerate() {
        if is_binary(position) {
            has_binary = true;
            output.data.write(&mut body);
        }
    }
    Ok((body, has_binary.then_some(json_length)))
}

fn describe<'a>(output: &'a Output<'a>, is_binary: bool) -> OutputTensor<'a> {
    OutputTensor {
        name: output.name,
        datatype: output.data.datatype(),
        shape: &output.shape,
        parameters: is_binary.then(|| BinarySize { binary_data_size: output.data.byte_length() }),
        data: (!is_binary).then_some(Flat(&output.data)),
    }
}

/// Adds the schemas of the response.
pub(super) fn schemas(schemas: &mut Schemas) {
    schemas.add::<Response<'_>>();
}
