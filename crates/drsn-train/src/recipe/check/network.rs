//! Checks of the network.

use super::{Checked, positive, ranges};
use crate::recipe::network::NetworkConfig;

impl NetworkConfig {
    pub(super) fn check(&self) -> Checked {
        ranges(&[
            ("network.stem.channels", self.stem.channels, 1, 4_096),
            ("network.stem.kernel", self.stem.kernel, 1, 1_024),
            ("network.stem.stride", self.stem.stride, 1, 64),
            ("network.stages", self.stages.len(), 1, 100),
            ("network.kernel", self.kernel, 1, 64),
            ("network.threshold_reduction", self.threshold_reduction, 1, 4_096),
        ])?;
        positive(&[("network.norm_epsilon", self.norm_epsilon)])?;
        if !(0.0..1.0).contains(&self.norm_momentum) {
            return Err(format!(
                "network.norm_momentum must be at least 0 and below 1, got {}",
                self.norm_momentum
            ));
        }
        let mut width = self.stem.channels;
        for (index, stage) in self.stages.iter().enumerate() {
            let field = |name: &str| format!("network.stages[{index}].{name}");
            ranges(&[
                (&field("channels"), stage.channels, 1, 4_096),
                (&field("blocks"), stage.blocks, 1, 1_000),
                (&field("stride"), stage.stride, 1, 64),
            ])?;
            if stage.channels < width {
                return Err(format!(
                    "network.stages[{index}].channels must be at least {width}, the channels of \
                     the layer before it, got {}: a shortcut can add channels but not remove them",
                    stage.channels
                ));
            }
            width = stage.channels;
        }
        Ok(())
    }
}
