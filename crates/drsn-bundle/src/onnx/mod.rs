//! ONNX models as data: building, checking, and deriving other graphs from them.
//!
//! Only the parts of ONNX that a DRSN needs are supported. `check` rejects all others by name, so
//! nothing is lost between reading and writing a model.

mod builder;
mod check;
mod class_map;
pub(crate) mod fused;
mod last_layer;
pub(crate) mod names;
mod shrinkage;
mod temperature;

pub use builder::{Attribute, GraphBuilder, attribute, value_info};
pub use check::{check_model, decode};
pub use class_map::with_class_map;
pub use fused::with_fused_shrinkage;
pub use last_layer::LastLayer;
pub use names::{
    CLASS_MAP, FEATURES, INPUT, LOGITS, METADATA_BLOCKS, METADATA_CLASSES, METADATA_FORMAT,
    PROBABILITIES, mean_abs_after_output, mean_abs_output, threshold_output, zeroed_output,
};
pub use shrinkage::with_shrinkage_outputs;
pub use temperature::with_temperature;

/// The messages of the ONNX format.
#[expect(missing_docs, clippy::pedantic, reason = "generated from proto/onnx.proto")]
pub mod proto {
    include!(concat!(env!("OUT_DIR"), "/onnx.rs"));
}
