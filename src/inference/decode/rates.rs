//! The sample rate of a recording against the model's.

use drsn_bundle::SignalSpec;
use drsn_recording::{NoticeCode, RateSource, Recording};

use crate::{
    error::ApiError,
    inference::{options::Options, origin::Taken},
};

/// Whether two sample rates in Hz are equal, apart from rounding.
pub(crate) fn same_rate(rate: f64, expected: f64) -> bool {
    (rate - expected).abs() <= 1e-6 * expected
}

/// The sample rate that a recording declares.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct DeclaredRate {
    pub(crate) hz: f64,
    pub(crate) source: RateSource,
}

impl DeclaredRate {
    /// The largest deviation of a rate that is told by a clock, as a share of it.
    const CLOCK_ERROR: f64 = 0.01;

    /// The rate of a recording, if it declares one.
    pub(crate) fn of(recording: &Recording) -> Option<Self> {
        Some(Self { hz: recording.sample_rate_hz?, source: recording.rate_source })
    }

    /// A rate that the file states in its header.
    pub(crate) fn stated(hz: f64) -> Self {
        Self { hz, source: RateSource::Stated }
    }

    fn is_near(self, rate: f64) -> bool {
        match self.source {
            RateSource::Stated => same_rate(self.hz, rate),
            RateSource::Clock | RateSource::ClockWithoutUnit => {
                (self.hz - rate).abs() <= Self::CLOCK_ERROR * rate
            }
        }
    }

    /// Whether it cannot be this rate: times without a unit can be any.
    fn contradicts(self, rate: f64) -> bool {
        self.source != RateSource::ClockWithoutUnit && !self.is_near(rate)
    }
}

/// The recording's rate and the model's, or `None` if the recording needs no resampling.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`] if the rates differ and `resample` is not set, or a rate that is
/// needed is unknown.
pub(crate) fn rates(
    spec: &SignalSpec,
    declared: Option<DeclaredRate>,
    options: &Options,
) -> Result<Option<(f64, f64)>, ApiError> {
    let invalid = |detail: String| Err(ApiError::invalid(detail));
    let resample = options.resample == Some(true);
    let rate = match (declared, options.sample_rate_hz) {
        (Some(declared), Some(given)) if declared.contradicts(given) => {
            let declared = declared.hz;
            return invalid(format!(
                "the recording declares a sample rate of {declared} Hz, but the option sample_rate_hz is {given} Hz; correct the option or leave it out"
            ));
        }
        (_, Some(given)) => Some(given),
        (Some(declared), None) => match spec.sample_rate_hz {
            // A clock is never exact: a rate near the model's is the model's.
            Some(expected) if declared.is_near(expected) => return Ok(None),
            Some(expected) if declared.source == RateSource::ClockWithoutUnit => {
                let DeclaredRate { hz, .. } = declared;
                return invalid(format!(
                    "the times of the recording have no unit: taken as seconds they mean {hz} Hz, but this model expects {expected} Hz; set the option sample_rate_hz"
                ));
            }
            _ => Some(declared.hz),
        },
        (None, None) => None,
    };
    match (rate, spec.sample_rate_hz) {
        (_, None) if resample => invalid(
            "this model has no sample rate to resample to; leave out the option resample"
                .to_owned(),
        ),
        (None, Some(_)) if resample => invalid(
            "the recording does not declare its sample rate; set the option sample_rate_hz"
                .to_owned(),
        ),
        (Some(rate), Some(expected)) if !same_rate(rate, expected) => {
            if resample {
                return Ok(Some((rate, expected)));
            }
            invalid(format!(
                "the recording's sample rate is {rate} Hz, but this model expects {expected} Hz; record at that rate or set resample=true"
            ))
        }
        _ => Ok(None),
    }
}

/// Adds to what was taken of a recording the sample rate that it is read with, and says where
/// nothing tells it.
pub(crate) fn taken(spec: &SignalSpec, options: &Options, mut taken: Taken) -> Taken {
    let told = options.sample_rate_hz.or(taken.sample_rate_hz);
    if let (None, Some(assumed)) = (told, spec.sample_rate_hz) {
        taken.notices.push(NoticeCode::RateAssumed.because(format!(
            "nothing tells the sample rate of the recording, and the model's, {assumed} Hz, was taken; the option sample_rate_hz tells it"
        )));
    }
    taken.sample_rate_hz = told.or(spec.sample_rate_hz);
    taken
}
