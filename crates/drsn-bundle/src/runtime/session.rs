//! A model in ONNX Runtime: prepared inputs in, named outputs out.

use std::fmt;

use ort::{
    ep::cuda::ConvAlgorithmSearch,
    session::{RunOptions, Session as OrtSession, builder::GraphOptimizationLevel},
    value::TensorRef,
};

use super::{
    Runtime, RuntimeError,
    by_size::{self, BySize},
    operators,
    reason::reason,
};

/// Where a session computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// The processor, on the calling thread.
    Cpu,
    /// An NVIDIA device, by its number.
    Cuda(u32),
}

impl Provider {
    /// Sizes in which batches of up to `largest` inputs are best run, ascending; the processor takes all others as well.
    pub fn batch_sizes(self, largest: usize) -> Vec<usize> {
        match self {
            Self::Cpu => vec![1, largest],
            Self::Cuda(_) => by_size::ladder(largest),
        }
    }

    /// ONNX Runtime's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "CPUExecutionProvider",
            Self::Cuda(_) => "CUDAExecutionProvider",
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(device) => write!(f, "cuda:{device}"),
        }
    }
}

/// One output of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedTensor {
    /// Name of the graph's output.
    pub name: String,
    /// Sizes, the batch first.
    pub shape: Vec<usize>,
    /// Elements in row-major order.
    pub data: Vec<f32>,
}

/// A model loaded into ONNX Runtime. One thread owns it: running needs `&mut`.
#[derive(Debug)]
pub struct Session {
    engine: Engine,
    provider: Provider,
    /// Sizes of one input, without the batch.
    input_shape: Vec<usize>,
}

#[derive(Debug)]
enum Engine {
    /// One session for batches of any size.
    Any(OrtSession),
    /// A session for each size.
    BySize(BySize),
}

impl Session {
    /// Loads a model's bytes for one provider; `input_shape` has the sizes of one input, without the batch.
    ///
    /// Computes on the calling thread: one session a core, each with its own thread, is faster than one session
    /// with many threads for networks of this size.
    ///
    /// # Errors
    /// [`RuntimeError::Device`] where the provider cannot be used (it never falls back to another), and
    /// [`RuntimeError::Load`] where the model is refused.
    pub fn open(
        runtime: &Runtime,
        model: &[u8],
        input_shape: &[usize],
        provider: Provider,
    ) -> Result<Self, RuntimeError> {
        let engine = match provider {
            Provider::Cpu => Engine::Any(load(runtime, model, provider)?),
            Provider::Cuda(_) => Engine::BySize(BySize::open(runtime, model, provider)?),
        };
        Ok(Self { engine, provider, input_shape: input_shape.to_vec() })
    }

    /// Where it computes.
    pub fn provider(&self) -> Provider {
        self.provider
    }

    /// Runs `batch` prepared inputs, `[batch, …]` in row-major order, and returns every output.
    ///
    /// # Errors
    /// [`RuntimeError::Run`] where the runtime fails or an output is not of 32-bit floats.
    pub fn run(&mut self, input: &[f32], batch: usize) -> Result<Vec<NamedTensor>, RuntimeError> {
        let (session, input, rows) = match &mut self.engine {
            Engine::Any(session) => (session, input, batch),
            Engine::BySize(sessions) => sessions.fitting(input, batch)?,
        };
        let tensor = tensor(&self.input_shape, input, rows)?;
        let outputs = session.run(ort::inputs![tensor]).map_err(failed)?;
        let mut tensors = Vec::with_capacity(outputs.len());
        for (name, value) in &outputs {
            let (sizes, data) = value.try_extract_tensor::<f32>().map_err(failed)?;
            let mut shape: Vec<usize> = sizes.iter().map(|&size| size as usize).collect();
            let row: usize = shape.iter().skip(1).product();
            // Beyond the batch are answers to what it was filled up with.
            if let Some(rows) = shape.first_mut() {
                *rows = batch.min(*rows);
            }
            let kept = data.len().min(batch * row);
            tensors.push(NamedTensor { name: name.to_owned(), shape, data: data[..kept].to_vec() });
        }
        Ok(tensors)
    }

    /// Runs zeros in batches of these sizes, ascending, so that no request pays for what is done once. On a GPU, batches
    /// are filled up to the next of these sizes from now on.
    ///
    /// # Errors
    /// [`RuntimeError`] where the runtime fails.
    pub fn warm_up(&mut self, sizes: &[usize]) -> Result<(), RuntimeError> {
        if let Engine::BySize(sessions) = &mut self.engine {
            sessions.choose(sizes);
        }
        let elements = self.input_shape.iter().product::<usize>();
        for &batch in sizes {
            self.run(&vec![0.0; batch * elements], batch)?;
        }
        Ok(())
    }

    /// Runs one input of zeros and gives back what larger batches before it left allocated, on the processor.
    ///
    /// # Errors
    /// [`RuntimeError::Run`] where the runtime fails.
    pub fn give_back_memory(&mut self) -> Result<(), RuntimeError> {
        let Engine::Any(session) = &mut self.engine else { return Ok(()) };
        let zeros = vec![0_f32; self.input_shape.iter().product()];
        let mut options = RunOptions::new().map_err(failed)?;
        options.set("memory.enable_memory_arena_shrinkage", "cpu:0").map_err(failed)?;
        let tensor = tensor(&self.input_shape, &zeros, 1)?;
        session.run_with_options(ort::inputs![tensor], &options).map_err(failed)?;
        Ok(())
    }
}

/// A batch of inputs of this shape, as the runtime takes it.
fn tensor<'i>(
    input_shape: &[usize],
    input: &'i [f32],
    batch: usize,
) -> Result<TensorRef<'i, f32>, RuntimeError> {
    let mut shape = Vec::with_capacity(1 + input_shape.len());
    shape.push(batch);
    shape.extend_from_slice(input_shape);
    TensorRef::from_array_view((shape, input)).map_err(failed)
}

#[expect(clippy::needless_pass_by_value, reason = "as map_err calls it")]
fn failed(error: ort::Error) -> RuntimeError {
    RuntimeError::Run { reason: reason(&error) }
}

pub(super) fn load(
    runtime: &Runtime,
    model: &[u8],
    provider: Provider,
) -> Result<OrtSession, RuntimeError> {
    fn refused(e: impl Into<ort::Error>) -> RuntimeError {
        RuntimeError::Load { reason: reason(&e.into()) }
    }
    let builder = OrtSession::builder(&runtime.environment)
        .map_err(refused)?
        .with_optimization_level(GraphOptimizationLevel::Level3)
        .map_err(refused)?
        .with_intra_threads(1)
        .map_err(refused)?
        .with_intra_op_spinning(false)
        .map_err(refused)?;
    let mut builder = match provider {
        Provider::Cpu => {
            let operators = operators::domain().map_err(refused)?;
            builder.with_operators(operators).map_err(refused)?
        }
        Provider::Cuda(device) => {
            let cuda = ort::ep::CUDA::default()
                .with_device_id(i32::try_from(device).unwrap_or(i32::MAX))
                // 19 bits of mantissa instead of 24 would not give the golden outputs.
                .with_tf32(false)
                // Trying every algorithm takes six times as long at the start, and gains nothing up to 64 (docs/results.md).
                .with_conv_algorithm_search(ConvAlgorithmSearch::Heuristic)
                .build()
                .error_on_failure();
            builder
                .with_execution_providers([cuda])
                .map_err(|e| RuntimeError::Device {
                    device: provider.to_string(),
                    reason: reason(&e.into()),
                })?
                // A node that CUDA cannot run is an error, not a silent trip to the processor and back.
                .with_disable_cpu_fallback()
                .map_err(refused)?
        }
    };
    builder.commit_from_memory(model).map_err(refused)
}
