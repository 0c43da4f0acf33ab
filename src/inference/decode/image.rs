//! Image files to pixels.

use drsn_bundle::{ImageError, InputSpec, input::ImageFile};

use super::{Decoder, expect_kind};
use crate::error::{ApiError, ErrorKind};

/// The pixels of one file, in [0, 1], `[C, H, W]`, in the model's size.
pub(super) fn pixels(file: &[u8], decoder: &mut Decoder<'_>) -> Result<Vec<f32>, ApiError> {
    let InputSpec::Image(spec) = decoder.spec else {
        return Err(expect_kind(decoder.spec, "image").err().unwrap_or_else(ApiError::internal));
    };
    if file.is_empty() {
        return Err(ApiError::invalid("the image file is empty"));
    }
    let mut file = ImageFile::open(file, decoder.most_pixels).map_err(|e| refused(&e))?;
    file.check_size(spec).map_err(|e| refused(&e))?;
    let before = decoder.memory.bytes();
    decoder.memory.grow(file.decoded_bytes(spec))?;
    let pixels = file.pixels(spec).map_err(|e| refused(&e))?;
    // What decoding took is free again; the pixels stay.
    decoder.memory.shrink_to(before + (pixels.len() * size_of::<f32>()) as u64);
    Ok(pixels.into_raw_vec_and_offset().0)
}

fn refused(error: &ImageError) -> ApiError {
    let kind = match error {
        ImageError::TooLarge { .. } => ErrorKind::TooLarge,
        ImageError::Unknown | ImageError::Damaged { .. } | ImageError::Size { .. } => {
            ErrorKind::InvalidArgument
        }
    };
    kind.because(error.to_string())
}
