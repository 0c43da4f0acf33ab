//! The network's input: a window of all channels.

use drsn_bundle::{Normalization, SignalSource, SignalSpec};

use crate::recipe::{NormalizationConfig, SignalConfig};

/// The input for recordings of so many channels.
pub(super) fn spec(
    config: &SignalConfig,
    channels: usize,
    sample_rate_hz: Option<f64>,
    source: Option<SignalSource>,
) -> SignalSpec {
    SignalSpec {
        channels,
        window: config.window,
        sample_rate_hz,
        normalization: match config.normalization {
            NormalizationConfig::None => Normalization::None,
            NormalizationConfig::ZScore { epsilon } => Normalization::ZScore { epsilon },
        },
        source,
        padding: config.padding.rule(),
    }
}
