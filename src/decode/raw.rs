//! Bodies of little-endian 32-bit floats, without any header.

use drsn_bundle::InputSpec;

use crate::error::{ApiError, ErrorKind};

/// First bytes of files that are sent as raw numbers by mistake, with what to send them as.
const FILES: [(&[u8], &str); 8] = [
    (b"\x89PNG\r\n\x1a\n", "a PNG file: send it as image/png"),
    (b"\xff\xd8\xff", "a JPEG file: send it as image/jpeg"),
    (b"GIF8", "a GIF file"),
    (b"RIFF", "a WAV or WebP file"),
    (b"\x93NUMPY", "a NumPy file: send its numbers alone, as 32-bit floats"),
    (b"MATLAB 5.0", "a MATLAB file: send its numbers alone, as 32-bit floats"),
    (b"\x1f\x8b\x08", "gzip data: send it uncompressed"),
    (b"PK\x03\x04", "a ZIP archive"),
];

/// Reads the numbers; their count is that of `batch` inputs, or of any whole number of inputs.
pub(super) fn floats(
    body: &[u8],
    batch: Option<usize>,
    spec: &InputSpec,
) -> Result<Vec<f32>, ApiError> {
    let invalid = |detail: String| ErrorKind::InvalidArgument.because(detail);
    if let Some((_, file)) = FILES.iter().find(|(magic, _)| body.starts_with(magic)) {
        return Err(invalid(format!("raw 32-bit floats were expected, and the body is {file}")));
    }
    let input_bytes = spec.elements() * size_of::<f32>();
    let expected = batch.and_then(|batch| batch.checked_mul(input_bytes));
    let fits = match batch {
        Some(_) => expected == Some(body.len()),
        None => !body.is_empty() && body.len().is_multiple_of(input_bytes),
    };
    if !fits {
        let inputs = batch
            .map_or("each input".to_owned(), |batch| format!("batch={batch}, and each of them"));
        return Err(invalid(format!(
            "{inputs} is {input_bytes} bytes of 32-bit floats ({}), and the body has {} bytes",
            spec.shape_in_words(),
            body.len()
        )));
    }
    let (numbers, _) = body.as_chunks::<4>();
    Ok(numbers.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect())
}

#[cfg(test)]
mod tests {
    use drsn_bundle::{Normalization, SignalSpec};
    use proptest::prelude::*;

    use super::*;

    fn spec() -> InputSpec {
        InputSpec::Signal(SignalSpec {
            channels: 1,
            window: 2,
            sample_rate_hz: None,
            normalization: Normalization::None,
        })
    }

    #[test]
    fn a_file_sent_as_raw_numbers_is_told_its_type() {
        let error = floats(b"\x89PNG\r\n\x1a\n", None, &spec());
        let detail = error.err().map(|e| e.detail).unwrap_or_default();
        assert_eq!(
            detail,
            "raw 32-bit floats were expected, and the body is a PNG file: send it as image/png"
        );
    }

    #[test]
    fn a_body_that_is_no_whole_number_of_inputs_is_refused_with_both_sizes() {
        let detail = floats(&[0; 12], None, &spec()).err().map(|e| e.detail);
        assert_eq!(
            detail.unwrap_or_default(),
            "each input is 8 bytes of 32-bit floats (1 x 2, channels x samples), and the body has 12 bytes"
        );
        assert!(floats(&[], None, &spec()).is_err());
        assert!(floats(&[0; 16], Some(3), &spec()).is_err());
        assert!(floats(&[0; 16], Some(usize::MAX), &spec()).is_err());
    }

    proptest! {
        #[test]
        fn numbers_are_read_as_they_were_written(values in prop::collection::vec(-1e9_f32..1e9, 1..50)) {
            let values: Vec<f32> = values.iter().chain(&values).copied().collect();
            let body: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            prop_assume!(!FILES.iter().any(|(magic, _)| body.starts_with(magic)));
            prop_assert_eq!(floats(&body, Some(values.len() / 2), &spec()), Ok(values));
        }
    }
}
