//! WebP, BMP and GIF files to pixels, compared with Pillow if there is a Python, and damaged files
//! of all formats.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../../../tests/support/skip.rs"]
mod skip;

use std::{fs, io::Cursor, path::Path, process::Command};

use drsn_bundle::{
    Filter, Geometry, ImageError, ImageSpec,
    input::{ImageFile, ImageFormat},
};
use image::{ImageFormat as Codec, Rgba, RgbaImage};
use proptest::{prelude::*, sample::Index};

const MOST_PIXELS: u64 = 10_000;

/// Writes pictures in every format, and beside each the bytes that Pillow decodes it to,
/// `[3, height, width]`.
const PILLOW: &str = r"
import sys, warnings
import numpy as np
from PIL import Image
folder = sys.argv[1]
random = np.random.default_rng(1)
smooth = np.add.outer(np.arange(24) * 5, np.arange(32) * 3)[..., None] + np.array([0, 20, 40])
colour = Image.fromarray(np.clip(smooth + random.integers(0, 6, (24, 32, 3)), 0, 255).astype(np.uint8))
alpha = colour.copy()
alpha.putalpha(Image.fromarray(random.integers(0, 256, (24, 32), dtype=np.uint8)))
palette = colour.quantize(60)
grey = colour.convert('L')
turned = Image.Exif()
turned[0x0112] = 6
colour.save(f'{folder}/lossless.webp', lossless=True)
alpha.save(f'{folder}/alpha.webp', lossless=True, exact=True)
colour.save(f'{folder}/turned.webp', lossless=True, exif=turned)
colour.save(f'{folder}/turned.png', exif=turned)
# The same chunk behind the pixels, where decoders that stop at them do not see it.
png = open(f'{folder}/turned.png', 'rb').read()
begin = png.index(b'eXIf') - 4
end = begin + 12 + int.from_bytes(png[begin:begin + 4], 'big')
late = png[:begin] + png[end:-12] + png[begin:end] + png[-12:]
open(f'{folder}/turned_late.png', 'wb').write(late)
colour.save(f'{folder}/lossy.webp', quality=90)
colour.save(f'{folder}/animated.webp', lossless=True, save_all=True, append_images=[grey.convert('RGB')], duration=50)
colour.save(f'{folder}/colour.bmp')
grey.save(f'{folder}/grey.bmp')
palette.save(f'{folder}/palette.bmp')
grey.convert('1').save(f'{folder}/bits.bmp')
palette.save(f'{folder}/palette.gif')
grey.save(f'{folder}/animated.gif', save_all=True, append_images=[grey.rotate(90)], duration=50)
seen = palette.copy()
seen.info['transparency'] = 7
seen.save(f'{folder}/transparent.gif', transparency=7)
palette.save(f'{folder}/interlaced.gif', interlace=1)
colour.save(f'{folder}/photo.jpg', quality=90, subsampling=0)
import os
from PIL import ImageOps
for name in sorted(os.listdir(folder)):
    picture = Image.open(f'{folder}/{name}')
    picture = ImageOps.exif_transpose(picture)
    pixels = np.asarray(picture.convert('RGBA')).astype(np.uint32)
    over = (pixels[..., :3] * pixels[..., 3:] * 2 + 255) // 510
    open(f'{folder}/{name}.pixels', 'wb').write(over.astype(np.uint8).transpose(2, 0, 1).tobytes())
";

/// A file: its name, its bytes, and the bytes of its pixels.
type File = (String, Vec<u8>, Vec<u8>);

fn spec(height: usize, width: usize, geometry: Geometry) -> ImageSpec {
    ImageSpec {
        channels: 3,
        height,
        width,
        geometry,
        filter: Filter::Triangle,
        mean: vec![0.0; 3],
        std: vec![1.0; 3],
    }
}

fn pixels(file: &[u8], spec: &ImageSpec) -> Result<Vec<f32>, ImageError> {
    let pixels = ImageFile::open(file, MOST_PIXELS)?.pixels(spec, None)?;
    assert_eq!(pixels.dim(), (spec.channels, spec.height, spec.width));
    Ok(pixels.into_raw_vec_and_offset().0)
}

/// Files written by Pillow with their pixels; `None` without a Python.
fn files_of_pillow(folder: &Path) -> Option<Vec<File>> {
    let Some(python) = std::env::var_os("DRSN_PYTHON") else {
        skip::skip("DRSN_PYTHON names no Python with Pillow");
        return None;
    };
    let has_pillow = Command::new(&python).args(["-c", "import PIL, numpy"]).output();
    if !has_pillow.is_ok_and(|run| run.status.success()) {
        skip::skip("the Python of DRSN_PYTHON has no Pillow");
        return None;
    }
    let run = Command::new(&python).args(["-c", PILLOW]).arg(folder).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if !name.ends_with(".pixels") {
            let expected = fs::read(folder.join(format!("{name}.pixels"))).unwrap();
            files.push((name, fs::read(&path).unwrap(), expected));
        }
    }
    assert_eq!(files.len(), 16);
    Some(files)
}

#[test]
fn files_of_pillow_are_decoded_to_its_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let Some(files) = files_of_pillow(folder.path()) else { return };
    for (name, file, expected) in files {
        let (height, width) = if name.starts_with("turned") { (32, 24) } else { (24, 32) };
        let found = pixels(&file, &spec(height, width, Geometry::Refuse));
        let found = found.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(found.len(), expected.len(), "{name}");
        let differences =
            found.iter().zip(&expected).map(|(f, &e)| (f * 255.0 - f32::from(e)).abs());
        let largest = differences.fold(0.0, f32::max);
        let allowed = match &name[..] {
            "photo.jpg" => 2.01,
            // Chroma is subsampled, and enlarged by another filter than libwebp's.
            "lossy.webp" => 12.0,
            _ => 1e-3,
        };
        assert!(largest < allowed, "{name}: {largest} levels");
    }
}

/// A picture in each format, by this crate's own encoders.
fn files() -> Vec<(ImageFormat, Vec<u8>)> {
    let picture = RgbaImage::from_fn(8, 6, |x, y| {
        Rgba([(x * 30) as u8, (y * 40) as u8, 99, if x > 5 { 0 } else { 255 }])
    });
    let formats = [
        (ImageFormat::Png, Codec::Png),
        (ImageFormat::WebP, Codec::WebP),
        (ImageFormat::Bmp, Codec::Bmp),
        (ImageFormat::Gif, Codec::Gif),
    ];
    let encoded = formats.map(|(format, codec)| {
        let mut file = Cursor::new(Vec::new());
        picture.write_to(&mut file, codec).unwrap();
        (format, file.into_inner())
    });
    let lossy =
        fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/photo.jpg")).unwrap();
    encoded.into_iter().chain([(ImageFormat::Jpeg, lossy)]).collect()
}

#[test]
fn a_format_is_detected_from_its_first_bytes_and_two_letters_are_not_enough() {
    for (format, file) in files() {
        assert_eq!(ImageFormat::of(&file), Some(format));
    }
    assert_eq!(ImageFormat::of(b"BM and a text after it, longer than a header"), None);
    assert_eq!(ImageFormat::of(b"RIFF\0\0\0\0WAVEfmt "), None);
}

#[test]
fn a_file_that_declares_too_many_pixels_is_rejected_before_it_is_decoded() {
    let large = RgbaImage::new(101, 100);
    for codec in [Codec::Png, Codec::WebP, Codec::Bmp, Codec::Gif] {
        let mut file = Cursor::new(Vec::new());
        large.write_to(&mut file, codec).unwrap();
        let refused = pixels(&file.into_inner(), &spec(4, 4, Geometry::Stretch));
        let is_refused =
            matches!(refused, Err(ImageError::TooLarge { .. } | ImageError::Damaged { .. }));
        assert!(is_refused, "{codec:?}: {refused:?}");
    }
}

/// A frame of an extended WebP file may be larger than its canvas, and used to be decoded before the
/// two were compared.
#[test]
fn a_webp_file_with_a_frame_beyond_its_canvas_is_rejected() {
    let lossless = [b"VP8L\x0a\0\0\0\x2f\xff\xff\xff\x0f", &[0; 5][..]].concat();
    let chunks = [b"WEBPVP8X\x0a\0\0\0\0\0\0\0\x03\0\0\x03\0\0", &lossless[..]].concat();
    let file = [b"RIFF", &(chunks.len() as u32).to_le_bytes()[..], &chunks].concat();
    assert_eq!(
        pixels(&file, &spec(4, 4, Geometry::Stretch)),
        Err(ImageError::Damaged { format: "WebP" })
    );
}

#[test]
fn a_truncated_file_is_rejected() {
    for (format, file) in files() {
        // The last bytes are end marks, padding, or pixels of the last block that decoders do not
        // need.
        let end = match format {
            ImageFormat::Png => file.len() - 12,
            ImageFormat::Gif => file.len() - 3,
            ImageFormat::Jpeg | ImageFormat::WebP | ImageFormat::Bmp => file.len() - 1,
        };
        for length in 0..end {
            let cut = pixels(&file[..length], &spec(6, 8, Geometry::Stretch));
            assert!(cut.is_err(), "{format:?} cut to {length} of {} bytes", file.len());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn a_damaged_file_is_decoded_or_rejected(
        file in any::<Index>(), changes in prop::collection::vec((any::<Index>(), any::<u8>()), 1..6), cut in any::<Option<Index>>()
    ) {
        let files = files();
        let (_, mut bytes) = files[file.index(files.len())].clone();
        for (at, byte) in changes {
            // The headers are near the front: half of the changes are made there.
            let place = at.index(2 * bytes.len());
            let place = place.checked_sub(bytes.len()).unwrap_or(place % bytes.len().min(64));
            bytes[place] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(file) = ImageFile::open(&bytes, MOST_PIXELS) {
            let spec = spec(4, 4, Geometry::Stretch);
            prop_assert!(file.decoded_bytes(&spec) < 100 * MOST_PIXELS);
            if let Ok(values) = file.pixels(&spec, None) {
                prop_assert_eq!(values.len(), 48);
                prop_assert!(values.iter().all(|v| (0.0..=1.0).contains(v)));
            }
        }
    }
}
