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
mod normalizations;
mod shrinkage;
mod signal_rows;
mod temperature;

pub use builder::{Attribute, GraphBuilder, attribute, stored_floats, stored_integers, value_info};
pub use check::{check_model, decode};
pub use class_map::with_class_map;
pub use fused::with_fused_shrinkage;
pub use last_layer::LastLayer;
pub use names::{
    CLASS_MAP, FEATURES, INPUT, LOGITS, METADATA_BLOCKS, METADATA_CLASSES, METADATA_FORMAT,
    PROBABILITIES, mean_abs_after_output, mean_abs_output, threshold_output, zeroed_output,
};
pub use normalizations::{BATCH_MEAN, BATCH_VARIANCE, Normalization, Normalizations};
pub use shrinkage::with_shrinkage_outputs;
pub use signal_rows::with_signals_as_rows;
pub use temperature::with_temperature;

use crate::{Block, BundleError};

/// The graph that a CPU computes fastest, with the same inputs and outputs: that of
/// [`with_fused_shrinkage`] and [`with_signals_as_rows`].
///
/// # Errors
/// [`BundleError::Model`] if the bytes are not an ONNX model.
pub fn for_cpu(model: &[u8], blocks: &[Block]) -> Result<Vec<u8>, BundleError> {
    with_signals_as_rows(&with_fused_shrinkage(model, blocks)?)
}

/// The messages of the ONNX format.
#[expect(missing_docs, clippy::pedantic, reason = "generated from proto/onnx.proto")]
pub mod proto {
    include!(concat!(env!("OUT_DIR"), "/onnx.rs"));
}
