//! Conversion to another sample rate while a recording arrives, in the memory of a few blocks.
//!
//! The samples are those that [`crate::resample()`] returns for the whole recording.

use std::{
    fmt,
    time::{Duration, Instant},
};

use ndarray::{Array2, ArrayView1};

use crate::{
    RecordingError,
    error::refused,
    filter::Converter,
    limits::check_time,
    resample::{TOO_SHORT, blocks, converted_length, converter, ratio, work},
    select::{check_finite, stack},
};

/// Converts channels that are sampled together, block by block.
pub struct Resampler {
    from: usize,
    to: usize,
    converter: Converter,
    /// For each channel, the samples that do not fill a block yet.
    waiting: Vec<Vec<f64>>,
    /// Samples of each channel received so far.
    received: u64,
    /// Samples of each channel returned so far.
    returned: u64,
    /// Samples of the filter's delay that are still to be dropped.
    delay: usize,
    deadline: Option<Instant>,
}

impl fmt::Debug for Resampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, waiting, .. } = self;
        write!(f, "Resampler({from}:{to}, {} channels)", waiting.len())
    }
}

impl Resampler {
    /// A conversion of this number of channels.
    ///
    /// # Errors
    /// [`RecordingError::Resample`] as [`crate::resample()`].
    pub fn new(from_hz: f64, to_hz: f64, channels: usize) -> Result<Self, RecordingError> {
        let (from, to) = ratio(from_hz, to_hz)?;
        let converter = converter((from, to), channels)?;
        let delay = converter.delay();
        let waiting = vec![Vec::new(); channels];
        Ok(Self { from, to, converter, waiting, received: 0, returned: 0, delay, deadline: None })
    }

    /// The same conversion, which ends at this time.
    #[must_use]
    pub fn with_deadline(self, deadline: Instant) -> Self {
        Self { deadline: Some(deadline), ..self }
    }

    /// Upper bound of the time that a conversion of channels of `length` samples takes on one core,
    /// with its preparation. Even a short recording takes as long as a block of the filter.
    ///
    /// # Errors
    /// [`RecordingError::Resample`] as [`crate::resample()`].
    pub fn work(
        from_hz: f64,
        to_hz: f64,
        channels: usize,
        length: u64,
    ) -> Result<Duration, RecordingError> {
        Ok(work(ratio(from_hz, to_hz)?, channels, length))
    }

    /// Upper bound, in bytes, of the memory that a conversion of this number of channels needs. It
    /// does not grow with the recording.
    ///
    /// # Errors
    /// [`RecordingError::Resample`] as [`crate::resample()`].
    pub fn bytes(from_hz: f64, to_hz: f64, channels: usize) -> Result<u64, RecordingError> {
        /// Filter and transforms, for each sample of a block, as 64-bit floats, many of them
        /// complex: transforms of a prime length are computed by longer ones.
        const NUMBERS_OF_ALL: u64 = 18;
        /// Input, output, their copies in the filter, and what overlaps or waits.
        const NUMBERS_OF_A_CHANNEL: u64 = 8;
        let (from, to) = ratio(from_hz, to_hz)?;
        let (input, output) = blocks(from, to);
        let numbers = NUMBERS_OF_ALL + NUMBERS_OF_A_CHANNEL * channels as u64;
        Ok(numbers * 8 * (input + output) as u64)
    }

    /// The number of samples that a channel of `length` samples becomes.
    pub fn length_of(&self, length: u64) -> u64 {
        converted_length(length, (self.from, self.to))
    }

    /// Adds the next samples of each channel, all equally many, and returns those that are ready,
    /// `[C, T]`.
    ///
    /// # Errors
    /// [`RecordingError`] if a sample leaves the range of 32-bit floats, or the deadline has passed.
    pub fn push<'a>(
        &mut self,
        block: impl IntoIterator<Item = ArrayView1<'a, f32>>,
    ) -> Result<Array2<f32>, RecordingError> {
        let mut length = 0;
        for (waiting, samples) in self.waiting.iter_mut().zip(block) {
            length = samples.len();
            waiting.extend(samples.iter().map(|&x| f64::from(x)));
        }
        self.received += length as u64;
        let size = self.converter.block();
        let blocks = self.waiting.iter().map(Vec::len).min().unwrap_or(0) / size;
        let mut converted = vec![Vec::new(); self.waiting.len()];
        for block in 0..blocks {
            self.convert(block * size, &mut converted)?;
        }
        for waiting in &mut self.waiting {
            waiting.drain(..blocks * size);
        }
        self.trim(converted, u64::MAX).map(stack)
    }

    /// Returns the samples that are left at the end, `[C, T]`.
    ///
    /// # Errors
    /// [`RecordingError`] if the recording is so short that no sample is left, one leaves the range
    /// of 32-bit floats, or the deadline has passed.
    pub fn finish(&mut self) -> Result<Array2<f32>, RecordingError> {
        let length = self.length_of(self.received);
        if length == 0 {
            return Err(refused(TOO_SHORT));
        }
        let mut all = vec![Vec::new(); self.waiting.len()];
        while self.returned < length {
            let mut converted = vec![Vec::new(); self.waiting.len()];
            self.convert(0, &mut converted)?;
            // Silence follows.
            self.waiting.iter_mut().for_each(Vec::clear);
            for (all, samples) in all.iter_mut().zip(self.trim(converted, length)?) {
                all.extend(samples);
            }
        }
        Ok(stack(all))
    }

    /// Converts the block of each channel that starts at this waiting sample, and adds it to
    /// `converted`.
    fn convert(&mut self, start: usize, converted: &mut [Vec<f32>]) -> Result<(), RecordingError> {
        check_time(self.deadline)?;
        for (channel, waiting) in self.waiting.iter().enumerate() {
            self.converter.fill(channel, waiting.iter().copied().skip(start));
        }
        self.converter.convert()?;
        for (channel, samples) in converted.iter_mut().enumerate() {
            samples.extend(self.converter.converted(channel).iter().map(|&x| x as f32));
        }
        Ok(())
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

#[cfg(test)]
mod tests {
    use ndarray::{Axis, array, concatenate};
    use proptest::prelude::*;

    use super::*;
    use crate::{Limits, Recording, resample};

    const LIMITS: Limits = Limits::new(0, 2_000_000);

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
            let recording = Recording::new(samples, names, Some(from));
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
