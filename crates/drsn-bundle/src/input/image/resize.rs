//! Cropping and resizing a decoded picture to the network's size, and its planes.

use image::{
    DynamicImage, GenericImageView, ImageBuffer, LumaA, Pixel, Rgba,
    imageops::{self, FilterType},
};
use ndarray::Array3;

use super::super::{Filter, Geometry, ImageSpec};

/// Composites the picture over black, rounded to 8 bits.
pub(super) fn lay_over_black(picture: &mut DynamicImage) {
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
pub(super) fn fit<I>(
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
pub(super) fn planes<P>(
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
pub(super) fn luma([r, g, b]: [f32; 3]) -> f32 {
    0.299 * r + 0.587 * g + 0.114 * b
}

/// The same with weights that are 16-bit fractions, rounded to 8 bits.
pub(super) fn luma_of_8_bits(levels: [u8; 3]) -> u8 {
    let [r, g, b] = levels.map(u32::from);
    ((r * 19_595 + g * 38_470 + b * 7_471 + 0x8000) >> 16) as u8
}
