//! The process in which a version is tried.

use std::path::PathBuf;

use drsn_bundle::runtime::{Provider, Runtime, RuntimeError};

use super::{Report, RepositoryError};
use crate::{
    engine::{process, session::ModelSession},
    repository::folder::read_bundle,
};

/// What to try, and within which limits.
#[derive(Debug, clap::Args)]
pub struct TryBundle {
    /// Folder of the bundle
    folder: PathBuf,
    /// Name and version, for messages
    #[arg(long)]
    model: String,
    /// ONNX Runtime's shared library
    #[arg(long)]
    onnxruntime: PathBuf,
    /// Largest batch to run
    #[arg(long)]
    largest_batch: usize,
    /// Memory that the bundle and its session may take
    #[arg(long)]
    memory_bytes: u64,
    /// CPU time
    #[arg(long)]
    seconds: u64,
}

/// Tries a bundle in this process and returns the report as JSON.
///
/// # Errors
/// If the report cannot be written as JSON.
pub(crate) fn try_bundle(tried: &TryBundle) -> anyhow::Result<String> {
    process::be_the_first_to_end();
    let report = match confined(tried) {
        Ok(runtime) => run(tried, &runtime).unwrap_or_else(|error| Report::Refused {
            message: error.to_string(),
            reason: error.public_reason(),
        }),
        Err(error) => Report::Refused {
            message: format!("model {}: it cannot be tried: {error}", tried.model),
            reason: "it cannot be tried; the server's log has the reason".to_owned(),
        },
    };
    Ok(serde_json::to_string(&report)?)
}

/// Loads ONNX Runtime, which is not the model's fault, and then sets the limits.
fn confined(tried: &TryBundle) -> anyhow::Result<Runtime> {
    let runtime = Runtime::start(Some(&tried.onnxruntime))?;
    process::confine(tried.memory_bytes, tried.seconds)?;
    Ok(runtime)
}

fn run(tried: &TryBundle, runtime: &Runtime) -> Result<Report, RepositoryError> {
    let lacks_memory = |error: RepositoryError| {
        if !process::is_lack_of_memory(&error.to_string()) {
            return error;
        }
        let reason = error.public_reason();
        RepositoryError::Memory { model: tried.model.clone(), bytes: tried.memory_bytes, reason }
    };
    let (fingerprint, bundle) = read_bundle(&tried.folder, &tried.model).map_err(lacks_memory)?;
    let failed = |source: RuntimeError| {
        let (model, source) = (tried.model.clone(), Box::new(source));
        lacks_memory(RepositoryError::Runtime { model, source })
    };
    let mut session = ModelSession::open(runtime, &bundle, Provider::Cpu).map_err(failed)?;
    for batch in [1, tried.largest_batch] {
        session.warm_up(batch).map_err(failed)?;
    }
    Ok(Report::Good { fingerprint, peak_bytes: process::peak_memory() })
}
