//! Image files to pixels in [0, 1], `[channels, height, width]`. Of an animation, the first picture
//! is used.
//!
//! Alpha is composited over black, EXIF orientation is applied, grey follows ITU-R BT.601. Pictures
//! of 8 bits are resized in 8 bits, as in Pillow; deeper ones become floats first.
//!
//! A file may come from a stranger. What it needs of time and memory is known from its header
//! (`cost`) and bounded before a pixel is decoded, and a panic of a decoder is a damaged file
//! (`guard`).

mod bmp;
mod cost;
mod error;
mod gif;
mod guard;
mod jpeg;
mod png;
mod resize;
mod vp8l;
mod webp;

use std::{
    borrow::Cow,
    time::{Duration, Instant},
};

use image::{
    ColorType, DynamicImage, ImageDecoder, ImageReader, Limits, Rgba, metadata::Orientation,
};
use ndarray::{Array3, Axis};

use self::{
    cost::{Picture, Survey},
    guard::{Deadline, TimedReader, contained, has_passed},
    resize::{fit, lay_over_black, luma, luma_of_8_bits, planes},
};
use super::{Geometry, ImageFormat, ImageSpec};

pub use error::ImageError;
pub use guard::is_decoding;

/// Memory that a decoder may allocate for itself: above a row of any real picture, below the size
/// of a malicious compressed colour profile.
const MAX_DECODER_BYTES: u64 = 16 << 20;
/// Longest estimate of a picture that is decoded, for each pixel that it may have: twice that of a
/// progressive photograph of as many.
const MAX_WORK_PER_PIXEL: u64 = 100;
/// The same for pictures whose pixels are few: they may have to be enlarged.
const MIN_MAX_WORK: Duration = Duration::from_secs(1);

/// An image file whose header was read and accepted, and whose pixels are not decoded yet.
pub struct ImageFile<'a> {
    format: ImageFormat,
    decoder: Box<dyn ImageDecoder + 'a>,
    picture: Picture,
    orientation: Orientation,
    /// Longest estimate that is accepted.
    max_work: Duration,
    deadline: Deadline,
}

impl<'a> ImageFile<'a> {
    /// Reads the header.
    ///
    /// # Errors
    /// [`ImageError`] if the bytes are not an image, are cut short, declare more than `max_pixels`,
    /// or would take too long to decode: 100 ns for each of `max_pixels`, or a second if that is
    /// more.
    pub fn open(bytes: &'a [u8], max_pixels: u64) -> Result<Self, ImageError> {
        let max_work =
            Duration::from_nanos(max_pixels.saturating_mul(MAX_WORK_PER_PIXEL)).max(MIN_MAX_WORK);
        Self::open_within(bytes, max_pixels, max_work)
    }

    /// The same with another limit of the time that reading the header and decoding may take.
    ///
    /// # Errors
    /// As for [`Self::open`].
    pub fn open_within(
        bytes: &'a [u8],
        max_pixels: u64,
        max_work: Duration,
    ) -> Result<Self, ImageError> {
        let format = ImageFormat::of(bytes).ok_or(ImageError::Unknown)?;
        let bytes = if format == ImageFormat::Jpeg {
            jpeg::with_end(bytes, max_pixels)
        } else {
            Cow::Borrowed(bytes)
        };
        if format == ImageFormat::Gif && gif::covers_canvas(&bytes) == Some(false) {
            return Err(ImageError::Canvas);
        }
        let damaged = ImageError::Damaged { format: format.name() };
        let survey = Survey::of(format, &bytes, max_pixels).ok_or_else(|| {
            let rare = (format == ImageFormat::Jpeg).then(|| jpeg::unsupported(&bytes)).flatten();
            rare.map_or_else(|| damaged.clone(), |what| ImageError::Coding { what })
        })?;
        within(survey.header_time(), max_work)?;
        let file_bytes = bytes.len() as u64;
        let behind =
            (format == ImageFormat::Png).then(|| png::orientation_behind_pixels(&bytes)).flatten();
        let deadline = Deadline::default();
        let bytes_until_deadline = TimedReader::new(bytes, deadline.clone());
        let (decoder, orientation) =
            contained(|| header(format, bytes_until_deadline)).flatten().ok_or(damaged)?;
        let orientation = if orientation == Orientation::NoTransforms {
            behind.unwrap_or(orientation)
        } else {
            orientation
        };
        let (width, height) = decoder.dimensions();
        if u64::from(width) * u64::from(height) > max_pixels {
            return Err(ImageError::TooLarge { width, height, most: max_pixels });
        }
        let picture = Picture {
            survey,
            file_bytes,
            width: width.into(),
            height: height.into(),
            decoded_bytes: decoder.total_bytes(),
            is_deep: is_deep(decoder.color_type()),
            is_turned: is_turned(orientation),
        };
        within(picture.decoding_time(), max_work)?;
        Ok(Self { format, decoder, picture, orientation, max_work, deadline })
    }

    /// Upper bound of the time to decode the pixels and resize them to the network's size, on one
    /// core, from the header alone.
    pub fn work(&self, spec: &ImageSpec) -> Duration {
        self.picture.decoding_time().saturating_add(self.picture.resizing_time(spec))
    }

    /// Upper bound, in bytes, of the memory for decoding and preparing, from the header alone.
    pub fn decoded_bytes(&self, spec: &ImageSpec) -> u64 {
        self.picture.peak_bytes(spec)
    }

    /// Decodes the pixels and resizes them to the network's size: `[C, H, W]` in [0, 1], before the
    /// model's own scaling. Ends at the deadline, and does not begin if [`Self::work`] lies beyond
    /// it.
    ///
    /// # Errors
    /// [`ImageError`] if the picture is damaged, has no content, is of a size that the model
    /// rejects, or needs more time than there is.
    pub fn pixels(
        self,
        spec: &ImageSpec,
        deadline: Option<Instant>,
    ) -> Result<Array3<f32>, ImageError> {
        self.check_size(spec)?;
        let work = self.work(spec);
        within(work, self.max_work)?;
        if let Some(deadline) = deadline {
            if Instant::now() + work > deadline {
                return Err(ImageError::TimeUp);
            }
            self.deadline.get_or_init(|| deadline);
        }
        let (deadline, format) = (self.deadline.clone(), self.format.name());
        match contained(|| self.decode(spec)) {
            Some(Err(ImageError::Damaged { .. })) | None if has_passed(&deadline) => {
                Err(ImageError::TimeUp)
            }
            Some(decoded) => decoded,
            None => Err(ImageError::Damaged { format }),
        }
    }

    fn decode(self, spec: &ImageSpec) -> Result<Array3<f32>, ImageError> {
        let damaged = ImageError::Damaged { format: self.format.name() };
        let in_time = || if has_passed(&self.deadline) { Err(ImageError::TimeUp) } else { Ok(()) };
        let mut picture = DynamicImage::from_decoder(self.decoder).map_err(|_| damaged.clone())?;
        in_time()?;
        if self.format == ImageFormat::Bmp {
            bmp::drop_unused_alpha(&mut picture);
        }
        in_time()?;
        picture.apply_orientation(self.orientation);
        in_time()?;
        let is_grey = !picture.color().has_color();
        let planes = if is_deep(picture.color()) {
            let mut picture = picture.into_rgba32f();
            for Rgba([r, g, b, alpha]) in picture.pixels_mut() {
                for value in [r, g, b] {
                    *value *= *alpha;
                }
            }
            in_time()?;
            let pixels = fit(&picture, spec).into_raw();
            let (pixels, _) = pixels.as_chunks::<4>();
            planes(pixels, spec, |&[r, g, b, _]| {
                // Cubic filters overshoot at edges.
                let rgb = [r, g, b].map(|value| value.clamp(0.0, 1.0));
                (rgb, if is_grey { rgb[0] } else { luma(rgb) })
            })
        } else {
            lay_over_black(&mut picture);
            in_time()?;
            let pixels = fit(&picture, spec).into_raw();
            let (pixels, _) = pixels.as_chunks::<4>();
            planes(pixels, spec, |&[r, g, b, _]| {
                let grey = if is_grey { r } else { luma_of_8_bits([r, g, b]) };
                ([r, g, b].map(|level| f32::from(level) / 255.0), f32::from(grey) / 255.0)
            })
        };
        let planes = planes.ok_or(damaged)?;
        if has_content(&planes) { Ok(planes) } else { Err(ImageError::NoContent) }
    }

    /// Rejects a picture of a size that the model does not accept, from its header, before any
    /// pixel is decoded.
    ///
    /// # Errors
    /// [`ImageError::Size`].
    pub fn check_size(&self, spec: &ImageSpec) -> Result<(), ImageError> {
        let (mut width, mut height) = self.decoder.dimensions();
        if is_turned(self.orientation) {
            (width, height) = (height, width);
        }
        let fits = width as usize == spec.width && height as usize == spec.height;
        if spec.geometry == Geometry::Refuse && !fits {
            return Err(ImageError::Size {
                width,
                height,
                expected_width: spec.width,
                expected_height: spec.height,
            });
        }
        Ok(())
    }
}

/// The decoder of a file whose header it has read, and the EXIF orientation: upright if it is
/// missing or unreadable. `None` if the header cannot be read.
fn header(
    format: ImageFormat,
    bytes: TimedReader<'_>,
) -> Option<(Box<dyn ImageDecoder + '_>, Orientation)> {
    let mut reader = ImageReader::with_format(bytes, format.codec());
    // Metadata may be compressed, and is decompressed before the size is known.
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_DECODER_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().ok()?;
    let exif = decoder.exif_metadata().ok().flatten();
    let orientation = exif.and_then(|exif| oriented(&exif)).unwrap_or(Orientation::NoTransforms);
    Some((Box::new(decoder), orientation))
}

/// The orientation in a chunk of EXIF. Pillow and others put the mark before it that only JPEG has.
fn oriented(exif: &[u8]) -> Option<Orientation> {
    Orientation::from_exif_chunk(exif.strip_prefix(b"Exif\0\0").unwrap_or(exif))
}

/// Rejects work above the limit.
fn within(estimate: Duration, most: Duration) -> Result<(), ImageError> {
    if estimate > most {
        return Err(ImageError::TooCostly { estimate, most });
    }
    Ok(())
}

/// Whether an orientation makes rows of columns.
fn is_turned(orientation: Orientation) -> bool {
    matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    )
}

/// Whether any plane, `[C, H, W]`, has more than one value. A plane of one pixel cannot.
fn has_content(planes: &Array3<f32>) -> bool {
    // A resized plane of one value differs from it by the rounding of the filter's weights.
    const ROUNDING: f32 = 1e-5;
    let (_, height, width) = planes.dim();
    height * width == 1
        || planes.axis_iter(Axis(0)).any(|plane| {
            let extremes = |(least, most): (f32, f32), &x: &f32| (least.min(x), most.max(x));
            let (least, most) = plane.iter().fold((f32::INFINITY, 0.0_f32), extremes);
            most - least > ROUNDING
        })
}

/// Whether a picture has more than 8 bits per channel.
fn is_deep(colour: ColorType) -> bool {
    colour.bytes_per_pixel() > colour.channel_count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pillow writes the mark of JPEG before the EXIF data of animated WebP files, which stayed unturned.
    #[test]
    fn exif_data_tell_the_orientation_behind_the_mark_of_jpeg_or_without_it() {
        let exif = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
        assert_eq!(oriented(exif), Some(Orientation::Rotate90));
        assert_eq!(oriented(&[b"Exif\0\0", &exif[..]].concat()), Some(Orientation::Rotate90));
        assert_eq!(oriented(b"Exif\0\0"), None);
    }
}
