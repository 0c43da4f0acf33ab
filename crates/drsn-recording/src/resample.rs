//! Conversion of a whole recording to another sample rate.
//!
//! The crate rubato does it by Fourier transforms. It removes what the lower of the two rates cannot
//! represent, and keeps everything up to 97 % of half that rate; the filter's delay is taken out.
//! Beyond its ends a recording counts as silent, so its first and last samples are attenuated.

use std::time::Duration;

use ndarray::Array2;

use crate::{
    Limits, Recording, RecordingError,
    error::refused,
    filter::{Conversion, Converter},
    select::check_finite,
};

/// The largest factor between two rates, and the largest term of their ratio in lowest terms. Both
/// bound the length of the transform: the slowest takes some 30 ms to plan, and 10 ms for each block.
const MAX_FACTOR: usize = 128;
const MAX_TERM: usize = 25_000;
/// Length of the filter in samples of the lower rate.
const FILTER: usize = 1024;

/// The recording at `to_hz` samples per second: each channel of L samples gets
/// round(L · `to_hz` / rate) of them.
///
/// # Errors
/// [`RecordingError::Resample`] if the recording's rate is not known, a rate is not positive or not
/// a whole number of millihertz, or their ratio is beyond 128, needs terms above 25,000 or leaves
/// no sample; [`RecordingError::TooManySamples`] if the result would exceed `limits`, as a file may
/// declare a rate of 1 Hz; [`RecordingError::TimeUp`].
pub fn resample(
    recording: &Recording,
    to_hz: f64,
    limits: &Limits,
) -> Result<Recording, RecordingError> {
    let from_hz = recording
        .sample_rate_hz
        .ok_or_else(|| refused("its sample rate is not known: the file does not state it"))?;
    let (from, to) = ratio(from_hz, to_hz)?;
    let length = converted_length(recording.len() as u64, (from, to));
    limits.check_shape([length, recording.channels() as u64])?;
    if from == to {
        return Ok(recording.clone());
    }
    if length == 0 {
        return Err(refused(TOO_SHORT));
    }
    let mut samples = Array2::zeros((recording.channels(), length as usize));
    let mut converter = converter((from, to), 1)?;
    for (source, mut target) in recording.samples.rows().into_iter().zip(samples.rows_mut()) {
        converter.reset();
        let size = converter.block();
        let mut source = source.iter().map(|&x| f64::from(x));
        let mut remaining = target.iter_mut();
        let mut delay = converter.delay();
        while remaining.len() > 0 {
            limits.check_time()?;
            converter.fill(0, source.by_ref().take(size));
            converter.convert()?;
            for (&sample, target) in converter.converted(0).iter().skip(delay).zip(&mut remaining) {
                *target = sample as f32;
            }
            delay = 0;
        }
        // The filter can exceed the range of 32-bit floats.
        check_finite(0, 0, &target)?;
    }
    Ok(Recording {
        samples,
        names: recording.names.clone(),
        sample_rate_hz: Some(to_hz),
        rate_source: recording.rate_source,
        variable: recording.variable.clone(),
        notices: recording.notices.clone(),
    })
}

/// Why a very short recording is rejected.
pub(crate) const TOO_SHORT: &str = "it is so short that no sample would be left";

/// Samples that `length` samples become, rounded half up, for rates in lowest terms.
pub(crate) fn converted_length(length: u64, (from, to): (usize, usize)) -> u64 {
    // 128 bits hold the product of any two lengths.
    let (from, to) = (from as u128, to as u128);
    u64::try_from((u128::from(length) * to * 2 + from) / (2 * from)).unwrap_or(u64::MAX)
}

/// Sizes of the blocks that are converted at a time, for rates in lowest terms.
pub(crate) fn blocks(from: usize, to: usize) -> (usize, usize) {
    // An even number of terms makes the delay a whole number of samples.
    let terms = FILTER.div_ceil(from.min(to)).next_multiple_of(2);
    (terms * from, terms * to)
}

/// The conversion of some channels, for rates in lowest terms.
pub(crate) fn converter(
    (from, to): (usize, usize),
    channels: usize,
) -> Result<Converter, RecordingError> {
    Converter::new(Conversion { from, to, block: blocks(from, to).0, channels })
}

/// Upper bound of the time to convert a recording, on one core of a server processor of 2020: twice
/// what the slowest ratio needed there.
pub(crate) fn work((from, to): (usize, usize), channels: usize, length: u64) -> Duration {
    /// Of each sample of a block before and after the conversion, in nanoseconds.
    const PLANNING: u64 = 400;
    const CONVERTING: u64 = 160;
    let (input, output) = blocks(from, to);
    let numbers = (input + output) as u64;
    // The filter's delay is half a block, and the last block may be short.
    let blocks = (length / input as u64).saturating_add(2).saturating_mul(channels as u64);
    let converting = blocks.saturating_mul(CONVERTING * numbers);
    Duration::from_nanos(converting.saturating_add(PLANNING * numbers))
}

/// Both rates divided by their greatest common divisor.
pub(crate) fn ratio(from_hz: f64, to_hz: f64) -> Result<(usize, usize), RecordingError> {
    // Up to here every whole number of millihertz is exact.
    let thousandths = |hz: f64| (hz * 1000.0).round();
    let valid = |hz: f64| thousandths(hz) >= 1.0 && hz < 1e12;
    let exact = |hz: f64| (hz * 1000.0 - thousandths(hz)).abs() < 1e-3;
    if ![from_hz, to_hz].iter().all(|&hz| valid(hz) && exact(hz)) {
        return Err(refused(format!(
            "the rates {from_hz} Hz and {to_hz} Hz must be positive whole numbers of millihertz"
        )));
    }
    let (from, to) = (thousandths(from_hz) as usize, thousandths(to_hz) as usize);
    let divisor = greatest_common_divisor(from, to);
    let (from, to) = (from / divisor, to / divisor);
    if from.max(to) > MAX_TERM || from.max(to) / from.min(to) > MAX_FACTOR {
        return Err(refused(format!(
            "the ratio of {from_hz} Hz to {to_hz} Hz, {from}:{to}, must be below {MAX_FACTOR}, \
             with terms of at most {MAX_TERM}"
        )));
    }
    Ok((from, to))
}

/// By Euclid.
fn greatest_common_divisor(mut a: usize, mut b: usize) -> usize {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use proptest::prelude::*;

    use super::*;

    const LIMITS: Limits = Limits::new(0, 2_000_000);

    fn sine(hz: f64, rate: f64, length: usize) -> Vec<f32> {
        (0..length).map(|i| (TAU * hz * i as f64 / rate).sin() as f32).collect()
    }

    fn recording(samples: Vec<f32>, rate: f64) -> Recording {
        let samples = Array2::from_shape_vec((1, samples.len()), samples).unwrap();
        let names = vec![Some("x".to_owned())];
        Recording::new(samples, names, Some(rate))
    }

    fn converted(hz: f64, from: f64, to: f64, length: usize) -> Vec<f32> {
        let source = recording(sine(hz, from, length), from);
        let Recording { samples, names, sample_rate_hz, .. } =
            resample(&source, to, &LIMITS).unwrap();
        assert_eq!(sample_rate_hz, Some(to));
        assert_eq!(names, source.names);
        samples.row(0).to_vec()
    }

    /// The middle half: the silence around a recording affects half a filter's length at each end.
    fn middle(samples: &[f32]) -> &[f32] {
        &samples[samples.len() / 4..samples.len() / 4 * 3]
    }

    fn largest(samples: impl Iterator<Item = f32>) -> f32 {
        samples.map(f32::abs).fold(0.0, f32::max)
    }

    const RATES: [(f64, f64); 7] = [
        (48_000.0, 12_000.0),
        (12_000.0, 48_000.0),
        (44_100.0, 12_000.0),
        (25_600.0, 12_000.0),
        (51_200.0, 48_000.0),
        (12_000.5, 12_000.0),
        (11_999.0, 12_000.0),
    ];

    #[test]
    fn a_sine_keeps_its_amplitude_and_phase() {
        for (from, to) in RATES {
            for hz in [50.0, 997.0, 0.485 * from.min(to)] {
                let found = converted(hz, from, to, 120_000);
                let expected = sine(hz, to, found.len());
                // Sample by sample, so that both amplitude and phase are checked.
                let pairs = middle(&found).iter().zip(middle(&expected));
                let error = largest(pairs.map(|(a, b)| a - b));
                assert!(error < 1e-4, "{hz} Hz, {from} to {to}: {error}");
            }
        }
    }

    #[test]
    fn what_the_new_rate_cannot_represent_is_removed() {
        for hz in [6_010.0, 7_000.0, 11_000.0, 23_000.0] {
            let found = converted(hz, 48_000.0, 12_000.0, 24_000);
            let left = largest(middle(&found).iter().copied());
            assert!(left < 1e-3, "{hz}: {left}");
        }
    }

    #[test]
    fn false_rates_are_rejected_before_any_work() {
        for (from, to, message) in [
            (1.0, 48_000.0, "the ratio of 1 Hz to 48000 Hz, 1:48000, must be below 128"),
            (f64::NAN, 1.0, "the rates NaN Hz and 1 Hz must be positive"),
            (48_000.0, 0.0, "the rates 48000 Hz and 0 Hz must be positive"),
            (1e-7, 1.0, "the rates 0.0000001 Hz and 1 Hz must be positive"),
            (1.0, 0.000_499, "the rates 1 Hz and 0.000499 Hz must be positive"),
            (99_991.0, 48_000.0, "the ratio of 99991 Hz to 48000 Hz, 99991:48000, must be"),
            (48_000.0, 12_000.000_4, "the rates 48000 Hz and 12000.0004 Hz must be"),
            (4_294_967_295.0, 4_294_967_294.0, "the ratio of 4294967295 Hz to"),
        ] {
            let error = resample(&recording(vec![1.0], from), to, &LIMITS).unwrap_err().to_string();
            assert!(error.starts_with(&format!("it cannot be resampled: {message}")), "{error}");
        }
        let error = resample(&recording(vec![0.0; 100_000], 48.0), 4_800.0, &LIMITS).unwrap_err();
        assert!(error.to_string().starts_with("it has 10000000 samples"), "{error}");
        let mut unknown = recording(vec![1.0], 1.0);
        unknown.sample_rate_hz = None;
        assert!(resample(&unknown, 1.0, &LIMITS).unwrap_err().to_string().contains("not known"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        #[test]
        fn the_length_is_rounded_whatever_it_is(
            length in 1_usize..6000, pair in prop::sample::select(RATES.to_vec())
        ) {
            let (from, to) = pair;
            let expected = (length as f64 * to / from).round() as usize;
            let result = resample(&recording(vec![0.5; length], from), to, &LIMITS);
            prop_assert_eq!(result.map_or(0, |r| r.len()), expected);
        }
    }
}
