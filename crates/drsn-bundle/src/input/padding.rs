//! Recordings that are shorter than a window: extended to one, in training and in serving alike.

use ndarray::{Array2, ArrayView1, ArrayView2};
use serde::{Deserialize, Serialize};

use super::{Normalization, PrepareError, SignalSpec};

/// A recording has at least the window's length divided by this, so that most of what is classified
/// is not made up altogether.
const LEAST_SHARE: usize = 16;

/// How a recording of fewer samples than a window is extended at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Padding {
    /// By zeros.
    Zero,
    /// By itself from its beginning, over and over: `numpy.pad` with the mode `wrap`.
    Repeat,
    /// By itself backwards and forwards, without repeating the sample at which it turns:
    /// `numpy.pad` with the mode `reflect`.
    Reflect,
}

/// A recording that cannot be extended to a window.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PaddingError {
    /// The model was trained without padding.
    #[error(
        "this model's window needs {window}: record more, or train a model that extends short \
         recordings with data.padding"
    )]
    Unpadded {
        /// Samples of a window.
        window: usize,
    },
    /// There is less than a sixteenth of a window.
    #[error("this model's window needs {window}, and is extended to them from {least} on")]
    TooShort {
        /// Samples of a window.
        window: usize,
        /// The fewest samples that are extended.
        least: usize,
    },
    /// A channel is constant, and would have to be normalised.
    #[error(transparent)]
    Constant(PrepareError),
}

impl SignalSpec {
    /// The fewest samples of each channel of a recording: a window, or with padding a sixteenth of
    /// one.
    pub fn least_samples(&self) -> usize {
        self.padding.map_or(self.window, |_| self.window.div_ceil(LEAST_SHARE))
    }

    /// Extends a recording `[C, T]` of fewer samples than a window to one, `[C, window]`, before it
    /// is normalised.
    ///
    /// # Errors
    /// [`PaddingError`] if it has fewer samples than [`Self::least_samples`], or a channel that is
    /// to be normalised is constant as far as it was recorded.
    pub fn padded(&self, samples: &ArrayView2<'_, f32>) -> Result<Array2<f32>, PaddingError> {
        let (window, least) = (self.window, self.least_samples());
        let padding = self.padding.ok_or(PaddingError::Unpadded { window })?;
        if samples.ncols() < least {
            return Err(PaddingError::TooShort { window, least });
        }
        if matches!(self.normalization, Normalization::ZScore { .. }) {
            let constant = samples.rows().into_iter().enumerate().find_map(constant);
            constant.map_or(Ok(()), |constant| Err(PaddingError::Constant(constant)))?;
        }
        let mut padded = Array2::zeros((samples.nrows(), window));
        for (samples, mut padded) in samples.outer_iter().zip(padded.outer_iter_mut()) {
            for (at, value) in padded.iter_mut().enumerate() {
                let source = padding.source(at, samples.len()).and_then(|at| samples.get(at));
                *value = source.copied().unwrap_or_default();
            }
        }
        Ok(padded)
    }
}

/// The error of a channel that never changes.
fn constant((channel, samples): (usize, ArrayView1<'_, f32>)) -> Option<PrepareError> {
    let value = *samples.first()?;
    #[expect(clippy::float_cmp, reason = "constant means equal to the last bit")]
    let is_constant = samples.iter().all(|&sample| sample == value);
    is_constant.then_some(PrepareError::Constant { channel, value })
}

impl Padding {
    /// The sample of a channel of `length` samples that stands at a place of the window; none is
    /// zero.
    fn source(self, at: usize, length: usize) -> Option<usize> {
        match self {
            Self::Zero => (at < length).then_some(at),
            Self::Repeat => at.checked_rem(length),
            Self::Reflect => {
                let period = (2 * length).saturating_sub(2).max(1);
                let at = at % period;
                Some(at.min(period - at))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{array, aview2};
    use proptest::prelude::*;

    use super::*;

    fn spec(window: usize, padding: Option<Padding>) -> SignalSpec {
        SignalSpec {
            channels: 1,
            window,
            sample_rate_hz: None,
            normalization: Normalization::ZScore { epsilon: 1e-8 },
            source: None,
            padding,
        }
    }

    /// As numpy.pad has it: `np.pad([1, 2, 3], (0, 8), mode)`.
    #[test]
    fn a_short_recording_is_extended_as_numpy_does() {
        let extended = |padding, samples: &[[f32; 3]]| {
            spec(11, Some(padding)).padded(&aview2(samples)).unwrap()
        };
        let samples = [[1.0, 2.0, 3.0], [4.0, 6.0, 5.0]];
        for (padding, first) in [
            (Padding::Zero, [1., 2., 3., 0., 0., 0., 0., 0., 0., 0., 0.]),
            (Padding::Repeat, [1., 2., 3., 1., 2., 3., 1., 2., 3., 1., 2.]),
            (Padding::Reflect, [1., 2., 3., 2., 1., 2., 3., 2., 1., 2., 3.]),
        ] {
            let found = extended(padding, &samples);
            assert_eq!(found.row(0).to_vec(), first);
            assert_eq!(found.row(1).to_vec()[..3], samples[1]);
        }
    }

    #[test]
    fn what_is_too_short_or_constant_is_not_extended() {
        let zero = spec(32, Some(Padding::Zero));
        assert_eq!((zero.least_samples(), spec(33, zero.padding).least_samples()), (2, 3));
        assert_eq!(spec(32, None).least_samples(), 32);
        let one = array![[1.0]];
        assert_eq!(zero.padded(&one.view()), Err(PaddingError::TooShort { window: 32, least: 2 }));
        assert_eq!(spec(32, None).padded(&one.view()), Err(PaddingError::Unpadded { window: 32 }));
        // Zeros behind a dead sensor's value would look like a signal.
        let still = array![[1.0, 2.0], [0.5, 0.5]];
        let constant = PrepareError::Constant { channel: 1, value: 0.5 };
        assert_eq!(zero.padded(&still.view()), Err(PaddingError::Constant(constant)));
        let raw = SignalSpec { normalization: Normalization::None, ..zero };
        assert!(raw.padded(&still.view()).is_ok());
    }

    proptest! {
        /// Going over the recording step by step, back and forth or from its beginning again.
        #[test]
        fn every_sample_behind_the_end_is_the_one_that_the_rule_leads_to(
            length in 1_usize..40, more in 0_usize..600
        ) {
            let (mut at, mut forwards) = (0, true);
            for place in 1..length + more {
                if at + 1 == length { forwards = false; }
                if at == 0 { forwards = true; }
                at = if length == 1 { 0 } else if forwards { at + 1 } else { at - 1 };
                if place >= length {
                    prop_assert_eq!(Padding::Reflect.source(place, length), Some(at));
                    prop_assert_eq!(Padding::Repeat.source(place, length), Some(place % length));
                    prop_assert_eq!(Padding::Zero.source(place, length), None);
                }
            }
        }
    }
}
