//! Checks of the network.

use super::{Checked, not_negative, positive, ranges};
use crate::recipe::{FrontEndConfig, LogMelConfig, network::NetworkConfig};

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
        if let Some(FrontEndConfig::LogMel(log_mel)) = &self.front_end {
            log_mel.check()?;
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

impl LogMelConfig {
    fn check(&self) -> Checked {
        ranges(&[
            ("network.front_end.frame", self.frame, 4, 1 << 14),
            ("network.front_end.hop", self.hop, 1, self.frame),
            ("network.front_end.bands", self.bands, 1, 512),
        ])?;
        not_negative(&[("network.front_end.low_hz", self.low_hz)])?;
        positive(&[("network.front_end.floor", self.floor)])?;
        if self.floor >= 1.0 {
            let reason = "network.front_end.floor must be below 1, the power of white noise";
            return Err(format!("{reason}, got {}", self.floor));
        }
        self.high_hz.map_or(Ok(()), |high| positive(&[("network.front_end.high_hz", high)]))
    }
}
