//! The report on a model whose thresholds were found and measured.

use drsn_bundle::Block;
use ndarray::Array2;

use crate::{
    find::{Found, Search},
    report::{BlockReport, Kind, Report},
    verify::BlockValues,
};

/// Largest α that is taken for 1.
const MOST_ALPHA: f32 = 1.01;
/// Largest α that is taken for 0.
const LEAST_ALPHA: f32 = 1e-3;

/// Adds blocks and warnings to a report.
pub(crate) fn describe(
    report: &mut Report,
    search: &Search,
    blocks: &[Block],
    values: &[BlockValues],
) {
    for ((found, block), values) in search.found.iter().zip(blocks).zip(values) {
        let kind = kind(found, block.channels);
        let alpha = extremes(&found.shares(&values.tau, &values.mean_abs));
        let tau = extremes(&values.tau);
        report.warnings.extend(warnings(block, found, tau, alpha));
        report.blocks.push(BlockReport {
            name: block.name.to_string(),
            features: found.features.clone(),
            shrunk: found.shrunk.tensor.clone(),
            threshold: found.tau.tensor.clone(),
            form: found.form,
            kind,
            channels: block.channels,
            tau,
            alpha,
            operators: found.operators.clone(),
        });
    }
    if search.constant > 0 {
        report.warnings.push(format!(
            "{} more thresholds do not depend on the input (as nn.Softshrink): they are served as a \
             part of the network, without outputs of their own",
            search.constant
        ));
    }
}

fn warnings(block: &Block, found: &Found, tau: [f32; 2], alpha: [f32; 2]) -> Vec<String> {
    let name = &block.name;
    let mut warnings = Vec::new();
    let alone = found.share.unwrap_or(alpha);
    if tau[0] < 0.0 || alone[0] < -LEAST_ALPHA {
        warnings.push(format!(
            "{name}: τ can be negative: features then grow and none is zeroed; in a DRSN τ is a share of \
             mean |x|, and this network may have pooled x without |·|"
        ));
    }
    if alpha[1].max(alone[1]) > MOST_ALPHA {
        warnings.push(format!(
            "{name}: τ is no share of the mean magnitude A and can be above it, so that whole channels \
             are zeroed: the product with A may have been lost in the network's program"
        ));
    }
    if found.fails_at_zero {
        warnings.push(format!(
            "{name}: a feature of exactly 0 gives no finite number (a division by |x|): such inputs get \
             an error instead of an answer"
        ));
    }
    if found.is_rounded {
        warnings.push(format!(
            "{name}: features below τ become zero only up to rounding in the model's form of the soft \
             threshold: the share of zeroed features counts those that are exactly zero"
        ));
    }
    warnings
}

fn kind(found: &Found, channels: usize) -> Kind {
    if found.is_shared {
        Kind::Shared
    } else if found.tau.numbers() < channels {
        Kind::Group
    } else {
        Kind::Channel
    }
}

fn extremes(values: &Array2<f32>) -> [f32; 2] {
    values.iter().fold([f32::MAX, f32::MIN], |[low, high], &v| [low.min(v), high.max(v)])
}
