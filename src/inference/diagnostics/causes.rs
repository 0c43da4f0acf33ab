//! The causes of alarms: what moved, and where.

use std::iter;

use drsn_bundle::{
    Manifest,
    baseline::{Contribution, InputShift, LevelCause, WindowsShift, most_likely},
};
use serde::Serialize;

use super::{changes::Change, reader::Reading};

/// A judgement, with the causes of its alarm.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Caused<J, C> {
    #[serde(flatten)]
    pub(crate) judged: J,
    /// The causes, the most important first; empty without an alarm.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) causes: Vec<C>,
}

/// A channel of a block that makes an input's shift unusual.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct ShiftCause<'a> {
    /// Name of the block.
    pub(crate) block: &'a str,
    /// Position of the channel in the block, from 0.
    pub(crate) channel: usize,
    /// Its mean magnitude minus that of training, in standard deviations of training.
    pub(crate) z: f64,
    /// Its share of the squared distance of all mean magnitudes.
    pub(crate) share: f64,
}

/// How far an input lies from the training data.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(untagged)]
pub(crate) enum Shift {
    /// For an image, or a recording of one window.
    Input(InputShift),
    /// For a recording of several windows.
    Windows(WindowsShift),
}

/// How far an input lies from the training data, why, and where a long recording changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct ShiftAnswer<'a> {
    #[serde(flatten)]
    pub(crate) caused: Caused<Shift, ShiftCause<'a>>,
    /// Empty for an input of one window, and if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) changes: Vec<Change>,
}

impl Shift {
    pub(crate) fn alarm(self) -> bool {
        match self {
            Self::Input(shift) => shift.alarm,
            Self::Windows(shift) => shift.alarm,
        }
    }
}

impl<J, C> Caused<J, C> {
    /// Finds the causes if there is an alarm.
    pub(crate) fn new(judged: J, alarm: bool, causes: impl FnOnce() -> Vec<C>) -> Self {
        Self { judged, causes: if alarm { causes() } else { Vec::new() } }
    }
}

/// The channels that make these mean magnitudes of all blocks unusual.
pub(crate) fn shift_causes<'a>(manifest: &'a Manifest, mean_abs: &[f32]) -> Vec<ShiftCause<'a>> {
    let Some(baseline) = &manifest.baseline else { return Vec::new() };
    let named = |Contribution { dimension, z, share }: Contribution| {
        let channels = |block: &'a drsn_bundle::Block| {
            iter::repeat_n(block.name.as_str(), block.channels).zip(0..)
        };
        let (block, channel) = manifest.blocks.iter().flat_map(channels).nth(dimension)?;
        Some(ShiftCause { block, channel, z, share })
    };
    baseline.shift_causes(mean_abs).into_iter().filter_map(named).collect()
}

impl Reading<'_> {
    /// The channels that make the input's shift unusual.
    pub(super) fn shift_causes<'a>(&self, manifest: &'a Manifest) -> Vec<ShiftCause<'a>> {
        let rows = self.outputs.blocks.iter().map(|block| block.mean_abs.row(self.row));
        shift_causes(manifest, &rows.flatten().copied().collect::<Vec<f32>>())
    }

    /// What makes the input's level unusual for its most probable class.
    pub(crate) fn level_causes(&self, manifest: &Manifest) -> Vec<LevelCause> {
        let class = most_likely(self.outputs.probabilities.row(self.row));
        match (&manifest.baseline, self.levels.to_slice()) {
            (Some(baseline), Some(levels)) => baseline.level_causes(levels, class),
            _ => Vec::new(),
        }
    }
}
