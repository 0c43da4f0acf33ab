//! Bitmaps: the header, read before the picture is decoded, and alpha that nobody wrote.

use image::DynamicImage;

/// Pixels that two bytes of a run-length coded bitmap can stand for.
const LONGEST_RUN: u64 = 255;

/// Whether a bitmap has the bytes that its pixels cannot do without. A run-length coded one may end
/// early or skip pixels, which decoders make black: a few bytes would stand for any number of
/// pixels, none of which was sent.
pub(super) fn is_whole(bytes: &[u8]) -> bool {
    let field = |at: usize| bytes.get(at..)?.first_chunk().map(|&bytes| u32::from_le_bytes(bytes));
    let (Some(offset), Some(header)) = (field(10), field(14)) else { return false };
    if header < 40 {
        return true;
    }
    let (Some(width), Some(height), Some(compression)) = (field(18), field(22), field(30)) else {
        return false;
    };
    // A negative height means that the first row is the top one.
    let height = height.cast_signed().unsigned_abs();
    let is_run_length_coded = matches!(compression, 1 | 2);
    let left = (bytes.len() as u64).saturating_sub(offset.into());
    !is_run_length_coded || left * LONGEST_RUN >= u64::from(width) * u64::from(height) * 2
}

/// Makes a picture opaque whose pixels are all transparent: programs that know no alpha leave its
/// bytes 0.
pub(super) fn drop_unused_alpha(picture: &mut DynamicImage) {
    let DynamicImage::ImageRgba8(picture) = picture else { return };
    if picture.pixels().all(|pixel| pixel.0[3] == 0) {
        for pixel in picture.pixels_mut() {
            pixel.0[3] = u8::MAX;
        }
    }
}
