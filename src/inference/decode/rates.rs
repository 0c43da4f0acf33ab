//! The sample rate of a recording against the model's.

use drsn_bundle::SignalSpec;
use drsn_recording::{DeclaredRate, NoticeCode, RateConflict, same_rate, settled_rate};

use crate::{
    error::ApiError,
    inference::{options::Options, origin::Taken},
};

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
    let (given, expected) = (options.sample_rate_hz, spec.sample_rate_hz);
    let rate = match settled_rate(declared, given, expected) {
        Ok(rate) => rate,
        Err(RateConflict::Contradiction(declared)) => {
            let given = given.unwrap_or_default();
            return invalid(format!(
                "the recording declares a sample rate of {declared} Hz, but the option sample_rate_hz is {given} Hz; correct the option or leave it out"
            ));
        }
        Err(RateConflict::WithoutUnit(hz)) => {
            let expected = expected.unwrap_or_default();
            return invalid(format!(
                "the times of the recording have no unit: taken as seconds they mean {hz} Hz, but this model expects {expected} Hz; set the option sample_rate_hz"
            ));
        }
    };
    match (rate, expected) {
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
