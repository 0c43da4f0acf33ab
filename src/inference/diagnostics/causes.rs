//! The causes of alarms: what moved, and where.

use std::iter;

use drsn_bundle::{
    Block, InputSpec, Manifest,
    baseline::{
        Axis, Band, BandChange, Contribution, InputShift, LevelCause, NamedStatistic, ShiftReason,
        Statistic, WindowsShift, bands_of, most_likely, statistics_of,
    },
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    baseline::{of_input, row_of},
    changes::Change,
    reader::Reading,
};

/// A judgement, with the causes of its alarm.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Caused<J, C> {
    #[serde(flatten)]
    pub(crate) judged: J,
    /// The causes, the most important first; empty without an alarm.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) causes: Vec<C>,
}

/// The causes of a shift's alarm, the most important first: one list, by the alarm's reason.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub(crate) struct ShiftCauses<'a> {
    /// Of the reason `magnitudes`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) causes: Vec<ChannelCause<'a>>,
    /// Of the reason `input`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) statistics: Vec<StatisticCause>,
    /// Of the reason `spectrum`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) bands: Vec<BandCause>,
    /// Of the reason `features`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) nearest: Vec<NearestClass<'a>>,
}

/// A channel of a block that makes an input's shift unusual.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
#[schema(as = ShiftCause)]
pub(crate) struct ChannelCause<'a> {
    /// Name of the block.
    pub(crate) block: &'a str,
    /// Position of the channel in the block, from 0.
    pub(crate) channel: usize,
    /// Its mean magnitude minus that of training, in standard deviations of training.
    pub(crate) z: f64,
    /// Its share of the squared distance of all mean magnitudes.
    pub(crate) share: f64,
}

/// A statistic of the input that makes its shift unusual.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub(crate) struct StatisticCause {
    /// What it is: `mean` or `deviation` of pixels, `kurtosis`, `dips`, `peaks`, `steps`, `bends`,
    /// `jumps` or `repeats`.
    #[schema(value_type = String)]
    pub(crate) what: Statistic,
    /// Of an image, `horizontal` or `vertical`, if the statistic is of one direction.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    pub(crate) axis: Option<Axis>,
    /// Position of the input's channel, from 0.
    pub(crate) channel: usize,
    /// The statistic minus that of the nearest class, in standard deviations of training.
    pub(crate) z: f64,
    /// Its share of the squared distance of all statistics.
    pub(crate) share: f64,
}

/// A band of frequencies that makes a signal's shift unusual.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub(crate) struct BandCause {
    /// Its lowest frequency, in Hz, or as a share of the sample rate if the model's is not known.
    pub(crate) low: f64,
    /// Its highest frequency, likewise.
    pub(crate) high: f64,
    /// Position of the input's channel, from 0.
    pub(crate) channel: usize,
    /// Its power relative to that of the nearest class, in decibels; the median change of a channel's
    /// bands counts as none.
    pub(crate) change_db: f64,
    /// The same in standard deviations of training.
    pub(crate) z: f64,
}

/// A class of the training data that the input is near to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub(crate) struct NearestClass<'a> {
    /// Its label.
    pub(crate) label: &'a str,
    /// Position in the model's list of classes.
    pub(crate) class_index: usize,
    /// Distance of the features before the last layer from it. That of 99 % of the training inputs
    /// from their nearest class is at most 1.
    pub(crate) distance: f64,
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
    pub(crate) judged: Shift,
    #[serde(flatten)]
    pub(crate) causes: ShiftCauses<'a>,
    /// Empty for an input of one window, and if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) changes: Vec<Change>,
}

impl Shift {
    pub(crate) fn alarm(self) -> bool {
        self.reason().is_some()
    }

    /// Why it alarms; `None` if it does not.
    pub(crate) fn reason(self) -> Option<ShiftReason> {
        match self {
            Self::Input(shift) => shift.reason,
            Self::Windows(shift) => shift.reason,
        }
    }
}

impl<J, C> Caused<J, C> {
    /// Finds the causes if there is an alarm.
    pub(crate) fn new(judged: J, alarm: bool, causes: impl FnOnce() -> Vec<C>) -> Self {
        Self { judged, causes: if alarm { causes() } else { Vec::new() } }
    }
}

impl<'a> ShiftCauses<'a> {
    /// The causes of an alarm, from the vector that its reason is the distance of.
    fn of(reason: ShiftReason, vector: &[f32], manifest: &'a Manifest) -> Self {
        let Some(baseline) = &manifest.baseline else { return Self::default() };
        match reason {
            ShiftReason::Magnitudes => {
                let contributions = baseline.shift_causes(reason, vector).into_iter();
                let causes = contributions.filter_map(|found| {
                    let (block, channel) = channels(&manifest.blocks).nth(found.dimension)?;
                    Some(ChannelCause { block, channel, z: found.z, share: found.share })
                });
                Self { causes: causes.collect(), ..Self::default() }
            }
            ShiftReason::Features => {
                let classes = baseline.nearest_classes(vector, manifest.classes.len());
                let nearest = classes.into_iter().map(|near| NearestClass {
                    label: &manifest.classes[near.class],
                    class_index: near.class,
                    distance: near.distance,
                });
                Self { nearest: nearest.collect(), ..Self::default() }
            }
            ShiftReason::Input => {
                let contributions = baseline.shift_causes(reason, vector).into_iter();
                let statistics = contributions.map(|Contribution { dimension, z, share }| {
                    let NamedStatistic { what, axis, channel } =
                        NamedStatistic::at(dimension, &manifest.input);
                    StatisticCause { what, axis, channel, z, share }
                });
                Self { statistics: statistics.collect(), ..Self::default() }
            }
            ShiftReason::Spectrum => {
                let rate = match &manifest.input {
                    InputSpec::Signal(signal) => signal.sample_rate_hz.unwrap_or(1.0),
                    InputSpec::Image(_) => 1.0,
                };
                let changes = baseline.band_changes(vector).into_iter();
                let bands = changes.map(|BandChange { dimension, decibels, z }| {
                    let Band { range: [low, high], channel } = Band::at(dimension);
                    BandCause {
                        low: rate * low,
                        high: rate * high,
                        channel,
                        change_db: decibels,
                        z,
                    }
                });
                Self { bands: bands.collect(), ..Self::default() }
            }
        }
    }
}

/// The channels of all blocks: each block's name, and the position in it.
fn channels(blocks: &[Block]) -> impl Iterator<Item = (&str, usize)> {
    blocks.iter().flat_map(|block| iter::repeat_n(block.name.as_str(), block.channels).zip(0..))
}

impl Reading<'_> {
    /// What makes the input's shift unusual.
    pub(super) fn shift_causes<'a>(
        &self,
        shift: InputShift,
        manifest: &'a Manifest,
    ) -> ShiftCauses<'a> {
        let causes = |reason| ShiftCauses::of(reason, &self.vector(reason, manifest), manifest);
        shift.reason.map(causes).unwrap_or_default()
    }

    /// The vector that a reason is the distance of.
    fn vector(&self, reason: ShiftReason, manifest: &Manifest) -> Vec<f32> {
        match reason {
            ShiftReason::Magnitudes => {
                let rows = self.outputs.blocks.iter().map(|block| block.mean_abs.row(self.row));
                rows.flatten().copied().collect()
            }
            ShiftReason::Features => row_of(self.outputs.features.as_ref(), self.row).to_vec(),
            ShiftReason::Input => of_input(self.outputs, self.row, manifest).0.to_vec(),
            ShiftReason::Spectrum => of_input(self.outputs, self.row, manifest).1.to_vec(),
        }
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

/// For each reason, in their order, the sum of its vectors over the windows that alarm by it.
#[derive(Debug, Default)]
pub(crate) struct AlarmVectors([(u32, Vec<f64>); ShiftReason::ALL.len()]);

impl AlarmVectors {
    /// Memory of those of a recording, in bytes.
    pub(crate) fn bytes(manifest: &Manifest) -> usize {
        let features = manifest.features.as_ref().map_or(0, |features| features.width);
        let of_input = statistics_of(&manifest.input) + bands_of(&manifest.input);
        (channels(&manifest.blocks).count() + features + of_input) * size_of::<f64>()
    }

    /// Adds a window if it alarms.
    pub(crate) fn add(&mut self, reading: &Reading<'_>) {
        let Some(reason) = reading.baseline.shift.and_then(|shift| shift.reason) else { return };
        let vector = reading.vector(reason, reading.manifest());
        let (count, sums) = &mut self.0[reason as usize];
        *count += 1;
        sums.resize(vector.len(), 0.0);
        for (sum, number) in sums.iter_mut().zip(vector) {
            *sum += f64::from(number);
        }
    }

    /// The causes of the mean of the windows that alarm by this reason.
    pub(crate) fn causes<'a>(
        &self,
        reason: Option<ShiftReason>,
        manifest: &'a Manifest,
    ) -> ShiftCauses<'a> {
        let Some(reason) = reason else { return ShiftCauses::default() };
        let (count, sums) = &self.0[reason as usize];
        let mean = sums.iter().map(|sum| (sum / f64::from(*count)) as f32);
        ShiftCauses::of(reason, &mean.collect::<Vec<f32>>(), manifest)
    }
}
