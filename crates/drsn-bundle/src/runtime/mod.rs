//! ONNX Runtime: finding the shared library, running a graph in it, and the golden self-check.

mod buckets;
mod library;
mod load;
mod operators;
mod provider;
mod reason;
mod self_check;
mod session;

pub use library::{LIBRARY_NAME, Runtime};
pub use provider::Provider;
pub use self_check::self_check;
pub use session::{NamedTensor, Outputs, Session, Stopper};

use std::path::PathBuf;

use crate::Mismatch;

/// An error of ONNX Runtime, or of finding it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuntimeError {
    /// No library was found in any of the places searched.
    #[error(
        "ONNX Runtime was not found: run `cargo xtask onnxruntime`, or set ORT_DYLIB_PATH to \
         {LIBRARY_NAME} (searched {})",
        searched.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ")
    )]
    NotFound {
        /// The paths that were tried.
        searched: Vec<PathBuf>,
    },
    /// The given library does not exist.
    #[error("{by} names {path:?} as ONNX Runtime's library, but there is no such file")]
    NoSuchLibrary {
        /// The flag or environment variable that names it.
        by: &'static str,
        /// The path.
        path: PathBuf,
    },
    /// The library exists but cannot be used.
    #[error(
        "ONNX Runtime at {} cannot be used: {reason}; run `cargo xtask onnxruntime` to obtain one \
         that works",
        path.display()
    )]
    Unusable {
        /// The library.
        path: PathBuf,
        /// The message of the system or the runtime.
        reason: String,
    },
    /// The requested device does not exist, or the library was built without support for it.
    #[error(
        "the device {device} cannot be used: {reason}; choose another with --device, such as cpu \
         or auto"
    )]
    Device {
        /// The device, as `cuda:0`.
        device: String,
        /// The message of the runtime.
        reason: String,
    },
    /// The runtime rejected the model.
    #[error("ONNX Runtime cannot load model.onnx: {reason}")]
    Load {
        /// The message of the runtime.
        reason: String,
    },
    /// The runtime failed while it ran the model.
    #[error("ONNX Runtime failed: {reason}")]
    Run {
        /// The message of the runtime.
        reason: String,
    },
    /// The model does not reproduce its golden outputs on this machine.
    #[error(
        "the model does not reproduce its golden output \"{output}\" on {provider}: {mismatch}"
    )]
    SelfCheck {
        /// Name of the output.
        output: String,
        /// The execution provider.
        provider: String,
        /// The first difference.
        mismatch: Mismatch,
    },
    /// The model did not return an output.
    #[error("the model returned no output \"{output}\"")]
    MissingOutput {
        /// Name of the output.
        output: String,
    },
}
