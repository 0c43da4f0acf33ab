//! From one sample rate to another.
//!
//! The crate rubato does it by Fourier transforms: what the lower of the two rates cannot carry is removed, up to 97 % of
//! half that rate all is kept, and the filter's delay is taken out again. Beyond its ends a recording counts as silent, so
//! that its first and last samples are weaker than they were.

use rubato::{
    Fft, FixedSync, Resampler as _, WindowFunction, audioadapter_buffers::direct::SequentialSlice,
};

use super::{Channel, Limits, Recording, RecordingError};

/// The largest factor between two rates, and the largest term of their ratio in lowest terms; both bound the transform.
const LARGEST_FACTOR: usize = 256;
const LARGEST_TERM: usize = 100_000;
/// Length of the filter in samples of the lower rate.
pub(super) const FILTER: usize = 1024;

/// The recording at `to_hz` samples in a second, each channel with round(L · `to_hz` / rate) of its L samples.
///
/// # Errors
/// [`RecordingError::Resample`] where the recording's rate is not known, a rate is not positive or not a whole number of
/// millihertz, or their ratio is beyond 256, needs terms above 100,000 or leaves no sample, and
/// [`RecordingError::TooManySamples`] where the result would exceed `limits`: a file can claim a rate of 1 Hz.
pub fn resample(
    recording: &Recording,
    to_hz: f64,
    limits: &Limits,
) -> Result<Recording, RecordingError> {
    let from_hz = recording
        .sample_rate_hz
        .ok_or_else(|| refused("its sample rate is not known: the file does not say it"))?;
    let (from, to) = ratio(from_hz, to_hz)?;
    // Half up; 128 bits hold the product of any two lengths.
    let length = (recording.len() as u128 * to as u128 * 2 + from as u128) / (2 * from as u128);
    let length = u64::try_from(length).unwrap_or(u64::MAX);
    limits.check_shape([length, recording.channels.len() as u64])?;
    if from == to {
        return Ok(recording.clone());
    }
    if length == 0 {
        return Err(refused("it is so short that no sample would be left"));
    }
    let mut resampler = transform(from, to)?;
    let channels = recording.channels.iter().map(|channel| {
        let samples = convert(&mut resampler, &channel.samples, length as usize)?;
        Ok(Channel { name: channel.name.clone(), samples })
    });
    let channels = channels.collect::<Result<_, RecordingError>>()?;
    Ok(Recording { channels, sample_rate_hz: Some(to_hz) })
}

/// The conversion of one channel, for rates in lowest terms.
pub(super) fn transform(from: usize, to: usize) -> Result<Fft<f64>, RecordingError> {
    // An even number of blocks gives both filters a whole number of samples as delay.
    let blocks = FILTER.div_ceil(from.min(to)).next_multiple_of(2);
    let window = WindowFunction::BlackmanHarris2;
    Fft::<f64>::new_custom(from, to, blocks * from, 1, 1, window, FixedSync::Both)
        .map_err(|error| refused(error.to_string()))
}

fn convert(
    resampler: &mut Fft<f64>,
    samples: &[f32],
    length: usize,
) -> Result<Vec<f32>, RecordingError> {
    let input: Vec<f64> = samples.iter().map(|&x| f64::from(x)).collect();
    let adapter = SequentialSlice::new(&input[..], 1, input.len())
        .map_err(|error| refused(error.to_string()))?;
    let output = resampler
        .process_all(&adapter, input.len(), None)
        .map_err(|error| refused(error.to_string()))?;
    // It makes as many as the ratio gives, rounded up; a filter can leave the range of 32 bits, which is no number then.
    let samples: Vec<f32> = output.take_data().into_iter().take(length).map(|x| x as f32).collect();
    super::select::check_finite(0, 0, &samples)?;
    Ok(samples)
}

/// Both rates divided by what they have in common.
pub(super) fn ratio(from_hz: f64, to_hz: f64) -> Result<(usize, usize), RecordingError> {
    // Up to here every whole number of millihertz is exact.
    let valid = |hz: f64| hz > 0.0 && hz < 1e12;
    let thousandths = |hz: f64| (hz * 1000.0).round();
    let exact = |hz: f64| (hz * 1000.0 - thousandths(hz)).abs() < 1e-3;
    if ![from_hz, to_hz].iter().all(|&hz| valid(hz) && exact(hz)) {
        return Err(refused(format!(
            "the rates {from_hz} Hz and {to_hz} Hz must be positive, in whole millihertz"
        )));
    }
    let (from, to) = (thousandths(from_hz) as usize, thousandths(to_hz) as usize);
    let common = common(from, to);
    let (from, to) = (from / common, to / common);
    if from.max(to) > LARGEST_TERM || from.max(to) / from.min(to) > LARGEST_FACTOR {
        return Err(refused(format!(
            "the ratio of {from_hz} Hz to {to_hz} Hz, {from}:{to}, must be below {LARGEST_FACTOR} with terms of at most \
             {LARGEST_TERM}"
        )));
    }
    Ok((from, to))
}

/// The greatest common divisor, by Euclid.
fn common(mut a: usize, mut b: usize) -> usize {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

pub(super) fn refused(reason: impl Into<String>) -> RecordingError {
    RecordingError::Resample(reason.into())
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use proptest::prelude::*;

    use super::*;

    const LIMITS: Limits = Limits { max_bytes: 0, max_samples: 2_000_000 };

    fn sine(hz: f64, rate: f64, length: usize) -> Vec<f32> {
        (0..length).map(|i| (TAU * hz * i as f64 / rate).sin() as f32).collect()
    }

    fn recording(samples: Vec<f32>, rate: f64) -> Recording {
        let channels = vec![Channel { name: Some("x".to_owned()), samples }];
        Recording { channels, sample_rate_hz: Some(rate) }
    }

    fn converted(hz: f64, from: f64, to: f64, length: usize) -> Vec<f32> {
        let source = recording(sine(hz, from, length), from);
        let Recording { channels, sample_rate_hz } = resample(&source, to, &LIMITS).unwrap();
        assert_eq!(sample_rate_hz, Some(to));
        channels.into_iter().next().unwrap().samples
    }

    /// The middle half: at the ends, over half a filter's length, the silence around a recording is felt.
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
                // Sample by sample, so that amplitude and phase are both held.
                let pairs = middle(&found).iter().zip(middle(&expected));
                let error = largest(pairs.map(|(a, b)| a - b));
                assert!(error < 1e-4, "{hz} Hz, {from} to {to}: {error}");
            }
        }
    }

    #[test]
    fn what_the_new_rate_cannot_carry_is_removed() {
        for hz in [6_010.0, 7_000.0, 11_000.0, 23_000.0] {
            let found = converted(hz, 48_000.0, 12_000.0, 24_000);
            let left = largest(middle(&found).iter().copied());
            assert!(left < 1e-3, "{hz}: {left}");
        }
    }

    #[test]
    fn rates_that_lie_are_refused_and_not_worked_on() {
        for (from, to, message) in [
            (1.0, 48_000.0, "the ratio of 1 Hz to 48000 Hz, 1:48000, must be below 256"),
            (f64::NAN, 1.0, "the rates NaN Hz and 1 Hz must be positive"),
            (48_000.0, 0.0, "the rates 48000 Hz and 0 Hz must be positive"),
            (48_000.0, 12_000.000_4, "the rates 48000 Hz and 12000.0004 Hz must be"),
            (4_294_967_295.0, 4_294_967_294.0, "the ratio of 4294967295 Hz to"),
        ] {
            let error = resample(&recording(vec![1.0], from), to, &LIMITS).unwrap_err().to_string();
            assert!(error.starts_with(&format!("it cannot be resampled: {message}")), "{error}");
        }
        let error = resample(&recording(vec![0.0; 100_000], 48.0), 4_800.0, &LIMITS).unwrap_err();
        assert!(error.to_string().starts_with("it holds 10000000 samples"), "{error}");
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
