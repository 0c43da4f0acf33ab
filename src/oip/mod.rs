//! The Open Inference Protocol, apart from how its messages are written: tensors in, named tensors out.
//!
//! Input: `input`, FP32, the batch and then the model's input shape, values before normalisation. Outputs, FP32:
//! `probabilities`, `logits`, and of each block that shrinks `threshold.<block>` and `mean_abs.<block>`.

mod metadata;
mod outputs;
mod source;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use drsn_bundle::{InputSpec, onnx};
use hyper::body::Bytes;

use crate::{
    admission::Reservation,
    classify::Options,
    config::Config,
    decode::{Decoder, Inputs},
    error::{ApiError, ErrorKind},
    model::Model,
    server::App,
};

pub use metadata::{Parameters, TensorDescription, inputs, outputs};
pub use outputs::{Answer, Data, Output};
pub use source::{Source, WantedOutput};

/// The only type of number.
pub const FP32: &str = "FP32";
/// The type of classifications.
pub const BYTES: &str = "BYTES";
/// What computes, as the protocol names it.
pub const PLATFORM: &str = "onnx_onnxv1";
/// The same, by Triton's other name for it.
pub const BACKEND: &str = "onnxruntime";
/// Name of the server.
pub const SERVER: &str = "drsn-serve";
/// What works beyond the protocol's core over REST.
pub const REST_EXTENSIONS: [&str; 5] = [
    "binary_tensor_data",
    "classification",
    "model_configuration",
    "model_repository",
    "statistics",
];
/// The same over gRPC.
pub const GRPC_EXTENSIONS: [&str; 4] =
    ["classification", "model_configuration", "model_repository", "statistics"];

/// Most bytes of a tensor that are prepared between other requests.
const INLINE_BYTES: usize = 64 << 10;
/// Longest of a client's words that is shown to it.
const LONGEST_WORD: usize = 40;

/// A request to infer.
#[derive(Debug, Default)]
pub struct Infer {
    /// Its input tensors.
    pub inputs: Vec<Tensor>,
    /// The outputs that are wanted; all where there is none.
    pub outputs: Vec<OutputName>,
    /// How long the client waits.
    pub timeout: Option<Duration>,
    /// What decompressing and parsing took, which belongs to decoding.
    pub parsing: Duration,
}

/// An input tensor.
#[derive(Debug)]
pub struct Tensor {
    /// Its name.
    pub name: String,
    /// Type of its numbers.
    pub datatype: String,
    /// Its sizes, the batch first.
    pub shape: Vec<i64>,
    /// Its numbers.
    pub values: Values,
}

/// Numbers of a tensor.
#[derive(Debug)]
pub enum Values {
    /// Read already.
    Floats(Vec<f32>),
    /// Little-endian, as they came.
    Bytes(Bytes),
}

/// A wanted output, as it was named.
#[derive(Debug, Clone, Default)]
pub struct OutputName {
    /// Its name.
    pub name: String,
    /// Number of classes, where classes are wanted instead of numbers.
    pub classes: Option<u64>,
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

/// Answers a request. The deadline is the server's; the client's own can only be earlier.
///
/// # Errors
/// [`ApiError`] with what was expected and what came, and those of [`Model::infer`].
pub async fn infer(
    app: &App,
    model: &Model,
    request: Infer,
    deadline: Instant,
    memory: &mut Reservation,
) -> Result<Answer, ApiError> {
    let manifest = model.manifest();
    let wanted = source::resolve(manifest, &request.outputs)?;
    let own = request.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let deadline = own.map_or(deadline, |own| own.min(deadline));
    let started = Instant::now();
    let tensor = only_input(request.inputs)?;
    let is_long = tensor.values.count().is_some_and(|count| count * 4 > INLINE_BYTES);
    let preparing = || prepared(model, tensor, &app.config, deadline, memory);
    let mut inputs = app.compute(is_long, deadline, preparing).await??;
    let levels = inputs.take_levels();
    let preparation = request.parsing + started.elapsed();
    model.metrics.decode.observe(preparation.as_secs_f64());
    model.metrics.statistics.compute_input.add(preparation);
    let shares = model.infer(inputs, false, deadline).await?;
    let started = Instant::now();
    let answer = Answer::of(model, shares, &levels, wanted)?;
    model.metrics.statistics.compute_output.add(started.elapsed());
    Ok(answer)
}

fn only_input(inputs: Vec<Tensor>) -> Result<Tensor, ApiError> {
    let mut inputs = inputs.into_iter();
    match (inputs.next(), inputs.next()) {
        (Some(input), None) => Ok(input),
        (first, _) => Err(invalid(format!(
            "one input tensor is expected, named \"{}\", and the request has {}",
            onnx::INPUT,
            if first.is_some() { "several" } else { "none" }
        ))),
    }
}

/// Checks a tensor against the model, and normalises its numbers.
///
/// # Errors
/// [`ApiError`] with what was expected and what came.
pub fn prepared(
    model: &Model,
    tensor: Tensor,
    config: &Config,
    deadline: Instant,
    memory: &mut Reservation,
) -> Result<Inputs, ApiError> {
    let manifest = model.manifest();
    check(&tensor, &manifest.input, config.max_windows.get())?;
    if let Values::Bytes(bytes) = &tensor.values {
        memory.grow(bytes.len() as u64)?;
    }
    let values = tensor.values.into_floats();
    let mut decoder = Decoder {
        spec: &manifest.input,
        baseline: manifest.baseline.as_ref(),
        options: &Options::default(),
        most_recording_bytes: 0,
        most_pixels: config.max_image_pixels.get(),
        most_inputs: config.max_windows.get(),
        deadline,
        memory,
    };
    decoder.prepared(values, &[])
}

fn check(tensor: &Tensor, spec: &InputSpec, most: usize) -> Result<(), ApiError> {
    if tensor.name != onnx::INPUT {
        return Err(invalid(format!(
            "the model's input is named \"{}\", and the request has one named {:?}",
            onnx::INPUT,
            shown(&tensor.name)
        )));
    }
    if tensor.datatype != FP32 {
        return Err(invalid(format!(
            "the input's datatype is {FP32}, and the request has {:?}; convert the numbers to 32-bit floats",
            shown(&tensor.datatype)
        )));
    }
    let shape = spec.shape();
    let batch = match &tensor.shape[..] {
        [batch, sizes @ ..] if same(sizes, &shape) => usize::try_from(*batch).unwrap_or(0),
        _ => 0,
    };
    if batch == 0 {
        return Err(invalid(format!(
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
        return Err(invalid(format!(
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

fn invalid(detail: String) -> ApiError {
    ErrorKind::InvalidArgument.because(detail)
}

/// What a client wrote, to be shown to it, but never at length.
fn shown(word: &str) -> String {
    word.chars().take(LONGEST_WORD).collect()
}
