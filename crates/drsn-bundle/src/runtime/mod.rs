//! ONNX Runtime: finding the shared library, running a graph in it, and the golden self-check.

mod by_size;
mod library;
mod operators;
mod reason;
mod self_check;
mod session;

pub use library::{LIBRARY_NAME, Runtime};
pub use self_check::self_check;
pub use session::{NamedTensor, Provider, Session};

use std::path::PathBuf;

use crate::Mismatch;

/// What can go wrong between this process and ONNX Runtime.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuntimeError {
    /// No library was found at any of the places where it is looked for.
    #[error(
        "ONNX Runtime was not found: run `cargo xtask onnxruntime`, or set ORT_DYLIB_PATH to {LIBRARY_NAME} (looked for {})",
        looked_for.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ")
    )]
    NotFound {
        /// The paths that were tried.
        looked_for: Vec<PathBuf>,
    },
    /// The library that was named is not there.
    #[error("{by} names {path:?} as ONNX Runtime's library, and there is no such file")]
    NoSuchLibrary {
        /// Who named it: a flag or a variable.
        by: &'static str,
        /// The path.
        path: PathBuf,
    },
    /// The library is there and cannot be used.
    #[error(
        "ONNX Runtime at {} cannot be used: {reason}; run `cargo xtask onnxruntime` for a library that can", path.display()
    )]
    Unusable {
        /// The library.
        path: PathBuf,
        /// What the system or the runtime said.
        reason: String,
    },
    /// The device that was asked for is not there, or the library was built without it.
    #[error(
        "the device {device} cannot be used: {reason}; take another with --device, as cpu or auto"
    )]
    Device {
        /// The device, as `cuda:0`.
        device: String,
        /// What the runtime said.
        reason: String,
    },
    /// The runtime refused the model.
    #[error("ONNX Runtime cannot load model.onnx: {reason}")]
    Load {
        /// What the runtime said.
        reason: String,
    },
    /// The runtime failed while it ran the model.
    #[error("ONNX Runtime failed: {reason}")]
    Run {
        /// What the runtime said.
        reason: String,
    },
    /// The model does not give its golden outputs on this machine.
    #[error("the model does not give its golden output \"{output}\" on {provider}: {mismatch}")]
    SelfCheck {
        /// Name of the output.
        output: String,
        /// The execution provider it was run on.
        provider: String,
        /// The first difference.
        mismatch: Mismatch,
    },
    /// The runtime gave an output that the golden data has not, or the other way round.
    #[error("the model gave no output \"{output}\"")]
    MissingOutput {
        /// Name of the output.
        output: String,
    },
}
