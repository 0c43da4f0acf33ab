//! Names of a model's input, outputs and metadata.

/// Name of the network's input, `[batch, C, L]` or `[batch, C, H, W]`.
pub const INPUT: &str = "input";
/// Name of the output with the class probabilities, `[batch, classes]`.
pub const PROBABILITIES: &str = "probabilities";
/// Name of the output with the input of the softmax, `[batch, classes]`.
pub const LOGITS: &str = "logits";

/// Name of the output with the features before the last layer, `[batch, F]`.
pub const FEATURES: &str = "features";

/// Metadata key of the bundle format, in decimal digits.
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

/// Name of the output with a block's mean magnitudes after shrinkage, `[batch, C]`, in a graph of
/// [`super::with_shrinkage_outputs`].
pub fn mean_abs_after_output(block: &str) -> String {
    format!("mean_abs_after.{block}")
}

/// Name of the output with the share of a block's features that are exactly zero, `[batch, C]`, in
/// a graph of [`super::with_shrinkage_outputs`].
pub fn zeroed_output(block: &str) -> String {
    format!("zeroed.{block}")
}

/// Name of the output with the class activation map, `[batch, classes, …]`, in a graph of
/// [`super::with_class_map`].
pub const CLASS_MAP: &str = "class_map";
