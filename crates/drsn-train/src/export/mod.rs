//! Export: the trained network as an ONNX graph, proven and put into a bundle.

mod bundle;
mod fold;
mod graph;
mod parity;

pub use bundle::{Destination, Trained, blocks, write_bundle};
pub use graph::{shrunk_tensor, to_onnx};
pub use parity::{compare, network_outputs};
