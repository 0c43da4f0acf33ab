//! Image files to pixels, compared with Pillow 12. `tests/data/pixels.json` has Pillow's pixels as
//! `[C, H, W]`, with alpha multiplied in and EXIF orientation applied; those of JPEG files in levels
//! from 0 to 255.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{collections::BTreeMap, fs, io::Write as _, path::PathBuf};

use drsn_bundle::{
    Filter, Geometry, ImageError, ImageSpec,
    input::{ImageFile, ImageFormat},
};

const MOST_PIXELS: u64 = 1_000_000;

fn data(name: &str) -> Vec<u8> {
    fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)).unwrap()
}

fn expected(name: &str) -> Vec<f32> {
    let all: BTreeMap<String, Vec<f32>> = serde_json::from_slice(&data("pixels.json")).unwrap();
    all[name].clone()
}

fn spec(channels: usize, height: usize, width: usize) -> ImageSpec {
    ImageSpec {
        channels,
        height,
        width,
        geometry: Geometry::Refuse,
        filter: Filter::Triangle,
        mean: vec![0.0; channels],
        std: vec![1.0; channels],
    }
}

fn pixels(file: &[u8], spec: &ImageSpec) -> Result<Vec<f32>, ImageError> {
    let pixels = ImageFile::open(file, MOST_PIXELS)?.pixels(spec, None)?;
    assert_eq!(pixels.dim(), (spec.channels, spec.height, spec.width));
    Ok(pixels.into_raw_vec_and_offset().0)
}

/// The largest difference between two lists of equal length.
fn distance(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn lossless_files_decode_to_the_numbers_of_pillow() {
    for (file, colours, channels) in [
        ("rgb.png", "rgb", 3),
        ("rgb.png", "grey", 1),
        ("rgba.png", "rgb", 3),
        ("palette.png", "rgb", 3),
        ("grey16.png", "grey", 1),
    ] {
        let found = pixels(&data(file), &spec(channels, 6, 8)).unwrap();
        let distance = distance(&found, &expected(&format!("{file}:{colours}")));
        // The expected numbers have seven digits.
        assert!(distance < 1e-6, "{file} as {colours}: {distance}");
    }
}

/// Differences from libjpeg, in levels from 0 to 255.
fn levels_from_libjpeg(file: &str, height: usize, width: usize) -> Vec<f32> {
    let found = pixels(&data(file), &spec(3, height, width)).unwrap();
    let expected = expected(&format!("{file}:levels"));
    assert_eq!(found.len(), expected.len());
    found.iter().zip(expected).map(|(value, level)| (value * 255.0 - level).abs()).collect()
}

#[test]
fn jpeg_files_decode_within_two_levels_of_libjpeg() {
    for (file, height, width) in [
        ("photo.jpg", 24, 32),
        ("progressive.jpg", 24, 32),
        ("turned.jpg", 32, 24),
        ("grey.jpg", 24, 32),
    ] {
        let largest = levels_from_libjpeg(file, height, width).into_iter().fold(0.0, f32::max);
        assert!(largest < 2.01, "{file}: {largest} levels");
    }
}

/// zune-jpeg interpolates subsampled chroma into the padding below the picture, while libjpeg
/// repeats its last row: if the height is not a multiple of 16, only the last row differs more.
#[test]
fn jpeg_files_with_subsampled_chroma_do_so_except_for_their_last_row() {
    let (height, width) = (24, 32);
    let differences = levels_from_libjpeg("subsampled.jpg", height, width);
    for (position, difference) in differences.into_iter().enumerate() {
        let row = position / width % height;
        let allowed = if row == height - 1 { 8.0 } else { 2.01 };
        assert!(difference < allowed, "row {row}: {difference} levels");
    }
}

#[test]
fn every_truncated_file_is_rejected_and_none_is_filled_with_grey() {
    for file in ["rgb.png", "photo.jpg", "progressive.jpg", "turned.jpg"] {
        let whole = data(file);
        // The last bytes of a PNG are an end mark that decoders do not need.
        let end = if file.ends_with("png") { whole.len() - 12 } else { whole.len() };
        for length in 0..end {
            let (height, width) = if file == "rgb.png" { (6, 8) } else { (24, 32) };
            let (height, width) =
                if file == "turned.jpg" { (width, height) } else { (height, width) };
            let cut = pixels(&whole[..length], &spec(3, height, width));
            assert!(cut.is_err(), "{file} cut to {length} of {} bytes", whole.len());
        }
    }
}

#[test]
fn no_flipped_byte_causes_a_panic() {
    for file in ["rgb.png", "palette.png", "photo.jpg", "turned.jpg"] {
        let whole = data(file);
        for position in 0..whole.len() {
            for bit in [0, 3, 7] {
                let mut damaged = whole.clone();
                damaged[position] ^= 1 << bit;
                let mut any_size = spec(3, 24, 32);
                any_size.geometry = Geometry::Stretch;
                // Only a return matters, not the result.
                if let Ok(values) = pixels(&damaged, &any_size) {
                    assert_eq!(values.len(), 3 * 24 * 32);
                }
            }
        }
    }
}

#[test]
fn other_sizes_are_rejected_stretched_or_cropped_as_in_the_manifest() {
    let file = data("rgb.png");
    let mut model = spec(3, 4, 4);
    let refused = pixels(&file, &model);
    assert!(matches!(refused, Err(ImageError::Size { width: 8, height: 6, .. })));
    for geometry in [Geometry::Stretch, Geometry::CenterCrop] {
        for filter in [Filter::Nearest, Filter::Triangle, Filter::CatmullRom] {
            model.geometry = geometry;
            model.filter = filter;
            let values = pixels(&file, &model).unwrap();
            assert_eq!(values.len(), 3 * 4 * 4);
            assert!(values.iter().all(|v| (0.0..=1.0).contains(v)));
        }
    }
}

#[test]
fn a_centre_crop_keeps_the_middle() {
    let mut picture = image::GrayImage::new(12, 4);
    for (x, _, pixel) in picture.enumerate_pixels_mut() {
        *pixel = image::Luma([match x {
            4..6 => 200,
            6..8 => 100,
            _ => 0,
        }]);
    }
    let mut file = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut file, image::ImageFormat::Png).unwrap();
    let mut model = spec(1, 2, 2);
    model.geometry = Geometry::CenterCrop;
    model.filter = Filter::Nearest;
    let values = pixels(&file.into_inner(), &model).unwrap();
    let expected = [200.0, 100.0, 200.0, 100.0].map(|level| level / 255.0);
    assert!(distance(&values, &expected) < 1e-6, "{values:?}");
}

#[test]
fn formats_are_detected_from_their_first_bytes() {
    assert_eq!(ImageFormat::of(&data("rgb.png")), Some(ImageFormat::Png));
    assert_eq!(ImageFormat::of(&data("photo.jpg")), Some(ImageFormat::Jpeg));
    assert_eq!(ImageFormat::of(b"GIF89b"), None);
    assert_eq!(ImageFormat::of(b""), None);
}

/// A PNG of 4 x 4 pixels with a colour profile that decompresses to `mebibytes`.
fn png_with_profile(mebibytes: usize) -> Vec<u8> {
    const END_OF_HEADER: usize = 33;
    let mut png = std::io::Cursor::new(Vec::new());
    let picture = image::GrayImage::from_fn(4, 4, |x, _| image::Luma([x as u8]));
    picture.write_to(&mut png, image::ImageFormat::Png).unwrap();
    let mut profile = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    for _ in 0..mebibytes * 1024 {
        profile.write_all(&[0; 1024]).unwrap();
    }
    let content = [b"iCCPname\0\0", &profile.finish().unwrap()[..]].concat();
    let mut checksum = flate2::Crc::new();
    checksum.update(&content);
    let length = (content.len() - 4) as u32;
    let chunk = [&length.to_be_bytes(), &content[..], &checksum.sum().to_be_bytes()].concat();
    let mut png = png.into_inner();
    png.splice(END_OF_HEADER..END_OF_HEADER, chunk);
    png
}

/// A colour profile is decompressed while the header is read, before any size is known: 1 MiB of it
/// once grew to 1 GiB.
#[test]
fn a_compressed_profile_needs_no_more_memory_than_the_decoder_limit() {
    let peak = || {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.split_whitespace().next().unwrap().parse::<u64>().unwrap() / 1024
    };
    let file = png_with_profile(300);
    let before = peak();
    let values = pixels(&file, &spec(1, 4, 4)).unwrap();
    let expected: Vec<f32> = (0..16_u8).map(|at| f32::from(at % 4) / 255.0).collect();
    assert!(distance(&values, &expected) < 1e-6);
    let grown = peak() - before;
    assert!(grown < 64, "decoding {} bytes took {grown} MiB", file.len());
}

/// A file of one colour was classified with a probability of 0.98.
#[test]
fn a_picture_without_content_is_rejected_at_any_size_and_depth() {
    let mut model = spec(3, 8, 8);
    model.geometry = Geometry::Stretch;
    for filter in [Filter::Nearest, Filter::Triangle, Filter::CatmullRom] {
        model.filter = filter;
        for (width, height) in [(1, 1), (8, 8), (7, 31), (100, 3)] {
            let deep =
                image::ImageBuffer::from_pixel(width, height, image::Rgb([900_u16, 9, 40_000]));
            let flat = image::RgbImage::from_pixel(width, height, image::Rgb([3, 200, 77]));
            let clear = image::RgbaImage::from_fn(width, height, |x, y| {
                image::Rgba([x as u8, y as u8, 9, 0])
            });
            for picture in [
                image::DynamicImage::ImageRgb16(deep),
                image::DynamicImage::ImageRgb8(flat),
                image::DynamicImage::ImageRgba8(clear),
            ] {
                let mut file = std::io::Cursor::new(Vec::new());
                picture.write_to(&mut file, image::ImageFormat::Png).unwrap();
                let found = pixels(&file.into_inner(), &model);
                assert_eq!(found, Err(ImageError::NoContent), "{width} x {height}, {filter:?}");
            }
        }
    }
}

/// Decoders panic at some damaged files; the process must not.
#[test]
fn a_palette_of_incomplete_colours_is_damage() {
    let file = data("palette.png");
    let at = file.windows(4).position(|kind| kind == b"PLTE").unwrap();
    let length = u32::from_be_bytes(file[at - 4..at].try_into().unwrap()) as usize;
    for shorter in [1, 2, 4, 5] {
        let mut chunk = b"PLTE".to_vec();
        chunk.extend(&file[at + 4..at + 4 + length - shorter]);
        let mut checksum = flate2::Crc::new();
        checksum.update(&chunk);
        let mut damaged = file[..at - 4].to_vec();
        damaged.extend(((length - shorter) as u32).to_be_bytes());
        damaged.extend(chunk);
        damaged.extend(checksum.sum().to_be_bytes());
        damaged.extend(&file[at + 8 + length..]);
        let found = pixels(&damaged, &spec(3, 6, 8));
        assert_eq!(found, Err(ImageError::Damaged { format: "PNG" }));
    }
}
