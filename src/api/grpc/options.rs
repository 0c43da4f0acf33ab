//! The options of gRPC requests, checked.

use std::sync::Arc;

use drsn_bundle::InputSpec;
use drsn_recording::same_rate;

use super::{classify_messages, proto::drsn::ClassifyRequest};
use crate::{
    app::App,
    engine::model::Model,
    error::ApiError,
    inference::{diagnostics::Wanted, options::Options},
};

/// The model with this name and version; either may be empty.
pub(super) fn find(app: &App, name: &str, version: &str) -> Result<Arc<Model>, ApiError> {
    let given = |word| Some(word).filter(|word: &&str| !word.is_empty());
    app.repository()?.find(given(name), given(version))
}

/// Checks what the client wants in an answer; 0 for `top_k` means all classes.
pub(super) fn wanted(top_k: u32, detail: i32) -> Result<Wanted, ApiError> {
    let detail = classify_messages::detail(detail).ok_or_else(|| {
        ApiError::invalid("diagnostics must be DETAIL_NONE, DETAIL_SUMMARY or DETAIL_FULL")
    })?;
    Ok(Wanted { top_k: if top_k == 0 { usize::MAX } else { top_k as usize }, detail })
}

/// Checks that a stream has the sample rate of the model, if both are known: streams are not
/// resampled.
pub(super) fn check_rate(rate: f64, spec: &InputSpec) -> Result<(), ApiError> {
    if rate == 0.0 {
        return Ok(());
    }
    if !rate.is_finite() || rate < 0.0 {
        return Err(ApiError::invalid(
            "sample_rate_hz must be a number above 0, or 0 if it is unknown",
        ));
    }
    match spec {
        InputSpec::Image(_) => Err(ApiError::invalid(
            "sample_rate_hz applies to signals, but this model classifies images",
        )),
        InputSpec::Signal(signal) => match signal.sample_rate_hz {
            Some(expected) if !same_rate(rate, expected) => Err(ApiError::invalid(format!(
                "the model expects samples at {expected} Hz, got {rate} Hz; resample them first"
            ))),
            _ => Ok(()),
        },
    }
}

/// Checks the fraction of a window that the next one repeats.
pub(super) fn check_overlap(overlap: f64) -> Result<(), ApiError> {
    if (0.0..1.0).contains(&overlap) {
        return Ok(());
    }
    Err(ApiError::invalid("overlap must be at least 0 and less than 1"))
}

/// Reads the options of a request, where empty and zero fields are not set.
pub(super) fn read(request: &ClassifyRequest) -> Result<Options, ApiError> {
    let given = |word: &String| Some(word.clone()).filter(|word| !word.is_empty());
    let Wanted { detail, .. } = wanted(request.top_k, request.diagnostics)?;
    check_overlap(request.overlap)?;
    let mut options = Options {
        model: given(&request.model),
        version: given(&request.version),
        top_k: Some(request.top_k as usize).filter(|&count| count > 0),
        detail: Some(detail),
        overlap: Some(request.overlap).filter(|&overlap| overlap > 0.0),
        variable: given(&request.variable),
        rate_variable: given(&request.rate_variable),
        skip_lines: Some(request.skip_lines).filter(|&lines| lines > 0),
        resample: request.resample.then_some(true),
        ..Options::default()
    };
    if request.sample_rate_hz != 0.0 {
        options.set("sample_rate_hz", &request.sample_rate_hz.to_string())?;
    }
    if !request.channel.is_empty() {
        options.set("channel", &request.channel.join(","))?;
    }
    Ok(options)
}
