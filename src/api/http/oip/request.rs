//! An inference request: JSON, followed by the numbers of those tensors whose data are binary.

use std::time::Duration;

use axum::http::HeaderMap;
use hyper::body::Bytes;
use serde::de::IgnoredAny;
use serde_json::Number;

use super::{
    few::Few,
    message::{InputTensor, Message},
    object::Object,
};
use crate::{
    error::ApiError,
    inference::tensors::{FP32, Infer, OutputName, Tensor, Values},
};

/// Header with the length of the JSON, if binary data follow it.
pub(super) const JSON_LENGTH_HEADER: &str = "inference-header-content-length";
/// Longest message of the JSON parser that is passed on, in characters: it may quote the request.
const LONGEST_MESSAGE: usize = 300;

/// A parsed request.
#[derive(Debug)]
pub(super) struct InferRequest {
    pub(super) id: Option<String>,
    pub(super) infer: Infer,
    /// Whether each requested output is to be binary.
    pub(super) binary: Vec<bool>,
    /// Whether outputs are to be binary if the request names none.
    pub(super) all_binary: bool,
}

/// The length of the JSON, if the header is present.
pub(super) fn json_length(headers: &HeaderMap) -> Result<Option<usize>, ApiError> {
    let Some(value) = headers.get(JSON_LENGTH_HEADER) else { return Ok(None) };
    let length = value.to_str().ok().and_then(|text| text.trim().parse().ok());
    length.map(Some).ok_or_else(|| {
        ApiError::invalid(
            "Inference-Header-Content-Length must be the number of bytes of the JSON part",
        )
    })
}

impl InferRequest {
    /// Parses a body, without copying its binary part. `shape` is that of one input.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::error::ErrorKind::InvalidArgument).
    pub(super) fn parse(
        body: &Bytes,
        json_length: Option<usize>,
        shape: &[usize],
    ) -> Result<Self, ApiError> {
        if json_length == Some(0) {
            return Ok(Self::raw(body, shape));
        }
        let json_length = json_length.unwrap_or(body.len());
        if json_length > body.len() {
            return Err(ApiError::invalid(format!(
                "Inference-Header-Content-Length is {json_length}, but the whole body has {} bytes",
                body.len()
            )));
        }
        let (json, mut binary) = (&body[..json_length], body.slice(json_length..));
        let parsed = parse(json)?;
        let Few(inputs) = parsed.inputs;
        let inputs = inputs.into_iter().map(|Object(input)| input.tensor(&mut binary));
        let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
        if !binary.is_empty() {
            return Err(ApiError::invalid(format!(
                "{} bytes of binary data belong to no input; set the binary_data_size of each input",
                binary.len()
            )));
        }
        let Object(parameters) = parsed.parameters.unwrap_or_default();
        let timeout = whole("timeout", parameters.timeout)?.filter(|&timeout| timeout > 0);
        let timeout = timeout.map(Duration::from_micros);
        let all_binary = parameters.binary_data_output.unwrap_or_default();
        let (mut outputs, mut wanted_binary) = (Vec::new(), Vec::new());
        for Object(output) in parsed.outputs.into_iter().flat_map(|Few(outputs)| outputs) {
            let Object(parameters) = output.parameters.unwrap_or_default();
            refuse_shared(parameters.shared_memory_region)?;
            let classes = whole("classification", parameters.classification)?;
            outputs.push(OutputName { name: output.name, classes });
            wanted_binary.push(parameters.binary_data.unwrap_or(all_binary));
        }
        let infer = Infer { inputs, outputs, timeout, ..Infer::default() };
        Ok(Self { id: parsed.id, infer, binary: wanted_binary, all_binary })
    }

    /// A body without JSON: the numbers of the only input. The response is binary, too.
    fn raw(body: &Bytes, shape: &[usize]) -> Self {
        let bytes = shape.iter().product::<usize>().max(1) * size_of::<f32>();
        let batch = (body.len() / bytes).max(1);
        let sizes = std::iter::once(batch).chain(shape.iter().copied());
        let tensor = Tensor {
            name: drsn_bundle::onnx::INPUT.to_owned(),
            datatype: FP32.to_owned(),
            shape: sizes.map(|size| size as i64).collect(),
            values: Values::Bytes(body.clone()),
        };
        let infer = Infer { inputs: vec![tensor], ..Infer::default() };
        Self { id: None, infer, binary: Vec::new(), all_binary: true }
    }
}

impl InputTensor {
    fn tensor(self, binary: &mut Bytes) -> Result<Tensor, ApiError> {
        let Object(parameters) = self.parameters.unwrap_or_default();
        refuse_shared(parameters.shared_memory_region)?;
        let size = |number: Number| {
            number
                .as_i64()
                .ok_or_else(|| ApiError::invalid("the sizes in a shape must be whole numbers"))
        };
        let shape = self.shape.0.into_iter().map(size).collect::<Result<Vec<_>, _>>()?;
        let values = match (self.data, whole("binary_data_size", parameters.binary_data_size)?) {
            (Some(numbers), None) => {
                check_sizes(&numbers.sizes, &shape)?;
                Values::Floats(numbers.values)
            }
            (None, Some(size)) => {
                let size = usize::try_from(size).ok().filter(|&size| size <= binary.len());
                let size = size.ok_or_else(|| {
                    ApiError::invalid(format!(
                        "binary_data_size is more than the {} bytes that follow the JSON; set \
                         Inference-Header-Content-Length to the length of the JSON",
                        binary.len()
                    ))
                })?;
                Values::Bytes(binary.split_to(size))
            }
            (data, _) => {
                return Err(ApiError::invalid(format!(
                    "an input must have either data or the parameter binary_data_size; this one has {}",
                    if data.is_some() { "both" } else { "neither" }
                )));
            }
        };
        Ok(Tensor { name: self.name, datatype: self.datatype, shape, values })
    }
}

fn parse(json: &[u8]) -> Result<Message, ApiError> {
    let message: Result<Object<Message>, _> = serde_json::from_slice(json);
    message.map(|Object(message)| message).map_err(|error| {
        let text: String = error.to_string().chars().take(LONGEST_MESSAGE).collect();
        ApiError::invalid(format!("the body is not valid JSON for this route: {text}"))
    })
}

/// Checks that nested lists have the sizes of the shape; the length of a flat list is checked
/// later.
fn check_sizes(found: &[usize], shape: &[i64]) -> Result<(), ApiError> {
    let same = found.len() == shape.len()
        && found.iter().zip(shape).all(|(&found, &size)| usize::try_from(size) == Ok(found));
    if found.len() <= 1 || same {
        return Ok(());
    }
    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
    Err(ApiError::invalid(format!(
        "the data are nested as {}, unlike the tensor's shape; nest them like the shape, or not at \
         all",
        found.join(" x ")
    )))
}

fn whole(name: &str, number: Option<Number>) -> Result<Option<u64>, ApiError> {
    let whole = |number: Number| {
        number.as_u64().ok_or_else(|| {
            ApiError::invalid(format!("the parameter {name} must be a whole number"))
        })
    };
    number.map(whole).transpose()
}

fn refuse_shared(region: Option<IgnoredAny>) -> Result<(), ApiError> {
    match region {
        None => Ok(()),
        Some(_) => Err(ApiError::invalid(
            "shared memory is not supported; send the numbers in the request",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str, binary: &[u8]) -> Result<InferRequest, ApiError> {
        let body = Bytes::from([json.as_bytes(), binary].concat());
        InferRequest::parse(&body, Some(json.len()), &[1, 2])
    }

    fn input(rest: &str) -> String {
        format!(
            r#"{{"inputs": [{{"name": "input", "shape": [1, 1, 2], "datatype": "FP32"{rest}}}]}}"#
        )
    }

    #[test]
    fn numbers_are_read_from_the_json_or_from_behind_it() {
        let floats = parse(&input(r#", "data": [1, 2]"#), &[]).unwrap();
        assert!(matches!(&floats.infer.inputs[0].values, Values::Floats(f) if f == &[1.0, 2.0]));
        let size = input(r#", "parameters": {"binary_data_size": 8}"#);
        let bytes = parse(&size, &[7; 8]).unwrap();
        assert!(matches!(&bytes.infer.inputs[0].values, Values::Bytes(b) if b[..] == [7; 8]));
    }

    /// Regression: sizes take eight times and names of outputs six times as many bytes as their
    /// text, while four times were reserved.
    #[test]
    fn lists_whose_entries_take_more_memory_than_their_text_are_short() {
        let many = |entry: &str, count| vec![entry; count].join(",");
        let input = |sizes| {
            let sizes = many("0", sizes);
            format!(r#"{{"name":"x","shape":[{sizes}],"datatype":"FP32","data":[]}}"#)
        };
        let inputs = |inputs: &str| format!(r#"{{"inputs":[{inputs}]}}"#);
        let outputs =
            |count| format!(r#"{{"inputs":[],"outputs":[{}]}}"#, many(r#"{"name":""}"#, count));
        for (json, most) in [
            (inputs(&many(&input(1), 17)), "at most 16 entries"),
            (inputs(&input(17)), "at most 16 entries"),
            (outputs(1025), "at most 1024 entries"),
        ] {
            let error = parse(&json, &[]).err().map(|error| error.detail).unwrap_or_default();
            assert!(error.contains(most), "{error}");
        }
        assert!(parse(&outputs(1024), &[]).is_ok_and(|request| request.binary.len() == 1024));
    }

    #[test]
    fn a_body_without_json_is_the_only_input() {
        let raw = InferRequest::parse(&Bytes::from_static(&[0; 24]), Some(0), &[1, 2]).unwrap();
        assert_eq!(raw.infer.inputs[0].shape, [3, 1, 2]);
        assert!(raw.all_binary);
    }

    #[test]
    fn errors_name_what_is_wrong_and_no_rust_type() {
        let two = r#", "data": [1, 2]"#;
        for (json, binary, part) in [
            (input(""), 0, "neither"),
            (input(r#", "data": [1, 2], "parameters": {"binary_data_size": 8}"#), 8, "both"),
            (input(r#", "parameters": {"binary_data_size": 9}"#), 8, "more than the 8 bytes"),
            (input(two), 3, "3 bytes of binary data"),
            (input(r#", "data": [[1], [2]]"#), 0, "nest them"),
            (input(r#", "data": "x""#), 0, "a list of numbers"),
            (input(r#", "parameters": {"shared_memory_region": "r"}"#), 0, "shared memory"),
            ("[]".to_owned(), 0, "an object with a list of inputs"),
            (
                r#"{"inputs": [["input", [1, 1, 2], "FP32", null, [1, 2]]]}"#.to_owned(),
                0,
                "an object with name",
            ),
            (
                r#"{"inputs": [], "parameters": [null, true]}"#.to_owned(),
                0,
                "an object of parameters",
            ),
            (
                r#"{"inputs": [], "outputs": [["probabilities"]]}"#.to_owned(),
                0,
                "the name of an output",
            ),
            (r#"{"inputs": [7]}"#.to_owned(), 0, "an object with name, shape"),
            (r#"{"inputs": {}}"#.to_owned(), 0, "sequence"),
            (r#"{"inputs": [], "parameters": {"timeout": -1}}"#.to_owned(), 0, "whole number"),
            (r#"{"inputs": [], "parameters": 7}"#.to_owned(), 0, "an object of parameters"),
        ] {
            let error = parse(&json, &vec![0; binary]).err().map(|e| e.detail).unwrap_or_default();
            assert!(error.contains(part), "{json}: {error}");
            for name in ["struct", "Body", "InputTensor", "Numbers", "u64"] {
                assert!(!error.contains(name), "{error}");
            }
        }
        let short = InferRequest::parse(&Bytes::from_static(b"{}"), Some(3), &[1, 2]);
        assert!(short.is_err_and(|e| e.detail.contains("whole body has 2 bytes")));
    }
}
