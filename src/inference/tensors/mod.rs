//! The Open Inference Protocol, apart from how its messages are written: tensors in, named tensors out.
//!
//! Input: `input`, FP32, the batch and then the model's input shape, values before normalisation. Outputs, FP32:
//! `probabilities`, `logits`, and of each block that shrinks `threshold.<block>` and `mean_abs.<block>`.

mod metadata;
mod outputs;
#[cfg(test)]
mod tests;
mod wanted;

use std::time::{Duration, Instant};

use drsn_bundle::{InputSpec, Manifest, onnx};
use hyper::body::Bytes;

use crate::{
    engine::{inputs::Inputs, model::Model},
    error::{ApiError, ErrorKind},
    inference::{INLINE_BYTES, context::RequestContext, decode::Decoder, options::Options},
};

pub(crate) use metadata::{Parameters, TensorDescription, inputs, outputs};
pub(crate) use outputs::{Answer, Data, Output};
pub(crate) use wanted::WantedOutput;

/// The only type of number.
pub(crate) const FP32: &str = "FP32";
/// The type of classifications.
pub(crate) const BYTES: &str = "BYTES";
/// What computes, as the protocol names it.
pub(crate) const PLATFORM: &str = "onnx_onnxv1";
/// The same, by Triton's other name for it.
pub(crate) const BACKEND: &str = "onnxruntime";
/// Name of the server.
pub(crate) const SERVER: &str = "drsn-serve";
/// What works beyond the protocol's core over REST.
pub(crate) const REST_EXTENSIONS: [&str; 5] = [
    "binary_tensor_data",
    "classification",
    "model_configuration",
    "model_repository",
    "statistics",
];
/// The same over gRPC.
pub(crate) const GRPC_EXTENSIONS: [&str; 4] =
    ["classification", "model_configuration", "model_repository", "statistics"];

/// Longest of a client's words that is shortened to it.
const LONGEST_WORD: usize = 40;

/// A request to infer.
#[derive(Debug, Default)]
pub(crate) struct Infer {
    /// Its input tensors.
    pub(crate) inputs: Vec<Tensor>,
    /// The outputs that are wanted; all where there is none.
    pub(crate) outputs: Vec<OutputName>,
    /// How long the client waits.
    pub(crate) timeout: Option<Duration>,
    /// What decompressing and parsing took, which belongs to decoding.
    pub(crate) parsing: Duration,
}

/// An input tensor.
#[derive(Debug)]
pub(crate) struct Tensor {
    /// Its name.
    pub(crate) name: String,
    /// Type of its numbers.
    pub(crate) datatype: String,
    /// Its sizes, the batch first.
    pub(crate) shape: Vec<i64>,
    /// Its numbers.
    pub(crate) values: Values,
}

/// Numbers of a tensor.
#[derive(Debug)]
pub(crate) enum Values {
    /// Read already.
    Floats(Vec<f32>),
    /// Little-endian, as they came.
    Bytes(Bytes),
}

/// A wanted output, as it was named.
#[derive(Debug, Clone, Default)]
pub(crate) struct OutputName {
    /// Its name.
    pub(crate) name: String,
    /// Number of classes, where classes are wanted instead of numbers.
    pub(crate) classes: Option<u64>,
}

impl Values {
    fn count(&self) -> Option<usize> {
        match self {
            Self::Floats(floats) => Some(floats.len()),
            Self::Bytes(bytes) => {
                bytes.len().is_multiple_of(size_of::<f32>()).then_some(bytes.len() / 4)
            }
        }
    }

    /// The numbers; what was read already is moved, not copied.
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
/// [`ApiError`] with what was expected and what came, and those of [`Model::infer`].
pub(crate) async fn infer(
    context: &mut RequestContext<'_>,
    model: &Model,
    request: Infer,
) -> Result<Answer, ApiError> {
    let wanted = wanted::resolve(model.manifest(), &request.outputs)?;
    let own = request.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let deadline = own.map_or(context.deadline, |own| own.min(context.deadline));
    let started = Instant::now();
    let tensor = only_input(request.inputs)?;
    let is_long = tensor.values.count().is_some_and(|count| count * 4 > INLINE_BYTES);
    let app = context.app;
    let preparing = || prepared(context, model.manifest(), tensor);
    let mut inputs = app.compute(is_long, deadline, preparing).await??;
    let levels = inputs.take_levels();
    let preparation = request.parsing + started.elapsed();
    model.metrics.decode.observe(preparation.as_secs_f64());
    model.metrics.statistics.compute_input.add(preparation);
    let slices = model.infer(inputs, false, deadline).await?;
    let started = Instant::now();
    let answer = Answer::of(model, slices, &levels, wanted)?;
    model.metrics.statistics.compute_output.add(started.elapsed());
    Ok(answer)
}

fn only_input(inputs: Vec<Tensor>) -> Result<Tensor, ApiError> {
    let mut inputs = inputs.into_iter();
    match (inputs.next(), inputs.next()) {
        (Some(input), None) => Ok(input),
        (first, _) => Err(ApiError::invalid(format!(
            "one input tensor is expected, named \"{}\", and the request has {}",
            onnx::INPUT,
            if first.is_some() { "several" } else { "none" }
        ))),
    }
}

/// Checks a tensor against the model, and normalises its numbers.
fn prepared(
    context: &mut RequestContext<'_>,
    manifest: &Manifest,
    tensor: Tensor,
) -> Result<Inputs, ApiError> {
    check(&tensor, &manifest.input, context.app.config.max_windows.get())?;
    if let Values::Bytes(bytes) = &tensor.values {
        context.memory.grow(bytes.len() as u64)?;
    }
    let values = tensor.values.into_floats();
    Decoder::new(context, manifest, &Options::default()).prepared(values, &[])
}

fn check(tensor: &Tensor, spec: &InputSpec, most: usize) -> Result<(), ApiError> {
    if tensor.name != onnx::INPUT {
        return Err(ApiError::invalid(format!(
            "the model's input is named \"{}\", and the request has one named {:?}",
            onnx::INPUT,
            shortened(&tensor.name)
        )));
    }
    if tensor.datatype != FP32 {
        return Err(ApiError::invalid(format!(
            "the input's datatype is {FP32}, and the request has {:?}; convert the numbers to 32-bit floats",
            shortened(&tensor.datatype)
        )));
    }
    let shape = spec.shape();
    let batch = match &tensor.shape[..] {
        [batch, sizes @ ..] if same(sizes, &shape) => usize::try_from(*batch).unwrap_or(0),
        _ => 0,
    };
    if batch == 0 {
        return Err(ApiError::invalid(format!(
            "a tensor of shape N x {} was expected, with N of at least 1, and its shape is {}",
            shape.iter().map(ToString::to_string).collect::<Vec<_>>().join(" x "),
            in_words(&tensor.shape)
        )));
    }
    if batch > most {
        return Err(ErrorKind::TooLarge.because(format!(
            "the request has {batch} inputs, and at most {most} are taken at once"
        )));
    }
    let expected = batch.checked_mul(spec.elements());
    if expected.is_none() || tensor.values.count() != expected {
        let came = match &tensor.values {
            Values::Floats(floats) => format!("{} numbers", floats.len()),
            Values::Bytes(bytes) => format!("{} bytes, of 4 for each number,", bytes.len()),
        };
        return Err(ApiError::invalid(format!(
            "a tensor of shape {} has {} numbers, and {came} came",
            in_words(&tensor.shape),
            expected.unwrap_or(usize::MAX)
        )));
    }
    Ok(())
}

fn same(sizes: &[i64], shape: &[usize]) -> bool {
    sizes.len() == shape.len()
        && sizes.iter().zip(shape).all(|(&size, &wanted)| usize::try_from(size) == Ok(wanted))
}

fn in_words(shape: &[i64]) -> String {
    // Nobody needs to read on after that.
    let mut sizes: Vec<String> = shape.iter().take(8).map(ToString::to_string).collect();
    if shape.len() > sizes.len() {
        sizes.push("…".to_owned());
    }
    if sizes.is_empty() { "empty".to_owned() } else { sizes.join(" x ") }
}

/// What a client wrote, to be shortened to it, but never at length.
fn shortened(word: &str) -> String {
    word.chars().take(LONGEST_WORD).collect()
}
