//! Raw numbers to what the network was trained on: scaling of images, normalisation of signals.

use super::{ImageSpec, InputSpec, Normalization};
use crate::{
    baseline::Level,
    lanes::{count, extremes, sum},
    vectorized,
};

/// Numbers that cannot be prepared.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PrepareError {
    /// Another number of values than the network takes.
    #[error("{expected} values were expected ({shape}), and {found} came")]
    Length {
        /// Values of one input.
        expected: usize,
        /// The input's shape in words.
        shape: String,
        /// Values that came.
        found: usize,
    },
    /// A value that is no number, or too large for 32 bits.
    #[error("value {index} is not a finite 32-bit number: {value}")]
    NotFinite {
        /// Position in row-major order.
        index: usize,
        /// What it is: `NaN`, `inf` or `-inf`.
        value: f32,
    },
    /// A channel that never changes cannot be normalised.
    #[error("channel {channel} is constant ({value}): a dead sensor cannot be classified")]
    Constant {
        /// The channel, from 0.
        channel: usize,
        /// Its value.
        value: f32,
    },
}

impl InputSpec {
    /// Prepares one raw input in place: pixels in [0, 1], `[C, H, W]`, or samples, `[C, L]`.
    ///
    /// # Errors
    /// [`PrepareError`] where the length is another, a value is not finite, or a channel that is to be
    /// normalised is constant.
    pub fn prepare(&self, values: &mut [f32]) -> Result<(), PrepareError> {
        self.prepare_measured(values, &[])
    }

    /// The same for a signal whose channels' levels are known, so that they are not taken again; none where they are not.
    ///
    /// # Errors
    /// As [`Self::prepare`].
    pub fn prepare_measured(
        &self,
        values: &mut [f32],
        levels: &[Level],
    ) -> Result<(), PrepareError> {
        if values.len() != self.elements() {
            return Err(PrepareError::Length {
                expected: self.elements(),
                shape: self.shape_in_words(),
                found: values.len(),
            });
        }
        check_finite(values)?;
        match self {
            Self::Image(image) => scale(values, image),
            Self::Signal(signal) => match signal.normalization {
                Normalization::None => {}
                Normalization::ZScore { epsilon } => {
                    for (channel, samples) in values.chunks_exact_mut(signal.window).enumerate() {
                        let (mean, deviation) = match levels.get(channel) {
                            Some(level) => not_constant(channel, level)?,
                            None => mean_and_deviation(channel, samples)?,
                        };
                        normalize(samples, mean, 1.0 / deviation.max(epsilon));
                    }
                }
            },
        }
        // Finite raw values can still leave the range of 32 bits when they are scaled.
        check_finite(values)
    }

    /// The shape as a person would say it: `1 x 28 x 28, channels x height x width`.
    pub fn shape_in_words(&self) -> String {
        let sizes: Vec<String> = self.shape().iter().map(ToString::to_string).collect();
        let axes = match self {
            Self::Image(_) => "channels x height x width",
            Self::Signal(_) => "channels x samples",
        };
        format!("{}, {axes}", sizes.join(" x "))
    }
}

fn check_finite(values: &[f32]) -> Result<(), PrepareError> {
    // Looking for the place is slower than looking whether there is one.
    if are_finite(values) {
        return Ok(());
    }
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(index) => Err(PrepareError::NotFinite { index, value: values[index] }),
    }
}

vectorized! {
    fn are_finite<'a>(values: &'a [f32]) -> bool {
        count(values, |value| !value.is_finite()) == 0
    }
}

fn scale(values: &mut [f32], image: &ImageSpec) {
    let planes = values.chunks_exact_mut(image.height * image.width);
    for (plane, (&mean, &std)) in planes.zip(image.mean.iter().zip(&image.std)) {
        for value in plane {
            *value = (*value - mean) / std;
        }
    }
}

/// Mean and deviation of a channel whose level is known.
fn not_constant(channel: usize, level: &Level) -> Result<(f64, f64), PrepareError> {
    match level.constant {
        Some(value) => Err(PrepareError::Constant { channel, value }),
        None => Ok((level.offset, level.deviation)),
    }
}

vectorized! {
    fn mean_and_deviation<'a>(channel: usize, samples: &'a [f32]) -> Result<(f64, f64), PrepareError> {
        let (least, largest) = extremes(samples);
        if least >= largest {
            return Err(PrepareError::Constant { channel, value: least });
        }
        let count = samples.len() as f64;
        let mean = sum(samples, |x| x) / count;
        Ok((mean, (sum(samples, |x| (x - mean) * (x - mean)) / count).sqrt()))
    }
}

vectorized! {
    fn normalize<'a>(samples: &'a mut [f32], mean: f64, factor: f64) {
        for sample in samples {
            *sample = ((f64::from(*sample) - mean) * factor) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::SignalSpec;

    fn signal(channels: usize, window: usize) -> InputSpec {
        InputSpec::Signal(SignalSpec {
            channels,
            window,
            sample_rate_hz: None,
            normalization: Normalization::ZScore { epsilon: 1e-8 },
        })
    }

    #[test]
    fn each_channel_is_normalised_by_itself() {
        let mut values = [1.0, 3.0, -100.0, 100.0];
        assert_eq!(signal(2, 2).prepare(&mut values), Ok(()));
        assert_eq!(values.map(|x| x as i32), [-1, 1, -1, 1]);
    }

    #[test]
    fn a_dead_channel_is_refused_by_its_number() {
        let mut values = [1.0, 3.0, 0.5, 0.5];
        assert_eq!(
            signal(2, 2).prepare(&mut values),
            Err(PrepareError::Constant { channel: 1, value: 0.5 })
        );
        let levels = [Level::of(&[1.0, 3.0]), Level::of(&[0.5, 0.5])];
        assert_eq!(
            signal(2, 2).prepare_measured(&mut values, &levels),
            Err(PrepareError::Constant { channel: 1, value: 0.5 })
        );
    }

    #[test]
    fn a_wrong_length_is_refused_with_both_lengths() {
        let error = signal(1, 4).prepare(&mut [0.0; 3]).map_err(|e| e.to_string());
        assert_eq!(
            error,
            Err("4 values were expected (1 x 4, channels x samples), and 3 came".to_owned())
        );
    }

    proptest! {
        #[test]
        fn a_normalised_window_has_mean_zero_and_deviation_one(
            samples in prop::collection::vec(-1e6_f32..1e6, 8..200)
        ) {
            let mut values = samples;
            prop_assume!(signal(1, values.len()).prepare(&mut values).is_ok());
            let count = values.len() as f64;
            let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
            let variance = values.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / count;
            prop_assert!(mean.abs() < 1e-5, "mean {mean}");
            prop_assert!((variance - 1.0).abs() < 1e-4, "variance {variance}");
        }

        #[test]
        fn a_signal_whose_level_is_known_is_prepared_to_the_same_bits(
            samples in prop::collection::vec(-1e6_f32..1e6, 8..200)
        ) {
            let (spec, levels) = (signal(1, samples.len()), [Level::of(&samples)]);
            let (mut one, mut other) = (samples.clone(), samples);
            prop_assert_eq!(spec.prepare(&mut one), spec.prepare_measured(&mut other, &levels));
            prop_assert_eq!(one, other);
        }

        #[test]
        fn what_is_prepared_is_finite_or_refused(
            mut samples in prop::collection::vec(prop::num::f32::ANY, 4)
        ) {
            if signal(1, 4).prepare(&mut samples).is_ok() {
                prop_assert!(samples.iter().all(|x| x.is_finite()));
            }
        }
    }
}
