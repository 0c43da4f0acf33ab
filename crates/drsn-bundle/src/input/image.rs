//! Image files to pixels in [0, 1], `[channels, height, width]`. Of an animation, the first picture
//! is used.
//!
//! Alpha is composited over black, EXIF orientation is applied, grey follows ITU-R BT.601. Pictures
//! of 8 bits are resized in 8 bits, as in Pillow; deeper ones become floats first.

use std::io::Cursor;

use image::{
    ColorType, DynamicImage, GenericImageView, ImageBuffer, ImageDecoder, ImageReader, Limits,
    LumaA, Pixel, Rgba,
    imageops::{self, FilterType},
    metadata::Orientation,
};
use ndarray::Array3;

use super::{Filter, Geometry, ImageFormat, ImageSpec};

/// Memory that a decoder may allocate for itself: above a row of any real picture, below the size
/// of a malicious compressed colour profile.
const MAX_DECODER_BYTES: u64 = 16 << 20;
/// Red, green, blue and alpha as 32-bit floats.
const FLOATS_OF_A_PIXEL: u64 = 16;

/// An image that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// The bytes are not an image of a supported format.
    #[error(
        "a PNG, JPEG, WebP, BMP or GIF file was expected, and the first bytes match none of them"
    )]
    Unknown,
    /// The file is of a supported format but cannot be decoded.
    #[error("the {format} file cannot be decoded: it is damaged or cut short")]
    Damaged {
        /// `PNG`, `JPEG` and so on.
        format: &'static str,
    },
    /// The file declares more pixels than allowed.
    #[error("the picture is {width} x {height} pixels, above the limit of {most} pixels")]
    TooLarge {
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
        /// The limit.
        most: u64,
    },
    /// The model accepts one size only.
    #[error(
        "the picture is {width} x {height} pixels, and this model requires exactly \
         {expected_width} x {expected_height}"
    )]
    Size {
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
        /// Required columns.
        expected_width: usize,
        /// Required rows.
        expected_height: usize,
    },
}

/// An image file whose header was read and accepted, and whose pixels are not decoded yet.
pub struct ImageFile<'a> {
    format: ImageFormat,
    decoder: Box<dyn ImageDecoder + 'a>,
}

impl<'a> ImageFile<'a> {
    /// Reads the header.
    ///
    /// # Errors
    /// [`ImageError`] if the bytes are not an image, are cut short, or declare more than
    /// `max_pixels`.
    pub fn open(bytes: &'a [u8], max_pixels: u64) -> Result<Self, ImageError> {
        let format = ImageFormat::of(bytes).ok_or(ImageError::Unknown)?;
        let damaged = ImageError::Damaged { format: format.name() };
        if !format.is_sound(bytes, max_pixels) {
            return Err(damaged);
        }
        let mut reader = ImageReader::with_format(Cursor::new(bytes), format.codec());
        // Metadata may be compressed, and is decompressed before the size is known.
        let mut limits = Limits::no_limits();
        limits.max_alloc = Some(MAX_DECODER_BYTES);
        reader.limits(limits);
        let decoder = reader.into_decoder().map_err(|_| damaged)?;
        let (width, height) = decoder.dimensions();
        if u64::from(width) * u64::from(height) > max_pixels {
            return Err(ImageError::TooLarge { width, height, most: max_pixels });
        }
        Ok(Self { format, decoder: Box::new(decoder) })
    }

    /// Upper bound, in bytes, of the memory for decoding and preparing: the decoded pixels (twice
    /// if the picture is rotated), the decoder's own memory, four floats per pixel of more than 8
    /// bits, and the intermediate result of resizing between its vertical and its horizontal pass.
    pub fn decoded_bytes(&mut self, spec: &ImageSpec) -> u64 {
        let (width, height) = self.decoder.dimensions();
        let pixels = u64::from(width) * u64::from(height);
        let copies = if self.orientation() == Orientation::NoTransforms { 1 } else { 2 };
        let floats =
            if is_deep(self.decoder.color_type()) { FLOATS_OF_A_PIXEL * pixels } else { 0 };
        let between_passes = u64::from(width.max(height)) * spec.height as u64 * FLOATS_OF_A_PIXEL;
        let result = (spec.height * spec.width) as u64 * FLOATS_OF_A_PIXEL;
        let fits = width as usize == spec.width && height as usize == spec.height;
        copies * self.decoder.total_bytes()
            + self.format.decoder_bytes(pixels)
            + floats
            + result
            + if fits { 0 } else { between_passes }
    }

    /// Decodes the pixels and resizes them to the network's size: `[C, H, W]` in [0, 1], before the
    /// model's own scaling.
    ///
    /// # Errors
    /// [`ImageError`] if the picture is damaged, or of a size that the model rejects.
    pub fn pixels(mut self, spec: &ImageSpec) -> Result<Array3<f32>, ImageError> {
        let damaged = ImageError::Damaged { format: self.format.name() };
        self.check_size(spec)?;
        let orientation = self.orientation();
        let mut picture = DynamicImage::from_decoder(self.decoder).map_err(|_| damaged.clone())?;
        picture.apply_orientation(orientation);
        let is_grey = !picture.color().has_color();
        let planes = if is_deep(picture.color()) {
            let mut picture = picture.into_rgba32f();
            for Rgba([r, g, b, alpha]) in picture.pixels_mut() {
                for value in [r, g, b] {
                    *value *= *alpha;
                }
            }
            let pixels = fit(&picture, spec).into_raw();
            let (pixels, _) = pixels.as_chunks::<4>();
            planes(pixels, spec, |&[r, g, b, _]| {
                // Cubic filters overshoot at edges.
                let rgb = [r, g, b].map(|value| value.clamp(0.0, 1.0));
                (rgb, if is_grey { rgb[0] } else { luma(rgb) })
            })
        } else {
            lay_over_black(&mut picture);
            let pixels = fit(&picture, spec).into_raw();
            let (pixels, _) = pixels.as_chunks::<4>();
            planes(pixels, spec, |&[r, g, b, _]| {
                let grey = if is_grey { r } else { luma_of_8_bits([r, g, b]) };
                ([r, g, b].map(|level| f32::from(level) / 255.0), f32::from(grey) / 255.0)
            })
        };
        planes.ok_or(damaged)
    }

    /// Rejects a picture of a size that the model does not accept, from its header, before any
    /// pixel is decoded.
    ///
    /// # Errors
    /// [`ImageError::Size`].
    pub fn check_size(&mut self, spec: &ImageSpec) -> Result<(), ImageError> {
        let orientation = self.orientation();
        let (mut width, mut height) = self.decoder.dimensions();
        let turned = matches!(
            orientation,
            Orientation::Rotate90
                | Orientation::Rotate270
                | Orientation::Rotate90FlipH
                | Orientation::Rotate270FlipH
        );
        if turned {
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

    /// The EXIF orientation; upright if it is missing or unreadable.
    fn orientation(&mut self) -> Orientation {
        self.decoder.orientation().unwrap_or(Orientation::NoTransforms)
    }
}

/// Whether a picture has more than 8 bits per channel.
fn is_deep(colour: ColorType) -> bool {
    colour.bytes_per_pixel() > colour.channel_count()
}

/// Composites the picture over black, rounded to 8 bits.
fn lay_over_black(picture: &mut DynamicImage) {
    let over_black =
        |level: u8, alpha: u8| ((u32::from(level) * u32::from(alpha) * 2 + 255) / 510) as u8;
    if let DynamicImage::ImageRgba8(pixels) = picture {
        for Rgba([r, g, b, alpha]) in pixels.pixels_mut() {
            for level in [r, g, b] {
                *level = over_black(*level, *alpha);
            }
        }
    } else if let DynamicImage::ImageLumaA8(pixels) = picture {
        for LumaA([level, alpha]) in pixels.pixels_mut() {
            *level = over_black(*level, *alpha);
        }
    }
}

/// Crops the part that the geometry keeps, and resizes it to the network's size.
fn fit<I>(
    picture: &I,
    spec: &ImageSpec,
) -> ImageBuffer<I::Pixel, Vec<<I::Pixel as Pixel>::Subpixel>>
where
    I: GenericImageView + 'static,
    I::Pixel: 'static,
    <I::Pixel as Pixel>::Subpixel: 'static,
{
    let (width, height) = picture.dimensions();
    let (to_width, to_height) = (spec.width as u32, spec.height as u32);
    // Resizing before cropping would let a 1 x 50,000,000 picture grow without bound.
    let (part_width, part_height) = match spec.geometry {
        Geometry::Refuse | Geometry::Stretch => (width, height),
        Geometry::CenterCrop => {
            let aspect = f64::from(to_width) / f64::from(to_height);
            let cut = |size: u32, wanted: f64| size.min(wanted.round().max(1.0) as u32);
            (cut(width, f64::from(height) * aspect), cut(height, f64::from(width) / aspect))
        }
    };
    let (left, top) = ((width - part_width) / 2, (height - part_height) / 2);
    let part = imageops::crop_imm(picture, left, top, part_width, part_height);
    if (part_width, part_height) == (to_width, to_height) {
        return part.to_image();
    }
    let filter = match spec.filter {
        Filter::Nearest => FilterType::Nearest,
        Filter::Triangle => FilterType::Triangle,
        Filter::CatmullRom => FilterType::CatmullRom,
    };
    imageops::resize(&*part, to_width, to_height, filter)
}

/// Pixels as planes, `[C, H, W]`; `read` returns a pixel's colours and its grey. `None` if they are
/// not as many as the network's.
fn planes<P>(
    pixels: &[P],
    spec: &ImageSpec,
    read: impl Fn(&P) -> ([f32; 3], f32),
) -> Option<Array3<f32>> {
    let values = if spec.channels == 1 {
        pixels.iter().map(|pixel| read(pixel).1).collect()
    } else {
        let mut planes = Vec::with_capacity(spec.channels * pixels.len());
        for channel in 0..spec.channels {
            planes.extend(pixels.iter().map(|pixel| read(pixel).0[channel]));
        }
        planes
    };
    Array3::from_shape_vec((spec.channels, spec.height, spec.width), values).ok()
}

/// ITU-R BT.601 luma.
fn luma([r, g, b]: [f32; 3]) -> f32 {
    0.299 * r + 0.587 * g + 0.114 * b
}

/// The same with weights that are 16-bit fractions, rounded to 8 bits.
fn luma_of_8_bits(levels: [u8; 3]) -> u8 {
    let [r, g, b] = levels.map(u32::from);
    ((r * 19_595 + g * 38_470 + b * 7_471 + 0x8000) >> 16) as u8
}
