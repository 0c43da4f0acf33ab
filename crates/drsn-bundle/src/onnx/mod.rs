//! ONNX models as data: building them node by node, checking them, deriving a second graph from them.
//!
//! Only what a DRSN needs is understood; `check` refuses the rest by name, so that nothing is lost
//! between reading and writing a model.

mod builder;
mod check;
pub(crate) mod fused;
mod zeroed;

pub use builder::{Attribute, GraphBuilder};
pub use check::check_model;
pub use fused::with_fused_shrinkage;
pub use zeroed::{with_zeroed_outputs, zeroed_output};

#[expect(unreachable_pub, clippy::pedantic, reason = "generated from proto/onnx.proto")]
pub(crate) mod proto {
    include!(concat!(env!("OUT_DIR"), "/onnx.rs"));
}

/// Name of the network's input, `[batch, C, L]` or `[batch, C, H, W]`.
pub const INPUT: &str = "input";
/// Name of the output with the class probabilities, `[batch, classes]`.
pub const PROBABILITIES: &str = "probabilities";
/// Name of the output with the values before the softmax, `[batch, classes]`.
pub const LOGITS: &str = "logits";

/// Metadata key of the bundle format, a number in decimal digits.
pub const METADATA_FORMAT: &str = "drsn.format";
/// Metadata key of the class labels, a JSON list.
pub const METADATA_CLASSES: &str = "drsn.classes";
/// Metadata key of the block names, a JSON list.
pub const METADATA_BLOCKS: &str = "drsn.blocks";

/// Name of the output with a block's thresholds τ.
pub fn threshold_output(block: &str) -> String {
    format!("threshold.{block}")
}

/// Name of the output with a block's mean magnitudes A before shrinkage.
pub fn mean_abs_output(block: &str) -> String {
    format!("mean_abs.{block}")
}
