//! From one sample rate to another while a recording comes, with the memory of a few blocks.
//!
//! It gives the samples that [`super::resample()`] gives for the whole recording.

use std::fmt;

use rubato::{Fft, Indexing, Resampler as _, audioadapter_buffers::direct::SequentialSlice};

use super::{
    RecordingError,
    resample::{ratio, refused, transform},
    select::check_finite,
};

/// Converts channels that are sampled together, block by block.
pub struct Resampler {
    from: usize,
    to: usize,
    channels: Vec<Conversion>,
    /// Samples of each channel that came.
    came: u64,
    /// Samples of each channel that were given.
    given: u64,
    /// Samples of the filter's delay that are still to be left out.
    delay: usize,
}

/// One channel's filter.
struct Conversion {
    filter: Fft<f64>,
    /// What came and does not fill a block yet.
    waiting: Vec<f64>,
    block: Vec<f64>,
}

impl fmt::Debug for Resampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, channels, .. } = self;
        write!(f, "Resampler({from}:{to}, {} channels)", channels.len())
    }
}

impl Resampler {
    /// A conversion of so many channels.
    ///
    /// # Errors
    /// [`RecordingError::Resample`] as [`super::resample()`].
    pub fn new(from_hz: f64, to_hz: f64, channels: usize) -> Result<Self, RecordingError> {
        let (from, to) = ratio(from_hz, to_hz)?;
        let conversion = || {
            let filter = transform(from, to)?;
            let block = vec![0.0; filter.output_frames_max()];
            Ok(Conversion { filter, waiting: Vec::new(), block })
        };
        let channels =
            (0..channels).map(|_| conversion()).collect::<Result<Vec<_>, RecordingError>>()?;
        let delay = channels.first().map_or(0, |channel| channel.filter.output_delay());
        Ok(Self { from, to, channels, came: 0, given: 0, delay })
    }

    /// Memory that a conversion between these rates takes for each channel, at most, in bytes; it does not grow with the
    /// recording.
    ///
    /// # Errors
    /// [`RecordingError::Resample`] as [`super::resample()`].
    pub fn bytes_of_a_channel(from_hz: f64, to_hz: f64) -> Result<u64, RecordingError> {
        /// Input, output, overlap, transforms and filter, each as 64-bit floats, some of them complex.
        const NUMBERS_OF_A_SAMPLE: u64 = 10;
        let (from, to) = ratio(from_hz, to_hz)?;
        let blocks = super::resample::FILTER.div_ceil(from.min(to)).next_multiple_of(2);
        Ok(NUMBERS_OF_A_SAMPLE * 8 * (blocks * (from + to)) as u64)
    }

    /// How many samples come out of a channel that has `length` of them.
    pub fn length_of(&self, length: u64) -> u64 {
        // Half up, as the whole conversion does it; 128 bits hold the product of any two lengths.
        let (from, to) = (self.from as u128, self.to as u128);
        u64::try_from((u128::from(length) * to * 2 + from) / (2 * from)).unwrap_or(u64::MAX)
    }

    /// Takes the next samples of each channel, and gives those that are ready, as many for each.
    ///
    /// # Errors
    /// [`RecordingError`] where a sample leaves the range of 32 bits.
    pub fn push(&mut self, block: &[&[f32]]) -> Result<Vec<Vec<f32>>, RecordingError> {
        self.came += block.first().map_or(0, |samples| samples.len()) as u64;
        for (channel, samples) in self.channels.iter_mut().zip(block) {
            channel.waiting.extend(samples.iter().map(|&x| f64::from(x)));
        }
        let made = self.channels.iter_mut().map(Conversion::convert_whole_blocks);
        let made = made.collect::<Result<Vec<_>, _>>()?;
        self.give(made, u64::MAX)
    }

    /// Gives what is left at the end.
    ///
    /// # Errors
    /// [`RecordingError`] where the recording is so short that no sample is left, or one leaves the range of 32 bits.
    pub fn finish(&mut self) -> Result<Vec<Vec<f32>>, RecordingError> {
        let length = self.length_of(self.came);
        if length == 0 {
            return Err(refused("it is so short that no sample would be left"));
        }
        let mut all = vec![Vec::new(); self.channels.len()];
        while self.given < length {
            let made = self.channels.iter_mut().map(Conversion::convert_rest);
            let made = made.collect::<Result<Vec<_>, _>>()?;
            for (all, given) in all.iter_mut().zip(self.give(made, length)?) {
                all.extend(given);
            }
        }
        Ok(all)
    }

    /// Leaves out the delay, and what is beyond the recording's length.
    fn give(&mut self, made: Vec<Vec<f32>>, length: u64) -> Result<Vec<Vec<f32>>, RecordingError> {
        let count = made.first().map_or(0, Vec::len);
        let delay = self.delay.min(count);
        self.delay -= delay;
        let room = usize::try_from(length - self.given).unwrap_or(usize::MAX);
        let first = self.given as usize;
        self.given += (count - delay).min(room) as u64;
        let cut = |(channel, mut samples): (usize, Vec<f32>)| {
            samples.drain(..delay);
            samples.truncate(room);
            check_finite(channel, first, &samples)?;
            Ok(samples)
        };
        made.into_iter().enumerate().map(cut).collect()
    }
}

impl Conversion {
    fn convert_whole_blocks(&mut self) -> Result<Vec<f32>, RecordingError> {
        let size = self.filter.input_frames_next();
        let whole = self.waiting.len() / size * size;
        let mut made = Vec::new();
        for first in (0..whole).step_by(size) {
            let block = &self.waiting[first..first + size];
            made.extend(convert(&mut self.filter, block, &mut self.block, None)?);
        }
        self.waiting.drain(..whole);
        Ok(made)
    }

    /// What waits, and then silence.
    fn convert_rest(&mut self) -> Result<Vec<f32>, RecordingError> {
        let size = self.filter.input_frames_next();
        let partial = self.waiting.len();
        self.waiting.resize(size, 0.0);
        let made = convert(&mut self.filter, &self.waiting, &mut self.block, Some(partial))?;
        self.waiting.clear();
        Ok(made)
    }
}

/// Converts one block, of which only `partial` samples count.
fn convert(
    filter: &mut Fft<f64>,
    input: &[f64],
    output: &mut [f64],
    partial: Option<usize>,
) -> Result<Vec<f32>, RecordingError> {
    let source = SequentialSlice::new(input, 1, input.len()).map_err(|e| refused(e.to_string()))?;
    let frames = output.len();
    let mut target =
        SequentialSlice::new_mut(output, 1, frames).map_err(|e| refused(e.to_string()))?;
    let indexing = Indexing {
        input_offset: 0,
        output_offset: 0,
        partial_len: partial,
        active_channels_mask: None,
    };
    let (_, made) = filter
        .process_into_buffer(&source, &mut target, Some(&indexing))
        .map_err(|e| refused(e.to_string()))?;
    Ok(output.iter().take(made).map(|&x| x as f32).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Channel, Limits, Recording, resample};

    const LIMITS: Limits = Limits { max_bytes: 0, max_samples: 2_000_000 };

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
            let channel = |samples: &[f32]| Channel { name: None, samples: samples.to_vec() };
            let recording = Recording { channels: vec![channel(&samples), channel(&other)], sample_rate_hz: Some(from) };
            let Ok(whole) = resample(&recording, to, &LIMITS) else { return Ok(()) };
            let mut resampler = Resampler::new(from, to, 2).unwrap();
            let mut found = vec![Vec::new(); 2];
            let mut add = |block: Vec<Vec<f32>>| {
                for (found, samples) in found.iter_mut().zip(block) {
                    found.extend(samples);
                }
            };
            for (a, b) in samples.chunks(step).zip(other.chunks(step)) {
                add(resampler.push(&[a, b]).unwrap());
            }
            add(resampler.finish().unwrap());
            for (found, channel) in found.iter().zip(&whole.channels) {
                prop_assert_eq!(found.len(), channel.samples.len());
                let error = found.iter().zip(&channel.samples).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                prop_assert!(error < 1e-6, "{}", error);
            }
        }
    }
}
