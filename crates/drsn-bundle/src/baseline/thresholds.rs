//! Usual thresholds: what the blocks' thresholds and scales are on the training inputs of each class.

use ndarray::ArrayView1;
use serde::{Deserialize, Serialize};

use super::{BaselineError, Numbers};
use crate::{Block, ThresholdKind};

/// Most numbers of classes times channels of all blocks: above, no usual thresholds are measured.
pub const MAX_USUAL_THRESHOLDS: usize = 1 << 16;

/// Thresholds τ and scales α of the training inputs of each class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct UsualThresholds {
    /// One for each class.
    pub classes: Vec<ClassThresholds>,
}

/// Thresholds and scales of the training inputs of one class, for each channel of all blocks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ClassThresholds {
    /// Number of training inputs.
    pub inputs: u64,
    /// Of τ; zeros for a class without inputs.
    pub threshold: Spreads,
    /// Of α, over the inputs of which it is known; zeros if it is of none.
    pub scale: Spreads,
}

/// Means and standard deviations, as base64 of little-endian 32-bit floats.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Spreads {
    /// Means.
    #[cfg_attr(test, schemars(with = "String"))]
    pub mean: Numbers,
    /// Standard deviations.
    #[cfg_attr(test, schemars(with = "String"))]
    pub deviation: Numbers,
}

impl UsualThresholds {
    /// Checks that it is consistent, and fits a model of these classes and channels of all blocks.
    pub(super) fn check(&self, classes: usize, channels: usize) -> Result<(), String> {
        let found = self.classes.len();
        if found != classes {
            return Err(format!("it has {found} classes, and the model has {classes}"));
        }
        if classes.saturating_mul(channels) > MAX_USUAL_THRESHOLDS {
            return Err(format!(
                "{classes} classes of {channels} channels are more than {MAX_USUAL_THRESHOLDS}"
            ));
        }
        for ClassThresholds { threshold, scale, .. } in &self.classes {
            for numbers in [&threshold.mean, &threshold.deviation, &scale.mean, &scale.deviation] {
                if numbers.len() != channels {
                    let found = numbers.len();
                    return Err(format!("it has {found} channels, and the blocks have {channels}"));
                }
                if !numbers.iter().all(|&number| number.is_finite() && number >= 0.0) {
                    return Err("means and deviations must be finite and not negative".to_owned());
                }
            }
        }
        Ok(())
    }
}

/// The usual thresholds while they are measured.
#[derive(Debug)]
pub struct ThresholdSample {
    kinds: Vec<(ThresholdKind, usize)>,
    classes: Vec<Sums>,
}

/// One class: the number of its inputs, and of each channel the moments of τ and α.
#[derive(Debug, Clone)]
struct Sums {
    inputs: u64,
    channels: Vec<[Moments; 2]>,
}

/// Number, mean and sum of squared differences from it (Welford 1962).
#[derive(Debug, Clone, Copy, Default)]
struct Moments {
    count: u64,
    mean: f64,
    squares: f64,
}

impl ThresholdSample {
    /// A sample for a model of these blocks and classes; `None` if they have no channels, or too many.
    pub fn new(blocks: &[Block], classes: usize) -> Option<Self> {
        let channels = blocks.iter().fold(0, |sum: usize, b| sum.saturating_add(b.channels));
        if channels == 0 || classes.saturating_mul(channels) > MAX_USUAL_THRESHOLDS {
            return None;
        }
        let kinds = blocks.iter().map(|block| (block.threshold, block.channels)).collect();
        let sums = Sums { inputs: 0, channels: vec![[Moments::default(); 2]; channels] };
        Some(Self { kinds, classes: vec![sums; classes] })
    }

    /// Adds the thresholds and mean magnitudes of all blocks' channels for a training input of a class.
    ///
    /// # Errors
    /// [`BaselineError`] if a length or the class is wrong, or a threshold is not finite.
    pub fn add(
        &mut self,
        thresholds: &[f32],
        mean_abs: &[f32],
        class: usize,
    ) -> Result<(), BaselineError> {
        let classes = self.classes.len();
        let unknown = BaselineError::Class { class, classes };
        let Sums { inputs, channels } = self.classes.get_mut(class).ok_or(unknown)?;
        for found in [thresholds.len(), mean_abs.len()] {
            if found != channels.len() {
                return Err(BaselineError::Length { expected: channels.len(), found });
            }
        }
        if !thresholds.iter().all(|threshold| threshold.is_finite()) {
            return Err(BaselineError::NotFinite);
        }
        *inputs += 1;
        let mut start = 0;
        for &(kind, width) in &self.kinds {
            let of_block = start..start + width;
            let thresholds = ArrayView1::from(&thresholds[of_block.clone()]);
            let mean_abs = ArrayView1::from(&mean_abs[of_block.clone()]);
            let scales = kind.scales(thresholds, mean_abs);
            for (([tau, alpha], &threshold), scale) in
                channels[of_block].iter_mut().zip(thresholds).zip(scales)
            {
                tau.add(threshold);
                if let Some(scale) = scale {
                    alpha.add(scale);
                }
            }
            start += width;
        }
        Ok(())
    }

    /// The usual thresholds.
    pub fn usual(&self) -> UsualThresholds {
        let spreads = |sums: &Sums, which: usize| {
            let of_channels = || sums.channels.iter().map(|channel| channel[which]);
            Spreads {
                mean: of_channels().map(|moments| moments.mean as f32).collect::<Vec<_>>().into(),
                deviation: of_channels().map(Moments::deviation).collect::<Vec<_>>().into(),
            }
        };
        let class = |sums: &Sums| ClassThresholds {
            inputs: sums.inputs,
            threshold: spreads(sums, 0),
            scale: spreads(sums, 1),
        };
        UsualThresholds { classes: self.classes.iter().map(class).collect() }
    }
}

impl Moments {
    fn add(&mut self, number: f32) {
        self.count += 1;
        let difference = f64::from(number) - self.mean;
        self.mean += difference / self.count as f64;
        self.squares += difference * (f64::from(number) - self.mean);
    }

    fn deviation(self) -> f32 {
        (self.squares / self.count.max(1) as f64).sqrt() as f32
    }
}

impl ThresholdKind {
    /// α of each channel of a block, from its τ and A. CW: each channel's τ / A. CS: one τ over the
    /// mean of all A, for every channel. (Zhao et al. 2019, sections III-B and III-C.) `None` if the
    /// magnitude is zero, or nearly so: then it is unknown.
    #[expect(clippy::needless_pass_by_value, reason = "views are references")]
    pub fn scales<'a>(
        self,
        threshold: ArrayView1<'a, f32>,
        mean_abs: ArrayView1<'a, f32>,
    ) -> impl Iterator<Item = Option<f32>> + Clone + use<'a> {
        let shared = match self {
            Self::ChannelWise => None,
            Self::ChannelShared => Some(mean_abs.iter().sum::<f32>() / mean_abs.len() as f32),
        };
        threshold.into_iter().zip(mean_abs).map(move |(&threshold, &magnitude)| {
            let scale = threshold / shared.unwrap_or(magnitude);
            scale.is_finite().then_some(scale.min(1.0))
        })
    }
}

#[cfg(test)]
mod tests {
    use ndarray::aview1;

    use super::*;

    fn block(channels: usize, threshold: ThresholdKind) -> Block {
        Block {
            name: "block".parse().unwrap(),
            channels,
            threshold,
            threshold_output: "t".to_owned(),
            mean_abs_output: "m".to_owned(),
            shrunk_tensor: "s".to_owned(),
        }
    }

    #[test]
    fn a_channel_wise_scale_belongs_to_its_channel_and_a_shared_one_to_all() {
        let of = |kind: ThresholdKind| {
            kind.scales(aview1(&[0.1, 0.1]), aview1(&[0.2, 0.4])).collect::<Vec<_>>()
        };
        assert_eq!(of(ThresholdKind::ChannelWise), [Some(0.5), Some(0.25)]);
        let shared = of(ThresholdKind::ChannelShared);
        assert_eq!(shared[0], shared[1]);
        assert!(shared[0].is_some_and(|scale| (scale - 1.0 / 3.0).abs() < 1e-6));
    }

    #[test]
    fn a_channel_without_magnitude_has_no_scale() {
        let (threshold, mean_abs) = ([0.0, 0.1], [0.0, 0.2]);
        let wise = ThresholdKind::ChannelWise.scales(aview1(&threshold), aview1(&mean_abs));
        assert!(wise.eq([None, Some(0.5)]));
    }

    #[test]
    fn each_class_has_the_mean_and_deviation_of_its_own_inputs() {
        let blocks = [block(1, ThresholdKind::ChannelWise), block(2, ThresholdKind::ChannelShared)];
        let mut sample = ThresholdSample::new(&blocks, 3).unwrap();
        for (tau, class) in [(0.1, 0), (0.3, 0), (0.9, 2)] {
            sample.add(&[tau, 0.5, 0.5], &[1.0, 0.5, 1.5], class).unwrap();
        }
        sample.add(&[0.0, 0.5, 0.5], &[0.0, 1.0, 1.0], 2).unwrap();
        let usual = sample.usual();
        assert_eq!(usual.check(3, 3), Ok(()));
        let [first, none, last] = &usual.classes[..] else { panic!("{usual:?}") };
        assert_eq!((first.inputs, none.inputs, last.inputs), (2, 0, 2));
        let close = |found: &Numbers, expected: [f32; 3]| {
            found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6)
        };
        assert!(close(&first.threshold.mean, [0.2, 0.5, 0.5]), "{first:?}");
        assert!(close(&first.threshold.deviation, [0.1, 0.0, 0.0]), "{first:?}");
        assert!(close(&first.scale.mean, [0.2, 0.5, 0.5]), "{first:?}");
        assert!(close(&last.scale.mean, [0.9, 0.5, 0.5]), "an unknown scale counts not: {last:?}");
        assert!(close(&none.threshold.mean, [0.0; 3]), "{none:?}");
        assert!(sample.add(&[0.1], &[0.1], 0).is_err());
        assert!(sample.add(&[0.1; 3], &[0.1; 3], 3).is_err());
        assert!(sample.add(&[f32::NAN; 3], &[0.1; 3], 0).is_err());
    }

    #[test]
    fn a_model_of_very_many_classes_has_no_usual_thresholds() {
        let blocks = [block(100, ThresholdKind::ChannelWise)];
        assert!(ThresholdSample::new(&blocks, MAX_USUAL_THRESHOLDS / 100).is_some());
        assert!(ThresholdSample::new(&blocks, MAX_USUAL_THRESHOLDS / 100 + 1).is_none());
        assert!(ThresholdSample::new(&[], 2).is_none());
    }
}
