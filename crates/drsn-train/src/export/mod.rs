//! Export of a trained network: its ONNX graph, the comparison of both, and the bundle.

mod blocks;
mod bundle;
mod destination;
mod environment;
mod error;
mod fold;
mod golden;
mod graph;
mod parity;
mod temperature;

pub use blocks::blocks;
pub(crate) use bundle::{Trained, write_bundle};
pub use destination::Destination;
pub use error::ExportError;
pub use graph::to_onnx;
pub use parity::{compare, network_outputs};
pub(crate) use temperature::calibrated;
