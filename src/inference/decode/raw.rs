//! Bodies of little-endian 32-bit floats, without any header.

use drsn_bundle::InputSpec;

use super::media::refuse_files;
use crate::error::ApiError;

/// Raw numbers, and how many inputs they are.
#[derive(Debug, PartialEq)]
pub(super) struct Floats {
    pub(super) values: Vec<f32>,
    pub(super) count: usize,
}

/// Reads the numbers. Images: any number of whole inputs, or `batch` of them. Signals: one
/// recording
/// `[C, T]` of at least a window, or less if the model extends it, or `batch` recordings of equal length.
pub(super) fn floats(
    body: &[u8],
    batch: Option<usize>,
    spec: &InputSpec,
) -> Result<Floats, ApiError> {
    refuse_files(body)?;
    let least_bytes = match spec {
        InputSpec::Image(_) => spec.elements(),
        InputSpec::Signal(signal) => signal.channels * signal.least_samples(),
    } * size_of::<f32>();
    let (count, unit, fits) = match spec {
        InputSpec::Image(_) => {
            let count = batch.unwrap_or(body.len() / least_bytes);
            (count, least_bytes, Some(body.len()) == count.checked_mul(least_bytes))
        }
        InputSpec::Signal(signal) => {
            let count = batch.unwrap_or(1);
            let unit = signal.channels * size_of::<f32>();
            let fits =
                count.checked_mul(unit).is_some_and(|frame| body.len().is_multiple_of(frame))
                    && body.len() / count >= least_bytes;
            (count, unit, fits)
        }
    };
    if count == 0 || !fits {
        return Err(wrong_size(body.len(), batch, least_bytes, unit, spec));
    }
    let (numbers, _) = body.as_chunks::<4>();
    let values = numbers.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
    Ok(Floats { values, count })
}

fn wrong_size(
    found: usize,
    batch: Option<usize>,
    least_bytes: usize,
    unit: usize,
    spec: &InputSpec,
) -> ApiError {
    let shape = match spec {
        InputSpec::Image(_) => spec.shape_in_words(),
        InputSpec::Signal(signal) => {
            format!("{} x {}, channels x samples", signal.channels, signal.least_samples())
        }
    };
    let floats = format!("{least_bytes} bytes of 32-bit floats ({shape})");
    let expected = match (batch, spec) {
        (None, InputSpec::Image(_)) => format!("each input must have {floats}"),
        (None, InputSpec::Signal(_)) => {
            format!("a recording must have at least {floats}, in a multiple of {unit} bytes")
        }
        (Some(batch), InputSpec::Image(_)) => {
            format!("each of batch={batch} inputs must have {floats}")
        }
        (Some(batch), InputSpec::Signal(_)) => {
            format!(
                "each of batch={batch} inputs must have at least {floats}, in a multiple of {unit} bytes"
            )
        }
    };
    let cure = match spec {
        InputSpec::Signal(signal) if signal.padding.is_none() && found.is_multiple_of(unit) => {
            "; a model that was trained with data.padding takes shorter recordings"
        }
        InputSpec::Signal(_) | InputSpec::Image(_) => "",
    };
    ApiError::invalid(format!("{expected}; the body has {found} bytes{cure}"))
}

#[cfg(test)]
mod tests {
    use drsn_bundle::{Normalization, SignalSpec};
    use proptest::prelude::*;

    use super::*;

    fn spec(channels: usize) -> InputSpec {
        InputSpec::Signal(SignalSpec {
            channels,
            window: 2,
            sample_rate_hz: None,
            normalization: Normalization::None,
            source: None,
            padding: None,
        })
    }

    #[test]
    fn a_body_that_is_no_whole_number_of_samples_or_too_short_is_refused_with_both_sizes() {
        let detail = floats(&[0; 10], None, &spec(1)).err().map(|e| e.detail);
        assert_eq!(
            detail.unwrap_or_default(),
            "a recording must have at least 8 bytes of 32-bit floats (1 x 2, channels x samples), \
             in a multiple of 4 bytes; the body has 10 bytes"
        );
        assert!(floats(&[], None, &spec(1)).is_err());
        assert!(floats(&[0; 4], None, &spec(1)).is_err());
        assert!(floats(&[0; 20], None, &spec(2)).is_err());
        assert!(floats(&[0; 16], Some(3), &spec(1)).is_err());
        assert!(floats(&[0; 16], Some(usize::MAX), &spec(1)).is_err());
        let detail = floats(&[0; 4], None, &spec(1)).err().map(|e| e.detail).unwrap_or_default();
        assert!(detail.ends_with("trained with data.padding takes shorter recordings"), "{detail}");
    }

    #[test]
    fn less_than_a_window_is_read_for_a_model_that_extends_it() {
        let InputSpec::Signal(mut signal) = spec(2) else { unreachable!() };
        signal.padding = Some(drsn_bundle::Padding::Zero);
        signal.window = 32;
        let padded = InputSpec::Signal(signal);
        assert!(floats(&[0; 16], None, &padded).is_ok());
        assert!(floats(&[0; 32], Some(2), &padded).is_ok());
        let detail = floats(&[0; 8], None, &padded).err().map(|e| e.detail).unwrap_or_default();
        let expected = "a recording must have at least 16 bytes of 32-bit floats (2 x 2, channels x \
                        samples), in a multiple of 8 bytes; the body has 8 bytes";
        assert_eq!(detail, expected);
    }

    proptest! {
        #[test]
        fn numbers_are_read_as_they_were_written(values in prop::collection::vec(-1e9_f32..1e9, 1..50)) {
            let values: Vec<f32> = values.iter().chain(&values).copied().collect();
            let body: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            prop_assume!(refuse_files(&body).is_ok());
            let count = values.len() / 2;
            prop_assert_eq!(floats(&body, None, &spec(1)), Ok(Floats { values: values.clone(), count: 1 }));
            prop_assert_eq!(floats(&body, Some(count), &spec(1)), Ok(Floats { values, count }));
        }
    }
}
