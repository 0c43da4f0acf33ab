//! Conversion to another sample rate while a recording arrives, in the memory of a few blocks.
//!
//! The samples are those that [`crate::resample()`] returns for the whole recording.

use std::fmt;

use ndarray::{Array2, ArrayView1};

use crate::{
    RecordingError,
    filter::Converter,
    resample::{TOO_SHORT, blocks, converted_length, converter, ratio, refused},
    select::{check_finite, stack},
};

/// Converts channels that are sampled together, block by block.
pub struct Resampler {
    from: usize,
    to: usize,
    channels: Vec<Channel>,
    /// Samples of each channel received so far.
    received: u64,
    /// Samples of each channel returned so far.
    returned: u64,
    /// Samples of the filter's delay that are still to be dropped.
    delay: usize,
}

struct Channel {
    converter: Converter,
    /// Samples that do not fill a block yet.
    waiting: Vec<f64>,
}

impl fmt::Debug for Resampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, channels, .. } = self;
        write!(f, "Resampler({from}:{to}, {} channels)", channels.len())
    }
}

impl Resampler {
    /// A conversion of this number of channels.
    ///
    /// # Errors
    /// [`RecordingError::Resample`] as [`crate::resample()`].
    pub fn new(from_hz: f64, to_hz: f64, channels: usize) -> Result<Self, RecordingError> {
        let (from, to) = ratio(from_hz, to_hz)?;
        let channel = |_| Ok(Channel { converter: converter(from, to)?, waiting: Vec::new() });
        let channels = (0..channels).map(channel).collect::<Result<Vec<_>, RecordingError>>()?;
        let delay = channels.first().map_or(0, |channel| channel.converter.delay());
        Ok(Self { from, to, channels, received: 0, returned: 0, delay })
    }

    /// Upper bound, in bytes, of the memory that a conversion between these rates needs for each
    /// channel. It does not grow with the recording.
    ///
    /// # Errors
    /// [`RecordingError::Resample`] as [`crate::resample()`].
    pub fn bytes_of_a_channel(from_hz: f64, to_hz: f64) -> Result<u64, RecordingError> {
        /// Input, output, overlap, transforms and filter, as 64-bit floats, some of them complex.
        const NUMBERS_OF_A_SAMPLE: u64 = 10;
        let (from, to) = ratio(from_hz, to_hz)?;
        let (input, output) = blocks(from, to);
        Ok(NUMBERS_OF_A_SAMPLE * 8 * (input + output) as u64)
    }

    /// The number of samples that a channel of `length` samples becomes.
    pub fn length_of(&self, length: u64) -> u64 {
        converted_length(length, (self.from, self.to))
    }

    /// Adds the next samples of each channel, all equally many, and returns those that are ready,
    /// `[C, T]`.
    ///
    /// # Errors
    /// [`RecordingError`] if a sample leaves the range of 32-bit floats.
    pub fn push<'a>(
        &mut self,
        block: impl IntoIterator<Item = ArrayView1<'a, f32>>,
    ) -> Result<Array2<f32>, RecordingError> {
        let mut length = 0;
        for (channel, samples) in self.channels.iter_mut().zip(block) {
            length = samples.len();
            channel.waiting.extend(samples.iter().map(|&x| f64::from(x)));
        }
        self.received += length as u64;
        let converted = self.channels.iter_mut().map(Channel::convert_whole_blocks);
        let converted = converted.collect::<Result<Vec<_>, _>>()?;
        self.trim(converted, u64::MAX).map(stack)
    }

    /// Returns the samples that are left at the end, `[C, T]`.
    ///
    /// # Errors
    /// [`RecordingError`] if the recording is so short that no sample is left, or one leaves the
    /// range of 32-bit floats.
    pub fn finish(&mut self) -> Result<Array2<f32>, RecordingError> {
        let length = self.length_of(self.received);
        if length == 0 {
            return Err(refused(TOO_SHORT));
        }
        let mut all = vec![Vec::new(); self.channels.len()];
        while self.returned < length {
            let converted = self.channels.iter_mut().map(Channel::convert_rest);
            let converted = converted.collect::<Result<Vec<_>, _>>()?;
            for (all, samples) in all.iter_mut().zip(self.trim(converted, length)?) {
                all.extend(samples);
            }
        }
        Ok(stack(all))
    }

    /// Drops the delay, and what lies beyond the recording's length.
    fn trim(
        &mut self,
        converted: Vec<Vec<f32>>,
        length: u64,
    ) -> Result<Vec<Vec<f32>>, RecordingError> {
        let count = converted.first().map_or(0, Vec::len);
        let delay = self.delay.min(count);
        self.delay -= delay;
        let room = usize::try_from(length - self.returned).unwrap_or(usize::MAX);
        let first = self.returned as usize;
        self.returned += (count - delay).min(room) as u64;
        let trim = |(channel, mut samples): (usize, Vec<f32>)| {
            samples.drain(..delay);
            samples.truncate(room);
            check_finite(channel, first, &ArrayView1::from(&samples))?;
            Ok(samples)
        };
        converted.into_iter().enumerate().map(trim).collect()
    }
}

impl Channel {
    fn convert_whole_blocks(&mut self) -> Result<Vec<f32>, RecordingError> {
        let (mut converted, size) = (Vec::new(), self.converter.block());
        let blocks = self.waiting.chunks_exact(size);
        let rest = blocks.remainder().len();
        for block in blocks {
            let block = self.converter.convert(block.iter().copied())?;
            converted.extend(block.iter().map(|&x| x as f32));
        }
        self.waiting.drain(..self.waiting.len() - rest);
        Ok(converted)
    }

    /// Converts the waiting samples, followed by silence.
    fn convert_rest(&mut self) -> Result<Vec<f32>, RecordingError> {
        let block = self.converter.convert(self.waiting.drain(..))?;
        Ok(block.iter().map(|&x| x as f32).collect())
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Axis, array, concatenate};
    use proptest::prelude::*;

    use super::*;
    use crate::{Limits, Recording, resample};

    const LIMITS: Limits = Limits { max_bytes: 0, max_samples: 2_000_000 };

    #[test]
    fn channels_are_returned_as_rows_of_one_array() {
        let mut resampler = Resampler::new(2.0, 1.0, 2).unwrap();
        let block = array![[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]];
        assert_eq!(resampler.push(block.rows()).unwrap().dim(), (2, 0));
        assert_eq!(resampler.finish().unwrap().dim(), (2, 2));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn pieces_of_any_size_give_the_samples_of_the_whole(
            samples in prop::collection::vec(-1.0_f32..1.0, 1..9000),
            step in 1_usize..4000,
            rates in prop::sample::select(vec![
                (48_000.0, 12_000.0), (12_000.0, 48_000.0), (44_100.0, 12_000.0), (25_600.0, 48_000.0)
            ]),
        ) {
            let (from, to) = rates;
            let other: Vec<f32> = samples.iter().map(|x| 1.0 - x).collect();
            let samples = stack(vec![samples, other]);
            let names = vec![None; 2];
            let recording = Recording { samples, names, sample_rate_hz: Some(from) };
            let Ok(whole) = resample(&recording, to, &LIMITS) else { return Ok(()) };
            let mut resampler = Resampler::new(from, to, 2).unwrap();
            let mut found = Vec::new();
            for block in recording.samples.axis_chunks_iter(Axis(1), step) {
                found.push(resampler.push(block.rows()).unwrap());
            }
            found.push(resampler.finish().unwrap());
            let found: Vec<_> = found.iter().map(|block| block.view()).collect();
            let found = concatenate(Axis(1), &found).unwrap();
            prop_assert_eq!(found.dim(), whole.samples.dim());
            let error = (&found - &whole.samples).iter().fold(0.0, |most, x| x.abs().max(most));
            prop_assert!(error < 1e-6, "{}", error);
        }
    }
}
