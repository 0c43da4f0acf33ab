//! The Open Inference Protocol, independent of its message formats: tensors in, named tensors out.
//!
//! The input is `input`, FP32, of shape batch × the model's input shape, with values before
//! normalisation. The outputs are FP32: `probabilities`, `logits`, for each block that shrinks
//! `threshold.<block>` and `mean_abs.<block>`, and if the model has them `features` and `class_map`.

mod metadata;
mod outputs;
#[cfg(test)]
mod tests;
mod wanted;

use std::time::{Duration, Instant};

use drsn_bundle::{InputSpec, Manifest, onnx};
use hyper::body::Bytes;

use crate::{
    app::Caller,
    engine::{inputs::Inputs, model::Model},
    error::{ApiError, ErrorKind},
    inference::{INLINE_BYTES, context::RequestContext, decode::Decoder, options::Options},
};

pub(crate) use metadata::{Parameters, TensorDescription, inputs, outputs};
pub(crate) use outputs::{Answer, Data, Output};
use wanted::WantedOutput;

/// The datatype of numbers.
pub(crate) const FP32: &str = "FP32";
/// The datatype of classifications.
pub(crate) const BYTES: &str = "BYTES";
/// The protocol's name for ONNX models.
pub(crate) const PLATFORM: &str = "onnx_onnxv1";
/// Triton's name for the backend of ONNX models.
pub(crate) const BACKEND: &str = "onnxruntime";
pub(crate) const SERVER: &str = "drsn-serve";
/// The protocol's extensions that the server supports over REST.
pub(crate) const REST_EXTENSIONS: [&str; 5] = [
    "binary_tensor_data",
    "classification",
    "model_configuration",
    "model_repository",
    "statistics",
];
/// The protocol's extensions that the server supports over gRPC.
pub(crate) const GRPC_EXTENSIONS: [&str; 4] =
    ["classification", "model_configuration", "model_repository", "statistics"];

/// Messages quote at most this many characters of a client's text.
const LONGEST_WORD: usize = 40;

/// An inference request.
#[derive(Debug, Default)]
pub(crate) struct Infer {
    pub(crate) inputs: Vec<Tensor>,
    /// The requested outputs; all of them if empty.
    pub(crate) outputs: Vec<OutputName>,
    /// How long the client waits.
    pub(crate) timeout: Option<Duration>,
    /// Time for decompressing and parsing, which counts as decoding.
    pub(crate) parsing: Duration,
}

/// An input tensor.
#[derive(Debug)]
pub(crate) struct Tensor {
    pub(crate) name: String,
    pub(crate) datatype: String,
    /// Its sizes, the batch first.
    pub(crate) shape: Vec<i64>,
    pub(crate) values: Values,
}

/// The numbers of a tensor.
#[derive(Debug)]
pub(crate) enum Values {
    /// Already parsed.
    Floats(Vec<f32>),
    /// Little-endian, as received.
    Bytes(Bytes),
}

/// The name of a requested output.
#[derive(Debug, Clone, Default)]
pub(crate) struct OutputName {
    pub(crate) name: String,
    /// Number of classes, if the client wants classes instead of numbers.
    pub(crate) classes: Option<u64>,
}

impl Values {
    /// Number of values; `None` if the bytes are not a multiple of four.
    fn count(&self) -> Option<usize> {
        match self {
            Self::Floats(floats) => Some(floats.len()),
            Self::Bytes(bytes) => {
                bytes.len().is_multiple_of(size_of::<f32>()).then_some(bytes.len() / 4)
            }
        }
    }

    /// The numbers; those already parsed are moved, not copied.
    fn into_floats(self) -> Vec<f32> {
        match self {
            Self::Floats(floats) => floats,
            Self::Bytes(bytes) => {
                let (numbers, _) = bytes.as_chunks::<4>();
                numbers.iter().map(|&number| f32::from_le_bytes(number)).collect()
            }
        }
    }
}

/// Answers a request. The client's own timeout can only shorten the context's deadline.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`] or [`ErrorKind::TooLarge`] if the tensor or the outputs do not
/// fit the model, and those of [`Model::infer`].
pub(crate) async fn infer(
    context: &mut RequestContext<'_>,
    model: &Model,
    request: Infer,
) -> Result<Answer, ApiError> {
    let wanted = wanted::resolve(model, &request.outputs)?;
    let own = request.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let deadline = own.map_or(context.deadline(), |own| own.min(context.deadline()));
    let started = Instant::now();
    let tensor = only_input(request.inputs)?;
    let is_long = tensor.values.count().is_some_and(|count| count * 4 > INLINE_BYTES);
    let (app, caller) = (context.app, Caller { deadline, ..context.caller });
    let preparing = || prepared(context, model.manifest(), tensor);
    let mut inputs = app.compute(is_long, caller, preparing).await??;
    let before = inputs.take_before();
    let preparation = request.parsing + started.elapsed();
    model.metrics.decode.observe(preparation.as_secs_f64());
    model.metrics.statistics.compute_input.add(preparation);
    let wants_map = wanted.iter().any(WantedOutput::is_detail);
    if wants_map {
        context.memory.grow(inputs.count() as u64 * model.map_bytes())?;
    }
    let slices = model.infer(inputs, wants_map, deadline).await?;
    let started = Instant::now();
    let answer = Answer::of(model, slices, &before, wanted)?;
    model.metrics.statistics.compute_output.add(started.elapsed());
    Ok(answer)
}

fn only_input(inputs: Vec<Tensor>) -> Result<Tensor, ApiError> {
    let mut inputs = inputs.into_iter();
    match (inputs.next(), inputs.next()) {
        (Some(input), None) => Ok(input),
        (first, _) => Err(ApiError::invalid(format!(
            "expected one input tensor, named \"{}\", but the request has {}",
            onnx::INPUT,
            if first.is_some() { "several" } else { "none" }
        ))),
    }
}

/// Checks a tensor against the model and normalises its numbers.
fn prepared(
    context: &mut RequestContext<'_>,
    manifest: &Manifest,
    tensor: Tensor,
) -> Result<Inputs, ApiError> {
    check(&tensor, &manifest.input, context.app.config.limits.max_windows.get())?;
    if let Values::Bytes(bytes) = &tensor.values {
        context.memory.grow(bytes.len() as u64)?;
    }
    let values = tensor.values.into_floats();
    Decoder::new(context, manifest, &Options::default()).prepared(values, &[])
}

/// Checks the tensor's name, datatype, shape and number of values. `max` is the largest batch of a
/// request.
fn check(tensor: &Tensor, spec: &InputSpec, max: usize) -> Result<(), ApiError> {
    if tensor.name != onnx::INPUT {
        return Err(ApiError::invalid(format!(
            "the model's input is named \"{}\", but the request has one named {:?}",
            onnx::INPUT,
            shortened(&tensor.name)
        )));
    }
    if tensor.datatype != FP32 {
        return Err(ApiError::invalid(format!(
            "the input's datatype is {FP32}, but the request has {:?}; convert the numbers to 32-bit floats",
            shortened(&tensor.datatype)
        )));
    }
    let batch = batch_size(tensor, spec)?;
    if batch > max {
        return Err(ErrorKind::TooLarge.because(format!(
            "the request has {batch} inputs, and at most {max} are accepted at once"
        )));
    }
    let expected = batch.checked_mul(spec.elements());
    if expected.is_none() || tensor.values.count() != expected {
        let found = match &tensor.values {
            Values::Floats(floats) => format!("{} numbers", floats.len()),
            Values::Bytes(bytes) => format!("{} bytes, of 4 for each number", bytes.len()),
        };
        return Err(ApiError::invalid(format!(
            "a tensor of shape {} has {} numbers, but the request has {found}",
            in_words(&tensor.shape),
            expected.unwrap_or(usize::MAX)
        )));
    }
    Ok(())
}

/// The first size of the tensor, after a check of its shape.
fn batch_size(tensor: &Tensor, spec: &InputSpec) -> Result<usize, ApiError> {
    let shape = spec.shape();
    let batch = match &tensor.shape[..] {
        [batch, sizes @ ..] if same(sizes, &shape) => usize::try_from(*batch).unwrap_or(0),
        _ => 0,
    };
    if batch == 0 {
        return Err(ApiError::invalid(format!(
            "expected a tensor of shape N x {}, with N of at least 1, but its shape is {}",
            shape.iter().map(ToString::to_string).collect::<Vec<_>>().join(" x "),
            in_words(&tensor.shape)
        )));
    }
    Ok(batch)
}

fn same(sizes: &[i64], shape: &[usize]) -> bool {
    sizes.len() == shape.len()
        && sizes.iter().zip(shape).all(|(&size, &wanted)| usize::try_from(size) == Ok(wanted))
}

fn in_words(shape: &[i64]) -> String {
    // More sizes would not help the reader of the message.
    let mut sizes: Vec<String> = shape.iter().take(8).map(ToString::to_string).collect();
    if shape.len() > sizes.len() {
        sizes.push("…".to_owned());
    }
    if sizes.is_empty() { "empty".to_owned() } else { sizes.join(" x ") }
}

/// A client's text for a message, cut after [`LONGEST_WORD`] characters.
fn shortened(word: &str) -> String {
    word.chars().take(LONGEST_WORD).collect()
}
