//! Image files to pixels in [0, 1], `[channels, height, width]`.
//!
//! Alpha lies over black, EXIF orientation is applied, grey follows ITU-R BT.601, in the integer arithmetic
//! that Pillow uses for 8-bit pictures.

use std::io::Cursor;

use image::{
    DynamicImage, ImageBuffer, ImageDecoder, ImageReader, Luma, Rgba,
    imageops::{self, FilterType},
    metadata::Orientation,
};

use super::{Filter, Geometry, ImageSpec};

/// The formats that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageFormat {
    /// Portable Network Graphics.
    Png,
    /// JPEG, baseline and progressive.
    Jpeg,
}

/// A picture that cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// The bytes are no image of a known format.
    #[error("a PNG or JPEG file was expected, and the first bytes are of neither")]
    Unknown,
    /// The file is of a known format and cannot be decoded.
    #[error("the {format} file cannot be decoded: it is damaged or cut short")]
    Damaged {
        /// `PNG` or `JPEG`.
        format: &'static str,
    },
    /// The file declares more pixels than are allowed.
    #[error("the picture is {width} x {height} pixels, and at most {most} pixels are taken")]
    TooLarge {
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
        /// The limit.
        most: u64,
    },
    /// The network takes pictures of one size only.
    #[error(
        "the picture is {width} x {height} pixels, and this model takes exactly {expected_width} x {expected_height}"
    )]
    Size {
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
        /// Columns that are expected.
        expected_width: usize,
        /// Rows that are expected.
        expected_height: usize,
    },
}

impl ImageFormat {
    /// Tells the format by a file's first bytes.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Self::Png),
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Png => "PNG",
            Self::Jpeg => "JPEG",
        }
    }

    fn codec(self) -> image::ImageFormat {
        match self {
            Self::Png => image::ImageFormat::Png,
            Self::Jpeg => image::ImageFormat::Jpeg,
        }
    }
}

/// An image file whose header was read and found acceptable; its pixels are not decoded yet.
pub struct ImageFile<'a> {
    format: ImageFormat,
    decoder: Box<dyn ImageDecoder + 'a>,
}

impl<'a> ImageFile<'a> {
    /// Reads the header.
    ///
    /// # Errors
    /// [`ImageError`] where the bytes are no image, are cut short, or declare more than `most_pixels`.
    pub fn open(bytes: &'a [u8], most_pixels: u64) -> Result<Self, ImageError> {
        let format = ImageFormat::of(bytes).ok_or(ImageError::Unknown)?;
        let damaged = ImageError::Damaged { format: format.name() };
        if format == ImageFormat::Jpeg && !jpeg_is_whole(bytes) {
            return Err(damaged);
        }
        let mut reader = ImageReader::with_format(Cursor::new(bytes), format.codec());
        reader.no_limits();
        let decoder = reader.into_decoder().map_err(|_| damaged)?;
        let (width, height) = decoder.dimensions();
        if u64::from(width) * u64::from(height) > most_pixels {
            return Err(ImageError::TooLarge { width, height, most: most_pixels });
        }
        Ok(Self { format, decoder: Box::new(decoder) })
    }

    /// Memory that decoding and preparing take at most, in bytes.
    ///
    /// The decoded pixels, four floats and a plane for each, and what changing the size holds between its
    /// vertical and its horizontal pass: four floats for each column of each row of the result.
    pub fn decoded_bytes(&self, spec: &ImageSpec) -> u64 {
        let (width, height) = self.decoder.dimensions();
        let longest_side = u64::from(width.max(height));
        let pixels = u64::from(width) * u64::from(height);
        self.decoder.total_bytes() + pixels * 32 + longest_side * spec.height as u64 * 16
    }

    /// Decodes the pixels, fits them to the network's size and returns them as `[channels, height, width]`
    /// in [0, 1], before the model's own scaling.
    ///
    /// # Errors
    /// [`ImageError`] where the picture is damaged, or of a size that the model refuses.
    pub fn pixels(mut self, spec: &ImageSpec) -> Result<Vec<f32>, ImageError> {
        let damaged = ImageError::Damaged { format: self.format.name() };
        self.check_size(spec)?;
        let orientation = self.orientation();
        let mut picture = DynamicImage::from_decoder(self.decoder).map_err(|_| damaged)?;
        picture.apply_orientation(orientation);
        let planes = planes(&picture, spec.channels);
        let mut pixels = Vec::with_capacity(spec.channels * spec.height * spec.width);
        for plane in planes {
            pixels.extend(fit(plane, spec).into_raw());
        }
        Ok(pixels)
    }

    /// Refuses a picture of a size that the model does not take: that shows in the header, before any pixel is
    /// decoded.
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

    /// How the camera was held; a file that does not say it, or not legibly, is taken as it is.
    fn orientation(&mut self) -> Orientation {
        self.decoder.orientation().unwrap_or(Orientation::NoTransforms)
    }
}

/// Whether a JPEG file has its end-of-image marker after the first scan: decoders fill what is missing with grey,
/// and a picture that is half grey must not be classified.
fn jpeg_is_whole(bytes: &[u8]) -> bool {
    const START_OF_SCAN: u8 = 0xda;
    let mut rest = &bytes[2..];
    // Segments up to the first scan: marker, length, content (an embedded thumbnail is content).
    while let [0xff, marker, tail @ ..] = rest {
        if *marker == 0xff {
            rest = &rest[1..];
            continue;
        }
        if *marker == START_OF_SCAN {
            // In a scan 0xff is followed by 0 or a marker: this pair is the end of the image.
            return tail.windows(2).any(|pair| pair == [0xff, 0xd9]);
        }
        let [high, low, ..] = tail else { return false };
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let Some(next) = tail.get(length..) else {
            return false;
        };
        rest = next;
    }
    false
}

type Plane = ImageBuffer<Luma<f32>, Vec<f32>>;

fn planes(picture: &DynamicImage, channels: usize) -> Vec<Plane> {
    let (width, height) = (picture.width(), picture.height());
    let colour = picture.color();
    let is_grey = !colour.has_color();
    let deep = colour.bytes_per_pixel() > colour.channel_count();
    let rgba: Box<dyn Fn(u32, u32) -> [f32; 3]> = if deep {
        let pixels = picture.to_rgba32f();
        Box::new(move |x, y| over_black(*pixels.get_pixel(x, y)))
    } else {
        let pixels = picture.to_rgba8();
        Box::new(move |x, y| {
            let Rgba([r, g, b, a]) = *pixels.get_pixel(x, y);
            over_black(Rgba([r, g, b, a].map(|v| f32::from(v) / 255.0)))
        })
    };
    match channels {
        1 => vec![Plane::from_fn(width, height, |x, y| {
            let [r, g, b] = rgba(x, y);
            Luma([if is_grey { r } else { grey(r, g, b, deep) }])
        })],
        _ => (0..channels)
            .map(|channel| Plane::from_fn(width, height, |x, y| Luma([rgba(x, y)[channel]])))
            .collect(),
    }
}

fn over_black(Rgba([r, g, b, alpha]): Rgba<f32>) -> [f32; 3] {
    if alpha >= 1.0 {
        return [r, g, b];
    }
    [r * alpha, g * alpha, b * alpha]
}

/// ITU-R BT.601 luma. For 8-bit pictures the weights are 16-bit fractions and the result is rounded to 8 bits.
fn grey(r: f32, g: f32, b: f32, deep: bool) -> f32 {
    if deep {
        return 0.299 * r + 0.587 * g + 0.114 * b;
    }
    let [r, g, b] = [r, g, b].map(|v| (v * 255.0).round() as u32);
    let luma = (r * 19_595 + g * 38_470 + b * 7_471 + 0x8000) >> 16;
    luma as f32 / 255.0
}

fn fit(plane: Plane, spec: &ImageSpec) -> Plane {
    let (width, height) = plane.dimensions();
    let (to_width, to_height) = (spec.width as u32, spec.height as u32);
    if (width, height) == (to_width, to_height) {
        return plane;
    }
    let filter = match spec.filter {
        Filter::Nearest => FilterType::Nearest,
        Filter::Triangle => FilterType::Triangle,
        Filter::CatmullRom => FilterType::CatmullRom,
    };
    let mut fitted = match spec.geometry {
        Geometry::Refuse | Geometry::Stretch => {
            imageops::resize(&plane, to_width, to_height, filter)
        }
        Geometry::CenterCrop => {
            // Cut first, then scale: the other order would let a 1 x 50,000,000 picture grow without bound.
            let aspect = f64::from(to_width) / f64::from(to_height);
            let cut = |size: u32, wanted: f64| size.min(wanted.round().max(1.0) as u32);
            let cut_width = cut(width, f64::from(height) * aspect);
            let cut_height = cut(height, f64::from(width) / aspect);
            let (left, top) = ((width - cut_width) / 2, (height - cut_height) / 2);
            let middle = imageops::crop_imm(&plane, left, top, cut_width, cut_height);
            imageops::resize(&*middle, to_width, to_height, filter)
        }
    };
    // Cubic filters overshoot at edges.
    for Luma([value]) in fitted.pixels_mut() {
        *value = value.clamp(0.0, 1.0);
    }
    fitted
}
