//! ONNX models as data: building, checking, and deriving other graphs from them.
//!
//! Only the parts of ONNX that a DRSN needs are supported. `check` rejects all others by name, so
//! nothing is lost between reading and writing a model.

mod builder;
mod check;
pub(crate) mod fused;
mod last_layer;
pub(crate) mod names;
mod zeroed;

pub use builder::{Attribute, GraphBuilder, attribute, value_info};
pub use check::{check_model, decode};
pub use fused::with_fused_shrinkage;
pub use last_layer::LastLayer;
pub use names::{
    FEATURES, INPUT, LOGITS, METADATA_BLOCKS, METADATA_CLASSES, METADATA_FORMAT, PROBABILITIES,
    mean_abs_output, threshold_output,
};
pub use zeroed::{with_zeroed_outputs, zeroed_output};

/// The messages of the ONNX format.
#[expect(missing_docs, clippy::pedantic, reason = "generated from proto/onnx.proto")]
pub mod proto {
    include!(concat!(env!("OUT_DIR"), "/onnx.rs"));
}
