//! Cuts a signal into windows as it arrives, resampled if requested, in the memory of about two
//! windows.

mod cutter;

use drsn_bundle::{PaddingError, SignalSpec};
use drsn_recording::{Notice, Resampler};
use ndarray::ArrayView2;

use super::{prepare::prepare_error, recording::recording_error};
use crate::error::ApiError;
pub(crate) use cutter::WindowCutter;
use cutter::hop;

/// Limit of the samples of a channel for each [`Windower::push`].
pub(crate) const BLOCK: usize = 1 << 14;

/// Resamples one recording and cuts it into windows `[C, window]`.
#[derive(Debug)]
pub(crate) struct Windower {
    resampler: Option<Resampler>,
    cutter: WindowCutter,
    /// Samples of each channel received so far, before resampling.
    received: usize,
}

impl Windower {
    /// A windower for a model's signals; `rates` are the recording's and the model's, if they
    /// differ.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::error::ErrorKind::InvalidArgument) if resampling
    /// between the rates is not supported.
    pub(crate) fn new(
        spec: &SignalSpec,
        overlap: f64,
        rates: Option<(f64, f64)>,
    ) -> Result<Self, ApiError> {
        let resampler = rates.map(|(from, to)| Resampler::new(from, to, spec.channels));
        let cutter = WindowCutter::new(spec.channels, spec.window, overlap);
        Ok(Self {
            resampler: resampler.transpose().map_err(|e| recording_error(&e))?,
            cutter,
            received: 0,
        })
    }

    /// Limit of its memory, in bytes, if each push has at most [`BLOCK`] samples.
    ///
    /// # Errors
    /// As [`Windower::new`].
    pub(crate) fn bytes(
        spec: &SignalSpec,
        overlap: f64,
        rates: Option<(f64, f64)>,
    ) -> Result<u64, ApiError> {
        let channels = spec.channels as u64;
        let (resampling, factor) = match rates {
            None => (0, 1),
            Some((from, to)) => {
                let resampling = Resampler::bytes(from, to, spec.channels);
                (resampling.map_err(|e| recording_error(&e))?, (to / from).ceil() as u64)
            }
        };
        // Vectors double as they grow.
        let samples = 2 * (3 * spec.window + hop(spec.window, overlap).get()) as u64
            + 4 * BLOCK as u64 * factor;
        Ok(resampling + channels * size_of::<f32>() as u64 * samples)
    }

    /// Whether it resamples, which takes longer than to cut.
    pub(crate) fn resamples(&self) -> bool {
        self.resampler.is_some()
    }

    /// Samples of each window.
    pub(crate) fn window(&self) -> usize {
        self.cutter.window()
    }

    /// Windows of a recording of `length` samples.
    pub(crate) fn count_of_windows(&self, length: u64) -> u64 {
        let length = self.resampler.as_ref().map_or(length, |r| r.length_of(length));
        self.cutter.count_of_windows(length)
    }

    /// Adds the next samples, `[C, T]`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::error::ErrorKind::InvalidArgument) if one is not
    /// finite.
    #[expect(clippy::needless_pass_by_value, reason = "a view is as cheap as a reference to one")]
    pub(crate) fn push(&mut self, block: ArrayView2<'_, f32>) -> Result<(), ApiError> {
        for (channel, samples) in block.outer_iter().enumerate() {
            if let Some((index, sample)) = samples.iter().enumerate().find(|(_, x)| !x.is_finite())
            {
                return Err(ApiError::invalid(format!(
                    "sample {} of channel {channel} is not a finite 32-bit number: {sample}",
                    self.received + index,
                )));
            }
        }
        self.received += block.ncols();
        match &mut self.resampler {
            None => self.cutter.push(block),
            Some(resampler) => {
                let converted = resampler.push(block.outer_iter());
                self.cutter.push(converted.map_err(|e| recording_error(&e))?.view());
            }
        }
        Ok(())
    }

    /// Ends the recording. One that is shorter than a window is extended, if the model was trained
    /// so, which the notice tells.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`](crate::error::ErrorKind::InvalidArgument) if it is too short.
    pub(crate) fn finish(&mut self, spec: &SignalSpec) -> Result<Option<Notice>, ApiError> {
        if self.received == 0 {
            return Err(ApiError::invalid("the recording is empty: it has no samples".to_owned()));
        }
        if let Some(resampler) = &mut self.resampler {
            let converted = resampler.finish().map_err(|e| recording_error(&e))?;
            self.cutter.push(converted.view());
        }
        self.cutter.end();
        self.cutter.pad(spec).map_err(|error| match error {
            PaddingError::Constant(constant) => prepare_error(&constant),
            error @ (PaddingError::Unpadded { .. } | PaddingError::TooShort { .. }) => {
                let length = self.cutter.length();
                let resampled = if self.resampler.is_some() { " at the model's rate" } else { "" };
                ApiError::invalid(format!(
                    "the recording is too short: it has {length} samples per channel{resampled}, but {error}"
                ))
            }
        })
    }

    /// Appends the next window to `values` and returns where it starts; `None` if it needs more
    /// samples or there is no further window.
    pub(crate) fn next_window(&mut self, values: &mut Vec<f32>) -> Option<usize> {
        self.cutter.next_window(values)
    }
}

#[cfg(test)]
mod tests {
    use drsn_bundle::Normalization;
    use drsn_recording::aligned_windows;
    use ndarray::{Array2, Axis, aview2, s};
    use proptest::prelude::*;

    use super::*;

    fn spec(channels: usize, window: usize) -> SignalSpec {
        SignalSpec {
            channels,
            window,
            sample_rate_hz: None,
            normalization: Normalization::None,
            source: None,
            padding: None,
        }
    }

    proptest! {
        #[test]
        fn pieces_of_any_size_give_the_windows_of_the_whole(
            length in 1_usize..400, window in 1_usize..40, overlap in 0.0_f64..0.999, step in 1_usize..100
        ) {
            let signal = Array2::from_shape_fn((2, length), |(channel, n)| (1000 * channel + n) as f32);
            let spec = spec(2, window);
            let mut windower = Windower::new(&spec, overlap, None).unwrap();
            let mut found = Vec::new();
            let take = |windower: &mut Windower, found: &mut Vec<(usize, Vec<f32>)>| {
                let mut values = Vec::new();
                while let Some(start) = windower.next_window(&mut values) {
                    found.push((start, std::mem::take(&mut values)));
                }
            };
            for block in signal.axis_chunks_iter(Axis(1), step) {
                windower.push(block).unwrap();
                take(&mut windower, &mut found);
            }
            prop_assert_eq!(windower.finish(&spec).is_ok(), length >= window);
            take(&mut windower, &mut found);
            let expected: Vec<(usize, Vec<f32>)> = aligned_windows(length, window, hop(window, overlap))
                .map(|w| (w.start, signal.slice(s![.., w]).iter().copied().collect()))
                .collect();
            prop_assert_eq!(windower.count_of_windows(length as u64), expected.len() as u64);
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn what_is_short_empty_or_not_finite_is_refused_in_a_sentence() {
        let spec = spec(1, 4);
        let mut windower = Windower::new(&spec, 0.0, None).unwrap();
        let sentence =
            |error: Option<ApiError>| error.map(|error| error.detail).unwrap_or_default();
        assert!(sentence(windower.finish(&spec).err()).contains("empty"));
        windower.push(aview2(&[[1.0, 2.0]])).unwrap();
        assert_eq!(
            sentence(windower.push(aview2(&[[1.0, f32::NAN]])).err()),
            "sample 3 of channel 0 is not a finite 32-bit number: NaN"
        );
        assert_eq!(
            sentence(windower.finish(&spec).err()),
            "the recording is too short: it has 2 samples per channel, but this model's window needs \
             4: record more, or train a model that extends short recordings with data.padding"
        );
    }
}
