//! Checks of the data, its split and its windows.

use super::{Checked, positive, ranges};
use crate::recipe::{
    Axis, WindowConfig,
    data::{DataConfig, MAX_SKIPPED_LINES, NormalizationConfig, SignalConfig, Split},
};
use drsn_recording::MAX_CHANNELS;

impl DataConfig {
    pub(super) fn check(&self) -> Checked {
        match self {
            Self::Idx(set) | Self::Cifar10(set) => {
                ranges(&[("data.held_out", set.held_out, 1, 1_000_000)])
            }
            Self::Images(images) => {
                ranges(&[
                    ("data.height", images.height, 1, 4_096),
                    ("data.width", images.width, 1, 4_096),
                ])?;
                if !matches!(images.channels, 1 | 3) {
                    return Err(format!("data.channels must be 1 or 3, got {}", images.channels));
                }
                images.split.check()
            }
            Self::Signals(signals) => signals.check(),
            Self::Windows(windows) => windows.check(),
        }
    }
}

impl SignalConfig {
    pub(super) fn check(&self) -> Checked {
        ranges(&[
            ("data.window", self.window, 1, 1 << 24),
            ("data.hop", self.hop, 1, 1 << 24),
            ("data.test_hop", self.test_hop.unwrap_or(1), 1, 1 << 24),
            ("data.skip_lines", self.skip_lines.unwrap_or(0), 0, MAX_SKIPPED_LINES),
        ])?;
        if let Some(rate) = self.sample_rate_hz {
            positive(&[("data.sample_rate_hz", rate)])?;
        } else if self.resample {
            let reason = "data.resample requires data.sample_rate_hz, the rate to resample to";
            return Err(reason.to_owned());
        }
        if let NormalizationConfig::ZScore { epsilon } = self.normalization {
            positive(&[("data.normalization.epsilon", epsilon)])?;
        }
        self.split.check()
    }
}

impl WindowConfig {
    pub(super) fn check(&self) -> Checked {
        ranges(&[
            ("data.window", self.window, 1, 1 << 24),
            ("data.channels", self.channels.unwrap_or(1), 1, MAX_CHANNELS),
        ])?;
        if let Some(axes) = &self.axes {
            Axis::parse(axes)?;
        }
        if let Some(rate) = self.sample_rate_hz {
            positive(&[("data.sample_rate_hz", rate)])?;
        }
        if let NormalizationConfig::ZScore { epsilon } = self.normalization {
            positive(&[("data.normalization.epsilon", epsilon)])?;
        }
        let twice = |name: &&String| self.classes.iter().filter(|other| other == name).count() > 1;
        if let Some(name) = self.classes.iter().find(twice) {
            return Err(format!("data.classes names the class \"{name}\" twice"));
        }
        if matches!(self.split, Split::Time { .. }) {
            return Err("windows that were cut beforehand cannot be split in time: split them by \
                        group, list or at random"
                .to_owned());
        }
        self.split.check()
    }
}

fn share(name: &str, share: f64) -> Checked {
    if (0.0..1.0).contains(&share) {
        return Ok(());
    }
    Err(format!("data.split.{name} must be at least 0 and below 1, got {share}"))
}

impl Split {
    pub(super) fn check(&self) -> Checked {
        match self {
            Self::Time { training, held_out } => {
                share("training", *training)?;
                share("held_out", *held_out)?;
                if *training <= 0.0 || *held_out <= 0.0 || training + held_out > 1.0 {
                    return Err(format!(
                        "data.split.training and data.split.held_out must be above 0 and at most 1 \
                         together, got {training} and {held_out}"
                    ));
                }
                Ok(())
            }
            Self::Group { held_out_share, held_out, .. } => {
                share("held_out_share", *held_out_share)?;
                if held_out.is_empty() && *held_out_share <= 0.0 {
                    let reason = "data.split requires held_out groups or a held_out_share";
                    return Err(reason.to_owned());
                }
                Ok(())
            }
            Self::List { held_out_share } => share("held_out_share", *held_out_share),
            Self::Random { held_out, test } => {
                share("held_out", *held_out)?;
                share("test", *test)?;
                if *held_out <= 0.0 || held_out + test >= 1.0 {
                    return Err(format!(
                        "data.split.held_out must be above 0, and below 1 together with \
                         data.split.test, got {held_out} and {test}"
                    ));
                }
                Ok(())
            }
        }
    }
}
