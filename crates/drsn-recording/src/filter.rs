//! The conversion of one channel between two sample rates, block by block, by the crate rubato.

use rubato::{
    Fft, FixedSync, Resampler as _, WindowFunction, audioadapter_buffers::direct::SequentialSlice,
};

use crate::RecordingError;

/// The conversion of one channel.
pub(crate) struct Converter {
    filter: Fft<f64>,
    /// A block before the conversion, padded with zeros.
    input: Vec<f64>,
    /// A block after it.
    output: Vec<f64>,
}

impl Converter {
    /// A conversion for rates in lowest terms, in blocks of `input` samples, an even multiple of
    /// `from`.
    pub(crate) fn new(from: usize, to: usize, input: usize) -> Result<Self, RecordingError> {
        let window = WindowFunction::BlackmanHarris2;
        let filter = Fft::<f64>::new_custom(from, to, input, 1, 1, window, FixedSync::Both)
            .map_err(failed)?;
        let input = vec![0.0; filter.input_frames_max()];
        let output = vec![0.0; filter.output_frames_max()];
        Ok(Self { filter, input, output })
    }

    /// Delay of the filter, in samples after the conversion.
    pub(crate) fn delay(&self) -> usize {
        self.filter.output_delay()
    }

    /// Samples in a block before the conversion.
    pub(crate) fn block(&self) -> usize {
        self.input.len()
    }

    /// Converts the next block, padded with zeros if it is shorter.
    pub(crate) fn convert(
        &mut self,
        block: impl IntoIterator<Item = f64>,
    ) -> Result<&[f64], RecordingError> {
        self.input.fill(0.0);
        for (input, sample) in self.input.iter_mut().zip(block) {
            *input = sample;
        }
        let (received, room) = (self.input.len(), self.output.len());
        let source = SequentialSlice::new(&self.input, 1, received).map_err(failed)?;
        let mut target = SequentialSlice::new_mut(&mut self.output, 1, room).map_err(failed)?;
        let (_, converted) =
            self.filter.process_into_buffer(&source, &mut target, None).map_err(failed)?;
        Ok(&self.output[..converted])
    }
}

#[expect(clippy::needless_pass_by_value, reason = "as map_err calls it")]
fn failed(error: impl ToString) -> RecordingError {
    RecordingError::Resample(error.to_string())
}
