//! Preparation of raw values as in training: scaling of images, normalisation of signals.

use ndarray::{ArrayViewMut1, ArrayViewMut2, ArrayViewMut3};

use super::{ImageSpec, InputSpec, Normalization, SignalSpec};
use crate::{
    baseline::Level,
    lanes::{count, extremes, sum},
    vectorized,
};

/// Largest magnitude of a prepared value: above every count of a 32-bit converter. Its square is
/// 1e20, so that sums and products in a network stay far below 3e38, where 32-bit floats end.
pub const MAX_MAGNITUDE: f32 = 1e10;

/// Values that cannot be prepared.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PrepareError {
    /// Another number of values than one input has.
    #[error("{expected} values were expected ({shape}), and {found} were given")]
    Length {
        /// Values of one input.
        expected: usize,
        /// Description of the input's shape.
        shape: String,
        /// Values given.
        found: usize,
    },
    /// A value that is not a number, or too large for 32 bits.
    #[error("value {index} is not a finite 32-bit number: {value}")]
    NotFinite {
        /// Position in row-major order.
        index: usize,
        /// Its value: `NaN`, `inf` or `-inf`.
        value: f32,
    },
    /// A prepared value with which a network cannot compute.
    #[error(
        "value {index} is {value:e} after its preparation, and its magnitude must be at most \
         {MAX_MAGNITUDE:e}: is its unit the model's?"
    )]
    TooLarge {
        /// Position in row-major order.
        index: usize,
        /// The prepared value.
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
    /// [`PrepareError`] if the number of values is wrong, one is not finite or too large for a
    /// network, or a channel to be normalised is constant.
    pub fn prepare(&self, values: &mut [f32]) -> Result<(), PrepareError> {
        self.prepare_measured(values, &[])
    }

    /// As [`Self::prepare`], for a signal whose channels' levels are known and need not be measured
    /// again; empty if they are not.
    ///
    /// # Errors
    /// As [`Self::prepare`].
    pub fn prepare_measured(
        &self,
        values: &mut [f32],
        levels: &[Level],
    ) -> Result<(), PrepareError> {
        if values.len() != self.elements() {
            return Err(self.wrong_length(values.len()));
        }
        check_finite(values)?;
        let wrong_length = |_| self.wrong_length(self.elements());
        match self {
            Self::Image(image) => {
                let shape = (image.channels, image.height, image.width);
                let planes = ArrayViewMut3::from_shape(shape, &mut *values);
                scale(planes.map_err(wrong_length)?, image);
            }
            Self::Signal(signal) => {
                let shape = (signal.channels, signal.window);
                let channels = ArrayViewMut2::from_shape(shape, &mut *values);
                normalize_channels(channels.map_err(wrong_length)?, signal, levels)?;
            }
        }
        // Scaling can take finite raw values out of any range.
        check_range(values)
    }

    fn wrong_length(&self, found: usize) -> PrepareError {
        PrepareError::Length { expected: self.elements(), shape: self.shape_in_words(), found }
    }

    /// The shape in words: `1 x 28 x 28, channels x height x width`.
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
    // Finding the position is slower than checking all values.
    if are_finite(values) {
        return Ok(());
    }
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(index) => Err(PrepareError::NotFinite { index, value: values[index] }),
    }
}

/// Rejects values from which a network would compute infinities.
fn check_range(values: &[f32]) -> Result<(), PrepareError> {
    if are_in_range(values) {
        return Ok(());
    }
    check_finite(values)?;
    match values.iter().position(|value| value.abs() > MAX_MAGNITUDE) {
        None => Ok(()),
        Some(index) => Err(PrepareError::TooLarge { index, value: values[index] }),
    }
}

vectorized! {
    fn are_in_range<'a>(values: &'a [f32]) -> bool {
        // NaN is in no range.
        count(values, |value| !matches!(value.abs(), 0.0..=MAX_MAGNITUDE)) == 0
    }
}

vectorized! {
    fn are_finite<'a>(values: &'a [f32]) -> bool {
        count(values, |value| !value.is_finite()) == 0
    }
}

fn scale(mut planes: ArrayViewMut3<'_, f32>, image: &ImageSpec) {
    for (mut plane, (&mean, &std)) in planes.outer_iter_mut().zip(image.mean.iter().zip(&image.std))
    {
        plane.mapv_inplace(|value| (value - mean) / std);
    }
}

fn normalize_channels(
    mut channels: ArrayViewMut2<'_, f32>,
    signal: &SignalSpec,
    levels: &[Level],
) -> Result<(), PrepareError> {
    let Normalization::ZScore { epsilon } = signal.normalization else { return Ok(()) };
    let rows = channels.rows_mut().into_iter().filter_map(ArrayViewMut1::into_slice);
    for (channel, samples) in rows.enumerate() {
        let (mean, deviation) = match levels.get(channel) {
            Some(level) => not_constant(channel, level)?,
            None => mean_and_deviation(channel, samples)?,
        };
        normalize(samples, mean, 1.0 / deviation.max(epsilon));
    }
    Ok(())
}

/// Mean and standard deviation of a channel whose level is known.
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
            source: None,
            padding: None,
        })
    }

    #[test]
    fn each_channel_is_normalised_by_itself() {
        let mut values = [1.0, 3.0, -100.0, 100.0];
        assert_eq!(signal(2, 2).prepare(&mut values), Ok(()));
        assert_eq!(values.map(|x| x as i32), [-1, 1, -1, 1]);
    }

    #[test]
    fn a_dead_channel_is_rejected_by_its_number() {
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

    /// A network returned infinities for such values, and the server reported a fault of its own.
    #[test]
    fn a_value_beyond_the_range_of_a_network_is_rejected_unless_it_is_normalised() {
        let plain = InputSpec::Signal(SignalSpec {
            channels: 1,
            window: 4,
            sample_rate_hz: None,
            normalization: Normalization::None,
            source: None,
            padding: None,
        });
        for value in [1e37_f32, -1e37, 2e10, -2e10] {
            let raw = [1.0, 2.0, value, 3.0];
            let error = plain.prepare(&mut raw.clone());
            assert_eq!(error, Err(PrepareError::TooLarge { index: 2, value }));
            let mut normalised = raw;
            assert_eq!(signal(1, 4).prepare(&mut normalised), Ok(()));
            assert!(normalised.iter().all(|x| x.abs() < 2.0));
        }
        // Counts of a 32-bit converter.
        let mut counts = [i32::MIN as f32, i32::MAX as f32, u32::MAX as f32, 0.0];
        assert_eq!(plain.prepare(&mut counts), Ok(()));
    }

    #[test]
    fn a_wrong_length_is_rejected_with_both_lengths() {
        let error = signal(1, 4).prepare(&mut [0.0; 3]).map_err(|e| e.to_string());
        assert_eq!(
            error,
            Err("4 values were expected (1 x 4, channels x samples), and 3 were given".to_owned())
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
        fn prepared_values_are_in_the_range_of_a_network_or_rejected(
            samples in prop::collection::vec(prop::num::f32::ANY, 4), std in 1e-30_f32..1e30
        ) {
            let image = ImageSpec {
                channels: 1,
                height: 2,
                width: 2,
                geometry: crate::Geometry::Refuse,
                filter: crate::Filter::Nearest,
                mean: vec![0.5],
                std: vec![std],
            };
            let plain = SignalSpec {
                channels: 1,
                window: 4,
                sample_rate_hz: None,
                normalization: Normalization::None,
                source: None,
                padding: None,
            };
            for spec in [signal(1, 4), InputSpec::Image(image), InputSpec::Signal(plain)] {
                let mut samples = samples.clone();
                if spec.prepare(&mut samples).is_ok() {
                    prop_assert!(samples.iter().all(|x| x.abs() <= MAX_MAGNITUDE));
                }
            }
        }
    }
}
