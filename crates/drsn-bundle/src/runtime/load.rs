//! Loading a model into ONNX Runtime for one execution provider.

use ort::{
    Error,
    ep::cuda::ConvAlgorithmSearch,
    session::{
        Session,
        builder::{GraphOptimizationLevel, SessionBuilder},
    },
};

use super::{Provider, Runtime, RuntimeError, operators, reason::reason};

/// Loads a model's bytes. The session computes on the calling thread.
pub(super) fn load(
    runtime: &Runtime,
    model: &[u8],
    provider: Provider,
) -> Result<Session, RuntimeError> {
    load_at(runtime, model, provider, GraphOptimizationLevel::Level3)
}

/// Loads a model's bytes for the CPU, which computes every node as it is written.
pub(super) fn load_as_written(runtime: &Runtime, model: &[u8]) -> Result<Session, RuntimeError> {
    load_at(runtime, model, Provider::Cpu, GraphOptimizationLevel::Disable)
}

fn load_at(
    runtime: &Runtime,
    model: &[u8],
    provider: Provider,
    level: GraphOptimizationLevel,
) -> Result<Session, RuntimeError> {
    let builder = Session::builder(&runtime.environment)
        .map_err(refused)?
        .with_optimization_level(level)
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
        Provider::Cuda(device) => with_cuda(builder, device)?,
    };
    builder.commit_from_memory(model).map_err(refused)
}

fn with_cuda(builder: SessionBuilder, device: u32) -> Result<SessionBuilder, RuntimeError> {
    let cuda = ort::ep::CUDA::default()
        .with_device_id(i32::try_from(device).unwrap_or(i32::MAX))
        // With 10 bits of mantissa in place of 23, golden outputs would not match.
        .with_tf32(false)
        // Trying every algorithm makes the start six times as long, without a gain up to batches of
        // 64 (docs/results/serving.md).
        .with_conv_algorithm_search(ConvAlgorithmSearch::Heuristic)
        .build()
        .error_on_failure();
    builder
        .with_execution_providers([cuda])
        .map_err(|e| RuntimeError::Device {
            device: Provider::Cuda(device).to_string(),
            reason: reason(&e.into()),
        })?
        // A node that CUDA cannot run is an error, not a silent round trip to the CPU.
        .with_disable_cpu_fallback()
        .map_err(refused)
}

fn refused(error: impl Into<Error>) -> RuntimeError {
    RuntimeError::Load { reason: reason(&error.into()) }
}
