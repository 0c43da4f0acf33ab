//! A model in ONNX Runtime: prepared inputs in, named outputs out.

use std::fmt;

use ort::{
    session::{RunOptions, Session as OrtSession, builder::GraphOptimizationLevel},
    value::TensorRef,
};

use super::{Runtime, RuntimeError};

/// Where a session computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// The processor, on the calling thread.
    Cpu,
    /// An NVIDIA device, by its number.
    Cuda(u32),
}

impl Provider {
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
    inner: OrtSession,
    provider: Provider,
    /// Sizes of one input, without the batch.
    input_shape: Vec<usize>,
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
        let inner = load(runtime, model, provider)?;
        Ok(Self { inner, provider, input_shape: input_shape.to_vec() })
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
        let mut shape = Vec::with_capacity(1 + self.input_shape.len());
        shape.push(batch);
        shape.extend_from_slice(&self.input_shape);
        let tensor = TensorRef::from_array_view((shape, input)).map_err(failed)?;
        let outputs = self.inner.run(ort::inputs![tensor]).map_err(failed)?;
        let mut tensors = Vec::with_capacity(outputs.len());
        for (name, value) in &outputs {
            let (sizes, data) = value.try_extract_tensor::<f32>().map_err(failed)?;
            tensors.push(NamedTensor {
                name: name.to_owned(),
                shape: sizes.iter().map(|&size| size as usize).collect(),
                data: data.to_vec(),
            });
        }
        Ok(tensors)
    }

    /// Runs one input of zeros and gives back what larger batches before it left allocated, on the processor.
    ///
    /// # Errors
    /// [`RuntimeError::Run`] where the runtime fails.
    pub fn give_back_memory(&mut self) -> Result<(), RuntimeError> {
        if self.provider != Provider::Cpu {
            return Ok(());
        }
        let mut shape = vec![1];
        shape.extend_from_slice(&self.input_shape);
        let zeros = vec![0_f32; shape.iter().product()];
        let tensor = TensorRef::from_array_view((shape, &zeros[..])).map_err(failed)?;
        let mut options = RunOptions::new().map_err(failed)?;
        options.set("memory.enable_memory_arena_shrinkage", "cpu:0").map_err(failed)?;
        self.inner.run_with_options(ort::inputs![tensor], &options).map_err(failed)?;
        Ok(())
    }
}

#[expect(clippy::needless_pass_by_value, reason = "as map_err calls it")]
fn failed(error: ort::Error) -> RuntimeError {
    RuntimeError::Run { reason: error.to_string() }
}

fn load(runtime: &Runtime, model: &[u8], provider: Provider) -> Result<OrtSession, RuntimeError> {
    fn refused(e: impl fmt::Display) -> RuntimeError {
        RuntimeError::Load { reason: e.to_string() }
    }
    let mut builder = OrtSession::builder(&runtime.environment)
        .map_err(refused)?
        .with_optimization_level(GraphOptimizationLevel::Level3)
        .map_err(refused)?
        .with_intra_threads(1)
        .map_err(refused)?
        .with_intra_op_spinning(false)
        .map_err(refused)?;
    if let Provider::Cuda(device) = provider {
        let cuda = ort::ep::CUDA::default()
            .with_device_id(i32::try_from(device).unwrap_or(i32::MAX))
            // 19 bits of mantissa instead of 24 would not give the golden outputs.
            .with_tf32(false)
            .build()
            .error_on_failure();
        builder = builder
            .with_execution_providers([cuda])
            .map_err(|e| RuntimeError::Device {
                device: provider.to_string(),
                reason: e.to_string().trim_end_matches('.').to_owned(),
            })?
            // A node that CUDA cannot run is an error, not a silent trip to the processor and back.
            .with_disable_cpu_fallback()
            .map_err(refused)?;
    }
    builder.commit_from_memory(model).map_err(refused)
}
