//! Noise given by its signal-to-noise ratios.

use anyhow::Context as _;
use drsn_train::recipe::{Noise, NoiseKind, NoiseStrength};

/// Parses Gaussian noises by their decibels: a range such as -5..5, in steps of 5, or a list such
/// as -5,0,5.
pub(crate) fn noises_by_snr(text: &str) -> anyhow::Result<Vec<Noise>> {
    const STEP: i32 = 5;
    let wrong = || format!("--snr {text}: expected a range such as -5..5 or a list such as -5,0,5");
    let gaussian = |decibels: f64| Noise {
        kind: NoiseKind::Gaussian,
        strength: NoiseStrength::SnrDb(decibels),
    };
    if let Some((from, to)) = text.split_once("..") {
        let (from, to): (i32, i32) =
            (from.parse().with_context(wrong)?, to.parse().with_context(wrong)?);
        anyhow::ensure!((-200..=200).contains(&from) && (from..=200).contains(&to), wrong());
        let steps = (from..=to).rev().step_by(STEP as usize);
        return Ok(steps.map(|decibels| gaussian(f64::from(decibels))).collect());
    }
    text.split(',').map(|part| Ok(gaussian(part.trim().parse().with_context(wrong)?))).collect()
}
