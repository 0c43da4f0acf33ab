//! Image files to pixels.

use std::time::Duration;

use drsn_bundle::{ImageError, input::ImageFile};

use super::{Decoder, expect_image};
use crate::error::{ApiError, ErrorKind};

/// The largest file, and the longest time by its header, of a picture that is decoded where it was
/// received.
const QUICK_BYTES: usize = 16 << 10;
const QUICK: Duration = Duration::from_millis(1);

/// The pixels of an image file, from 0 to 1, `[C, H, W]` in the model's size.
pub(super) fn pixels(file: &[u8], decoder: &mut Decoder<'_>) -> Result<Vec<f32>, ApiError> {
    let spec = expect_image(decoder.spec)?;
    if file.is_empty() {
        return Err(ApiError::invalid("the image file is empty"));
    }
    let file = ImageFile::open(file, decoder.max_pixels).map_err(|e| image_error(&e))?;
    file.check_size(spec).map_err(|e| image_error(&e))?;
    let before = decoder.memory.bytes();
    decoder.memory.grow_for_a_turn(file.decoded_bytes(spec))?;
    let pixels = file.pixels(spec, Some(decoder.deadline)).map_err(|e| image_error(&e))?;
    // The decoder's buffers are free again; the pixels stay.
    decoder.memory.shrink_to(before + (pixels.len() * size_of::<f32>()) as u64);
    Ok(pixels.into_raw_vec_and_offset().0)
}

/// Whether a file is so small a picture that decoding it hardly takes longer than receiving it.
pub(super) fn is_quick(file: &[u8], decoder: &Decoder<'_>) -> bool {
    let Ok(spec) = expect_image(decoder.spec) else { return false };
    file.len() <= QUICK_BYTES
        && ImageFile::open_within(file, decoder.max_pixels, QUICK)
            .is_ok_and(|file| file.work(spec) <= QUICK)
}

fn image_error(error: &ImageError) -> ApiError {
    let kind = match error {
        ImageError::TooLarge { .. } | ImageError::TooCostly { .. } => ErrorKind::TooLarge,
        ImageError::TimeUp => ErrorKind::DeadlineExceeded,
        ImageError::Unknown
        | ImageError::Damaged { .. }
        | ImageError::Coding { .. }
        | ImageError::NoContent
        | ImageError::Canvas
        | ImageError::Size { .. } => ErrorKind::InvalidArgument,
    };
    kind.because(error.to_string())
}
