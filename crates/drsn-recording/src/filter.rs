//! The conversion of channels between two sample rates, block by block, by the crate rubato.
//!
//! Planning the transforms takes longer than converting a block, so converters are used again: some
//! that are idle are kept.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Mutex, MutexGuard, PoisonError},
};

use rubato::{
    Fft, FixedSync, Resampler as _, WindowFunction, audioadapter_buffers::direct::SequentialSlice,
};

use crate::{RecordingError, error::refused};

/// Most idle converters, and most numbers in the blocks of all of them: 40 MB with their filters.
const MAX_IDLE: usize = 16;
const MAX_IDLE_NUMBERS: usize = 192 << 10;

static IDLE: Mutex<VecDeque<Engine>> = Mutex::new(VecDeque::new());

/// A conversion between two rates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Conversion {
    /// The rates, in lowest terms.
    pub(crate) from: usize,
    pub(crate) to: usize,
    /// Samples in a block before the conversion, an even multiple of `from`.
    pub(crate) block: usize,
    pub(crate) channels: usize,
}

/// A converter of some channels. It is idle again when this is dropped.
pub(crate) struct Converter {
    /// Nothing after a panic in the filter, which may leave it in any state.
    engine: Option<Engine>,
    block: usize,
    delay: usize,
}

struct Engine {
    conversion: Conversion,
    filter: Fft<f64>,
    /// A block before the conversion, one channel after another.
    input: Vec<f64>,
    /// A block after it.
    output: Vec<f64>,
}

impl Converter {
    /// An idle converter of this kind, or else a new one.
    pub(crate) fn new(conversion: Conversion) -> Result<Self, RecordingError> {
        let mut idle = idle();
        let position = idle.iter().position(|engine| engine.conversion == conversion);
        let found = position.and_then(|position| idle.remove(position));
        // Others need not wait for the plan of a new one.
        drop(idle);
        let engine = found.map_or_else(|| Engine::new(conversion), Ok)?;
        let (block, delay) = (engine.filter.input_frames_max(), engine.filter.output_delay());
        Ok(Self { engine: Some(engine), block, delay })
    }

    /// Delay of the filter, in samples after the conversion.
    pub(crate) fn delay(&self) -> usize {
        self.delay
    }

    /// Samples of each channel in a block before the conversion.
    pub(crate) fn block(&self) -> usize {
        self.block
    }

    /// Begins another recording.
    pub(crate) fn reset(&mut self) {
        if let Some(engine) = &mut self.engine {
            engine.filter.reset();
        }
    }

    /// Sets the next block of a channel, padded with zeros if it is shorter.
    pub(crate) fn fill(&mut self, channel: usize, samples: impl IntoIterator<Item = f64>) {
        let Some(engine) = &mut self.engine else { return };
        let block = engine.input.chunks_exact_mut(self.block).nth(channel).unwrap_or_default();
        block.fill(0.0);
        for (input, sample) in block.iter_mut().zip(samples) {
            *input = sample;
        }
    }

    /// Converts the block of every channel.
    pub(crate) fn convert(&mut self) -> Result<(), RecordingError> {
        let mut engine = self.engine.take().ok_or_else(|| refused(PANIC))?;
        let converted = contained(|| engine.convert());
        // A filter that panicked is not used again.
        self.engine = converted.is_ok().then_some(engine);
        converted
    }

    /// The converted block of a channel.
    pub(crate) fn converted(&self, channel: usize) -> &[f64] {
        let Some(Engine { filter, output, .. }) = &self.engine else { return &[] };
        output.chunks_exact(filter.output_frames_max()).nth(channel).unwrap_or_default()
    }
}

impl Drop for Converter {
    fn drop(&mut self) {
        let Some(mut engine) = self.engine.take() else { return };
        engine.filter.reset();
        let mut idle = idle();
        idle.push_back(engine);
        // The oldest make room.
        while idle.len() > MAX_IDLE
            || idle.iter().map(Engine::numbers).sum::<usize>() > MAX_IDLE_NUMBERS
        {
            idle.pop_front();
        }
    }
}

impl Engine {
    fn new(conversion: Conversion) -> Result<Self, RecordingError> {
        let Conversion { from, to, block, channels } = conversion;
        let (window, fixed) = (WindowFunction::BlackmanHarris2, FixedSync::Both);
        let filter = contained(|| {
            Fft::new_custom(from, to, block, 1, channels, window, fixed).map_err(failed)
        })?;
        let input = vec![0.0; channels * filter.input_frames_max()];
        let output = vec![0.0; channels * filter.output_frames_max()];
        Ok(Self { conversion, filter, input, output })
    }

    fn convert(&mut self) -> Result<(), RecordingError> {
        let Self { conversion, filter, input, output } = self;
        let (received, room) = (filter.input_frames_max(), filter.output_frames_max());
        let channels = conversion.channels;
        let source = SequentialSlice::new(&*input, channels, received).map_err(failed)?;
        let mut target = SequentialSlice::new_mut(output, channels, room).map_err(failed)?;
        filter.process_into_buffer(&source, &mut target, None).map_err(failed)?;
        Ok(())
    }

    /// Numbers in its blocks.
    fn numbers(&self) -> usize {
        self.input.len() + self.output.len()
    }
}

/// Those that wait for the next recording. A panic while they are locked leaves them sound.
fn idle() -> MutexGuard<'static, VecDeque<Engine>> {
    IDLE.lock().unwrap_or_else(PoisonError::into_inner)
}

const PANIC: &str = "the conversion between its rates failed";

/// Runs the filter, which is not ours: a panic in it rejects the recording.
fn contained<T>(run: impl FnOnce() -> Result<T, RecordingError>) -> Result<T, RecordingError> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Err(refused(PANIC)))
}

#[expect(clippy::needless_pass_by_value, reason = "as map_err calls it")]
fn failed(error: impl ToString) -> RecordingError {
    refused(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_converters_are_few_and_small() {
        for number in 0..40 {
            let (from, to) = (1000 + 2 * number, 999);
            let conversion = Conversion { from, to, block: 2 * from, channels: 1 + number % 3 };
            drop(Converter::new(conversion).unwrap());
            let idle = idle();
            assert!(idle.len() <= MAX_IDLE);
            assert!(idle.iter().map(Engine::numbers).sum::<usize>() <= MAX_IDLE_NUMBERS);
        }
        let large = Conversion { from: 1, to: 256, block: 1024, channels: 9 };
        drop(Converter::new(large).unwrap());
        assert!(idle().iter().all(|engine| engine.conversion != large));
    }

    #[test]
    fn a_converter_that_was_used_before_begins_from_silence() {
        let conversion = Conversion { from: 7, to: 5, block: 14, channels: 2 };
        let converted = || {
            let mut converter = Converter::new(conversion).unwrap();
            converter.fill(0, [1.0; 14]);
            converter.fill(1, [2.0; 14]);
            converter.convert().unwrap();
            [converter.converted(0).to_vec(), converter.converted(1).to_vec()]
        };
        let first = converted();
        assert_ne!(first[0], first[1]);
        assert_eq!(converted(), first);
    }

    #[test]
    fn a_panic_in_the_filter_rejects_the_recording() {
        let error = contained(|| -> Result<(), _> { std::panic::resume_unwind(Box::new(1)) });
        assert_eq!(error.unwrap_err().to_string(), format!("it cannot be resampled: {PANIC}"));
    }
}
