//! Pictures as careless programs write them: bitmaps whose alpha nobody filled in, and JPEG files
//! without the marker of their end, or with other data behind it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../../../tests/support/skip.rs"]
mod skip;

use std::{fs, path::Path, process::Command};

use drsn_bundle::{Filter, Geometry, ImageError, ImageSpec, input::ImageFile};

const MOST_PIXELS: u64 = 100_000;
const DAMAGED: ImageError = ImageError::Damaged { format: "JPEG" };

fn pixels(file: &[u8], [height, width]: [usize; 2]) -> Result<Vec<f32>, ImageError> {
    let spec = ImageSpec {
        channels: 3,
        height,
        width,
        geometry: Geometry::Refuse,
        filter: Filter::Triangle,
        mean: vec![0.0; 3],
        std: vec![1.0; 3],
    };
    let pixels = ImageFile::open(file, MOST_PIXELS)?.pixels(&spec, None)?;
    Ok(pixels.into_raw_vec_and_offset().0)
}

fn data(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)).unwrap()
}

/// What programs leave behind a picture.
const TRAILERS: [&[u8]; 4] =
    [&[0; 20], b"SEFTSEFTSEFTSEFT", b"\xff\x00abc\xff\x01", b"a text of some length"];

/// Regression: photographs of phones that write no marker of the end were damaged files.
#[test]
fn a_jpeg_file_without_its_end_is_whole_if_its_blocks_are() {
    for name in ["photo.jpg", "grey.jpg", "subsampled.jpg"] {
        let file = data(name);
        let expected = pixels(&file, [24, 32]).unwrap();
        let (body, end) = file.split_at(file.len() - 2);
        assert_eq!(end, b"\xff\xd9", "{name}");
        for trailer in TRAILERS {
            let unended = pixels(&[body, trailer].concat(), [24, 32]);
            assert_eq!(unended.as_ref(), Ok(&expected), "{name} without end, {trailer:?}");
            let behind = pixels(&[&file, trailer].concat(), [24, 32]);
            assert_eq!(behind.as_ref(), Ok(&expected), "{name} with {trailer:?}");
        }
        // Nothing behind the last block, or the beginning of the marker, is a file cut short.
        for cut in [body, &file[..file.len() - 1], &body[..body.len() - 1]] {
            assert_eq!(pixels(cut, [24, 32]), Err(DAMAGED), "{name}");
        }
        // Blocks are missing, and what follows does not make up for them.
        let missing = [&body[..body.len() - 12], b"\0"].concat();
        assert_eq!(pixels(&missing, [24, 32]), Err(DAMAGED), "{name}");
    }
    // Its scans refine each other: how many there should be, nobody knows.
    let progressive = data("progressive.jpg");
    let body = &progressive[..progressive.len() - 2];
    assert_eq!(pixels(&[body, &[0; 20]].concat(), [24, 32]), Err(DAMAGED));
}

/// A bitmap of 32 bits and 2 x 2 pixels; with masks as in version 4 of the header.
fn bmp(masks: bool, alpha: [u8; 4]) -> Vec<u8> {
    let header = if masks { 108_u32 } else { 40 };
    let offset = 14 + header;
    let mut file = b"BM".to_vec();
    for number in [offset + 16, 0, offset, header, 2, 2] {
        file.extend(number.to_le_bytes());
    }
    file.extend([1, 0, 32, 0, if masks { 3 } else { 0 }, 0, 0, 0]);
    file.extend([0; 20]);
    if masks {
        for mask in [0xff_0000_u32, 0xff00, 0xff, 0xff00_0000] {
            file.extend(mask.to_le_bytes());
        }
        file.extend([0; 52]);
    }
    assert_eq!(file.len() as u32, offset);
    for (level, alpha) in [10, 60, 110, 210].into_iter().zip(alpha) {
        file.extend([level, level, level, alpha]);
    }
    file
}

/// Regression: a bitmap whose alpha was all 0 became black.
#[test]
fn alpha_that_is_nowhere_above_0_in_a_bitmap_is_none() {
    let opaque = [110, 210, 10, 60].map(|level| level as f32 / 255.0).repeat(3);
    for file in [
        bmp(true, [0; 4]),
        bmp(true, [255; 4]),
        bmp(false, [0; 4]),
        bmp(false, [255; 4]),
        bmp(false, [0, 255, 3, 0]),
    ] {
        assert_eq!(pixels(&file, [2, 2]).as_ref(), Ok(&opaque));
    }
    // Some alpha above 0 is meant.
    let some = pixels(&bmp(true, [0, 255, 0, 255]), [2, 2]).unwrap();
    assert_eq!(some[..4], [0.0, 210.0, 0.0, 60.0].map(|level: f32| level / 255.0));
}

/// Writes variants, and beside each the pixels that Pillow reads, `[3, height, width]`, or nothing
/// if it reads none.
const PILLOW: &str = r"
import io, struct, sys
import numpy as np
from PIL import Image
folder = sys.argv[1]
random = np.random.default_rng(7)
def keep(name, file, as_opaque=False):
    open(f'{folder}/{name}', 'wb').write(file)
    try:
        picture = Image.open(io.BytesIO(file))
        picture.load()
    except OSError:
        open(f'{folder}/{name}.pixels', 'wb').write(b'')
        return
    pixels = np.asarray(picture.convert('RGB' if as_opaque else 'RGBA')).astype(np.uint32)
    if not as_opaque:
        pixels = (pixels[..., :3] * pixels[..., 3:] * 2 + 255) // 510
    open(f'{folder}/{name}.pixels', 'wb').write(pixels.astype(np.uint8).transpose(2, 0, 1).tobytes())
smooth = np.add.outer(np.arange(24) * 5, np.arange(32) * 3)[..., None] + np.array([0, 20, 40])
tails = [b'', b'\0' * 20, b'SEFT' * 5, b'\xff\x00abcdefg\xff\x01', b'Some text of an editor\n',
         bytes(random.integers(0, 255, 40, dtype=np.uint8)), b'\xff' * 9]
for n in range(24):
    noisy = np.clip(smooth + random.integers(0, 2 + 4 * n, (24, 32, 3)), 0, 255).astype(np.uint8)
    picture = Image.fromarray(noisy)
    if n % 5 == 4:
        picture = picture.convert('L')
    options = {'restart_marker_blocks': 1 + n % 3} if n % 4 == 1 else {}
    if n % 8 == 7:
        options['progressive'] = True
    out = io.BytesIO()
    picture.save(out, 'JPEG', quality=60 + n, subsampling=0, optimize=n % 2 == 0, **options)
    file = out.getvalue()
    tail = tails[n % len(tails)]
    keep(f'{n}-unended.jpg', file[:-2] + tail)
    keep(f'{n}-behind.jpg', file + tail)
    # Where a marker follows, Pillow fills missing blocks with grey; here they are missing.
    keep(f'{n}-cut.jpg', file[:-2 - 60 - 7 * n] + tail.replace(b'\xff', b''))
    masks, alpha = n % 3 != 0, n % 4
    header = [108, 124, 40][n % 3] if masks else 40
    masks = header != 40
    top_down = n % 2 == 1
    bgra = np.dstack([noisy[..., ::-1], np.zeros((24, 32), np.uint8)])
    if alpha == 1:
        bgra[..., 3] = random.integers(0, 256, (24, 32))
    elif alpha == 2:
        bgra[..., 3] = 255
    file = b'BM' + struct.pack('<IIIIiiHHIIiiII', 14 + header + bgra.size, 0, 14 + header, header, 32,
        -24 if top_down else 24, 1, 32, 3 if masks else 0, bgra.size, 2835, 2835, 0, 0)
    if masks:
        file += struct.pack('<IIII', 0xff0000, 0xff00, 0xff, 0xff000000)
    file += b'\0' * (14 + header - len(file))
    keep(f'{n}.bmp', file + (bgra if top_down else bgra[::-1]).tobytes(), as_opaque=alpha in (0, 3))
";

#[test]
fn careless_files_give_what_pillow_gives() {
    let Some(python) = std::env::var_os("DRSN_PYTHON") else {
        return skip::skip("DRSN_PYTHON names no Python with Pillow");
    };
    let has_pillow = Command::new(&python).args(["-c", "import PIL, numpy"]).output();
    if !has_pillow.is_ok_and(|run| run.status.success()) {
        return skip::skip("the Python of DRSN_PYTHON has no Pillow");
    }
    let folder = tempfile::tempdir().unwrap();
    let run = Command::new(&python).args(["-c", PILLOW]).arg(folder.path()).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let mut wrong = Vec::new();
    for entry in fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if name.ends_with(".pixels") {
            continue;
        }
        let expected = fs::read(folder.path().join(format!("{name}.pixels"))).unwrap();
        match pixels(&fs::read(&path).unwrap(), [24, 32]) {
            Ok(found) if !expected.is_empty() => {
                let differences =
                    found.iter().zip(&expected).map(|(f, &e)| (f * 255.0 - f32::from(e)).abs());
                let largest = differences.fold(0.0, f32::max);
                // Cosine transforms of JPEG round differently.
                let allowed = if name.contains(".jpg") { 3.01 } else { 1e-3 };
                if largest > allowed {
                    wrong.push(format!("{name}: {largest} levels"));
                }
            }
            Err(_) if expected.is_empty() => {}
            Ok(_) => wrong.push(format!("{name}: Pillow reads nothing")),
            Err(error) => wrong.push(format!("{name}: {error}, and Pillow reads it")),
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}
