//! The contract between the two programs: `drsn-train` writes bundles, `drsn-serve` reads them.
//!
//! ```text
//! models/<name>/<version>/   manifest.json   the model, the preparation of its input, its training
//!                            model.onnx      the network, with its thresholds as named outputs
//!                            golden.json     a few inputs with their outputs, for a self-check
//! ```
//!
//! # Layout
//!
//! * [`manifest`]: `manifest.json` as one typed structure.
//! * [`architecture`]: the dimensions of the network.
//! * [`input`]: a network's input, and its preparation from raw pixels and samples, shared by
//!   training and serving.
//! * [`baseline`]: the distribution of unchanged inputs, and how unusual a new one is.
//! * [`golden`]: inputs with their outputs, and the tolerance between engines.
//! * [`onnx`]: building and checking the graph, and the second graph that counts zeroed features.
//! * [`files`]: reading regular files of bounded length, and telling those that systems leave.
//! * [`bundle`]: opening a bundle with every check, and writing one atomically.
//! * [`runtime`]: finding ONNX Runtime, running a graph in it, the golden self-check.
//! * [`staging`]: writing files and folders whole, so that nobody ever reads half of one.
//! * [`wire`]: the memory that a message of protobuf needs once it is decoded.
//! * [`vectorized!`]: functions compiled for several sets of vector instructions.

pub mod architecture;
pub mod baseline;
pub mod bundle;
mod calibration;
mod error;
pub mod files;
pub mod golden;
pub mod input;
mod lanes;
pub mod manifest;
mod name;
pub mod onnx;
pub mod runtime;
pub mod staging;
mod vectorized;
pub mod wire;

/// For [`vectorized!`].
#[doc(hidden)]
pub use pulp;

pub use architecture::{Architecture, ShrinkageFunction, Stage, Stem, Unit, same_padding};
pub use baseline::{Baseline, BaselineError};
pub use bundle::{Bundle, rewrite, update_manifest, write};
pub use calibration::Calibration;
pub use error::BundleError;
pub use golden::{Golden, Mismatch, Tensor, Tolerance};
pub use input::{
    Filter, Geometry, ImageError, ImageSpec, InputSpec, Normalization, Padding, PaddingError,
    PrepareError, SignalSource, SignalSpec,
};
pub use manifest::{
    AccuracyByStatistics, Block, Epoch, Evaluation, Features, Manifest, Origin, ThresholdKind,
    Training,
};
pub use name::Name;
