//! Converts messages of the Open Inference Protocol from and to `inference::tensors`.

use std::{collections::HashMap, time::Duration};

use hyper::body::Bytes;

use super::proto::inference::{
    InferParameter, ModelInferRequest, ModelInferResponse,
    infer_parameter::ParameterChoice,
    model_infer_request::{InferInputTensor, InferRequestedOutputTensor},
    model_infer_response::InferOutputTensor,
};
use crate::{
    engine::model::Model,
    error::ApiError,
    inference::tensors::{Answer, Infer, OutputName, Tensor, Values},
};

type Parameters = HashMap<String, InferParameter>;

/// Converts a request, without copying its numbers.
pub(super) fn read(request: ModelInferRequest) -> Result<Infer, ApiError> {
    let timeout = whole(&request.parameters, "timeout")?.filter(|&timeout| timeout > 0);
    let mut raw = request.raw_input_contents;
    if !raw.is_empty() && raw.len() != request.inputs.len() {
        return Err(ApiError::invalid(format!(
            "raw_input_contents must have one entry for each input, but has {} for {} inputs",
            raw.len(),
            request.inputs.len()
        )));
    }
    let is_raw = !raw.is_empty();
    raw.resize(request.inputs.len(), Bytes::new());
    let tensors = request.inputs.into_iter().zip(raw);
    let tensors = tensors.map(|(input, bytes)| tensor(input, is_raw.then_some(bytes)));
    Ok(Infer {
        inputs: tensors.collect::<Result<_, _>>()?,
        outputs: request.outputs.into_iter().map(output).collect::<Result<_, _>>()?,
        timeout: timeout.map(Duration::from_micros),
        parsing: Duration::ZERO,
    })
}

fn tensor(input: InferInputTensor, raw: Option<Bytes>) -> Result<Tensor, ApiError> {
    refuse_shared(&input.parameters)?;
    let values = match (raw, input.contents) {
        (Some(bytes), None) => Values::Bytes(bytes),
        (None, Some(contents)) => Values::Floats(contents.fp32_contents),
        (None, None) => Values::Floats(Vec::new()),
        (Some(_), Some(_)) => {
            return Err(ApiError::invalid(
                "send the numbers in raw_input_contents or in the inputs' contents, not in both",
            ));
        }
    };
    Ok(Tensor { name: input.name, datatype: input.datatype, shape: input.shape, values })
}

fn output(output: InferRequestedOutputTensor) -> Result<OutputName, ApiError> {
    refuse_shared(&output.parameters)?;
    let classes = whole(&output.parameters, "classification")?;
    Ok(OutputName { name: output.name, classes })
}

/// Converts an answer, with each tensor as raw bytes.
pub(super) fn write(model: &Model, answer: &Answer, id: String) -> ModelInferResponse {
    let (mut outputs, mut raw) = (Vec::new(), Vec::new());
    for output in answer.outputs(model.manifest()) {
        let mut bytes = Vec::new();
        output.data.write(&mut bytes);
        raw.push(Bytes::from(bytes));
        outputs.push(InferOutputTensor {
            name: output.name.to_owned(),
            datatype: output.data.datatype().to_owned(),
            shape: output.shape.iter().map(|&size| size as i64).collect(),
            parameters: HashMap::new(),
            contents: None,
        });
    }
    let parameter = |choice| InferParameter { parameter_choice: Some(choice) };
    let mut parameters = HashMap::new();
    if let Some(p_value) = answer.input_shift_p_value {
        let choice = ParameterChoice::DoubleParam(p_value);
        parameters.insert("input_shift_p_value".to_owned(), parameter(choice));
    }
    if let Some(alarm) = answer.input_shift_alarm {
        let choice = ParameterChoice::BoolParam(alarm);
        parameters.insert("input_shift_alarm".to_owned(), parameter(choice));
    }
    ModelInferResponse {
        model_name: model.labels.model.clone(),
        model_version: model.labels.version.clone(),
        id,
        parameters,
        outputs,
        raw_output_contents: raw,
    }
}

fn whole(parameters: &Parameters, name: &str) -> Result<Option<u64>, ApiError> {
    let Some(choice) = parameters.get(name).and_then(|p| p.parameter_choice.as_ref()) else {
        return Ok(None);
    };
    let number = match choice {
        ParameterChoice::Int64Param(number) => u64::try_from(*number).ok(),
        ParameterChoice::Uint64Param(number) => Some(*number),
        ParameterChoice::BoolParam(_)
        | ParameterChoice::StringParam(_)
        | ParameterChoice::DoubleParam(_) => None,
    };
    number
        .map(Some)
        .ok_or_else(|| ApiError::invalid(format!("the parameter {name} must be a whole number")))
}

fn refuse_shared(parameters: &Parameters) -> Result<(), ApiError> {
    if parameters.contains_key("shared_memory_region") {
        return Err(ApiError::invalid(
            "shared memory is not supported; send the numbers in the request",
        ));
    }
    Ok(())
}
