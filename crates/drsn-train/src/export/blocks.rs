//! The blocks of a network, for its manifest.

use drsn_bundle::{
    Block, BundleError, Name, ThresholdKind, Unit,
    onnx::{mean_abs_output, threshold_output},
};

use super::graph::shrunk_tensor;
use crate::model::Drsn;

/// The manifest's entries for a network's blocks; empty if the units have no thresholds.
///
/// # Errors
/// [`BundleError`] if a unit's name is not a valid block name.
pub fn blocks(network: &Drsn, unit: Unit) -> Result<Vec<Block>, BundleError> {
    let threshold = match unit {
        Unit::Cw => ThresholdKind::ChannelWise,
        Unit::Cs => ThresholdKind::ChannelShared,
        Unit::Se | Unit::Resnet => return Ok(Vec::new()),
    };
    let block = |name: String, channels| {
        Ok(Block {
            channels,
            threshold,
            threshold_output: threshold_output(&name),
            mean_abs_output: mean_abs_output(&name),
            shrunk_tensor: shrunk_tensor(&name),
            name: Name::new(name)?,
        })
    };
    network.units().map(|(name, unit)| block(name, unit.channels())).collect()
}
