//! Pictures in every format and variant, written by hand where encoders do not offer the variant,
//! honest ones and hostile ones.

pub(crate) mod jpeg;

use std::io::{Cursor, Write as _};

use image::{DynamicImage, ImageFormat as Codec, Rgba, RgbaImage};

pub(crate) use jpeg::{Coding, Jpeg};

/// A picture's file with a description of it.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

/// A PNG file of any colour type and depth, whose bytes are those of `row`, interlaced or not.
pub(crate) fn png(width: u32, height: u32, colour: u8, depth: u8, interlaced: bool) -> File {
    let chunk = |kind: &[u8], content: &[u8]| {
        let mut checksum = flate2::Crc::new();
        checksum.update(kind);
        checksum.update(content);
        [&(content.len() as u32).to_be_bytes(), kind, content, &checksum.sum().to_be_bytes()]
            .concat()
    };
    let samples = [1, 0, 3, 1, 2, 0, 4][usize::from(colour)];
    let bits = samples * u32::from(depth);
    let passes: &[[u32; 4]] = if interlaced {
        &[
            [0, 0, 8, 8],
            [4, 0, 8, 8],
            [0, 4, 4, 8],
            [2, 0, 4, 4],
            [0, 2, 2, 4],
            [1, 0, 2, 2],
            [0, 1, 1, 2],
        ]
    } else {
        &[[0, 0, 1, 1]]
    };
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    for &[x, y, step_x, step_y] in passes {
        let (columns, rows) =
            (width.saturating_sub(x).div_ceil(step_x), height.saturating_sub(y).div_ceil(step_y));
        if columns == 0 {
            continue;
        }
        for row in 0..rows {
            let mut line = vec![0_u8];
            line.extend(
                (0..(columns * bits).div_ceil(8)).map(|i| (i * 7 + row * 5 + i * row / 64) as u8),
            );
            packed.write_all(&line).unwrap();
        }
    }
    let header = [
        &width.to_be_bytes()[..],
        &height.to_be_bytes(),
        &[depth, colour, 0, 0, u8::from(interlaced)],
    ];
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    bytes.extend(chunk(b"IHDR", &header.concat()));
    if colour == 3 {
        let palette: Vec<u8> = (0..3 << depth).map(|i| (i * 5) as u8).collect();
        bytes.extend(chunk(b"PLTE", &palette));
    }
    bytes.extend(chunk(b"IDAT", &packed.finish().unwrap()));
    bytes.extend(chunk(b"IEND", &[]));
    File {
        name: format!("PNG {width}x{height} colour {colour} depth {depth} interlaced {interlaced}"),
        bytes,
    }
}

/// A picture that an encoder of this workspace writes.
pub(crate) fn encoded(width: u32, height: u32, codec: Codec, is_opaque: bool) -> File {
    let picture = RgbaImage::from_fn(width, height, |x, y| {
        let alpha = if is_opaque { 255 } else { (x % 7 * 40) as u8 };
        Rgba([(x * 3 + y) as u8, (y * 5) as u8, (x ^ y) as u8, alpha])
    });
    let picture = DynamicImage::ImageRgba8(picture);
    let picture = if is_opaque { picture.to_rgb8().into() } else { picture };
    let mut file = Cursor::new(Vec::new());
    picture.write_to(&mut file, codec).unwrap();
    File {
        name: format!("{codec:?} {width}x{height} opaque {is_opaque}"),
        bytes: file.into_inner(),
    }
}

fn riff(chunks: &[u8]) -> Vec<u8> {
    [b"RIFF", &(chunks.len() as u32 + 4).to_le_bytes()[..], b"WEBP", chunks].concat()
}

fn webp_chunk(kind: &[u8], content: &[u8]) -> Vec<u8> {
    let padding = vec![0; content.len() % 2];
    [kind, &(content.len() as u32).to_le_bytes(), content, &padding].concat()
}

/// Bytes that look random.
pub(crate) fn noise(count: usize) -> impl Iterator<Item = u8> {
    let mut state = 1_u64;
    (0..count).map(move |_| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    })
}

/// A lossless WebP picture of 16 x 16 pixels with this many groups of prefix codes, each of five codes
/// of up to ten bits, which need a table of a thousand entries.
pub(crate) fn webp_of_many_codes(groups: u32) -> File {
    // Numbers with the least significant bit first, codes with the most significant one.
    let mut bits = Vec::new();
    let number = |bits: &mut Vec<bool>, value: u32, count: u32| {
        bits.extend((0..count).map(|bit| value >> bit & 1 == 1));
    };
    number(&mut bits, 0x2f, 8);
    number(&mut bits, 15, 14);
    number(&mut bits, 15, 14);
    number(&mut bits, 0, 4);
    // No transform, no cache, and a picture of 4 x 4 pixels with the numbers of groups.
    number(&mut bits, 0b100, 3);
    number(&mut bits, 0, 3);
    number(&mut bits, 0, 1);
    // Codes of one symbol, of green, red, blue, alpha and distances.
    let last = groups - 1;
    for symbol in [last & 255, last >> 8, 0, 0, 0] {
        number(&mut bits, 0b101, 3);
        number(&mut bits, symbol, 8);
    }
    for _ in 0..5 * groups {
        number(&mut bits, 0, 1);
        // Lengths of the codes of the lengths 1 to 6 and 7 to 10.
        number(&mut bits, 10, 4);
        for length in [0, 0, 0, 3, 3, 3, 3, 3, 0, 3, 4, 4, 4, 4] {
            number(&mut bits, length, 3);
        }
        // Eleven lengths: 1 to 10, and 10 again.
        number(&mut bits, 1, 1);
        number(&mut bits, 1, 3);
        number(&mut bits, 9, 4);
        for (code, count) in [0, 1, 2, 3, 4, 5]
            .map(|c| (c, 3))
            .into_iter()
            .chain([12, 13, 14, 15, 15].map(|c| (c, 4)))
        {
            bits.extend((0..count).rev().map(|bit| code >> bit & 1 == 1));
        }
    }
    // Black pixels: four codes of one bit.
    number(&mut bits, 0, 16);
    bits.resize(bits.len() + 4 * 256, false);
    let byte = |bits: &[bool]| bits.iter().rev().fold(0, |byte, &bit| byte << 1 | u8::from(bit));
    let content: Vec<u8> = bits.chunks(8).map(byte).collect();
    File {
        name: format!("WebP of {groups} groups of codes, {} bytes", content.len()),
        bytes: riff(&webp_chunk(b"VP8L", &content)),
    }
}

/// A lossy WebP picture of random bits, with `bytes` of them.
pub(crate) fn lossy_webp(width: u16, height: u16, bytes: usize) -> File {
    let first = bytes / 2;
    let tag = ((first as u32) << 5 | 0x10).to_le_bytes();
    let [w0, w1] = width.to_le_bytes();
    let [h0, h1] = height.to_le_bytes();
    // No colour conversion, no clamping, no segments, a simple filter: the first bits are zeros.
    let coded: Vec<u8> = [0; 4].into_iter().chain(noise(bytes)).collect();
    let content = [&tag[..3], &[0x9d, 1, 0x2a, w0, w1, h0, h1], &coded].concat();
    File {
        name: format!("lossy WebP {width}x{height} of {bytes} bytes"),
        bytes: riff(&webp_chunk(b"VP8 ", &content)),
    }
}

/// An animation of one frame as large as its canvas.
pub(crate) fn animated_webp(width: u16, height: u16) -> File {
    let still = encoded(width.into(), height.into(), Codec::WebP, false).bytes;
    let size = |n: u16| (u32::from(n) - 1).to_le_bytes()[..3].to_vec();
    let start = if &still[12..16] == b"VP8X" {
        still.windows(4).position(|w| w == b"VP8L").unwrap()
    } else {
        12
    };
    let extended = [&[0x12, 0, 0, 0][..], &size(width), &size(height)].concat();
    let frame = [&[0; 6][..], &size(width), &size(height), &[1, 0, 0, 0], &still[start..]].concat();
    let chunks =
        [webp_chunk(b"VP8X", &extended), webp_chunk(b"ANIM", &[0; 6]), webp_chunk(b"ANMF", &frame)];
    File { name: format!("animated WebP {width}x{height}"), bytes: riff(&chunks.concat()) }
}

/// A run-length coded bitmap with these bytes after its header.
pub(crate) fn run_length_bmp(width: u32, height: u32, coded: &[u8]) -> File {
    let fields = [40, width, height, 1 | 8 << 16, 1, 0, 0, 0, 2, 0];
    let mut bytes = b"BM".to_vec();
    bytes.extend([0, 0, 62_u32].map(u32::to_le_bytes).concat());
    bytes.extend(fields.map(u32::to_le_bytes).concat());
    bytes.extend([0, 0, 0, 0, 255, 255, 255, 0]);
    bytes.extend(coded);
    File { name: format!("BMP {width}x{height} of {} coded bytes", coded.len()), bytes }
}

/// Rows of runs of two colours.
pub(crate) fn runs(width: u32, height: u32) -> Vec<u8> {
    let mut coded = Vec::new();
    for row in 0..height {
        let mut left = width;
        while left > 0 {
            let run = left.min(255);
            coded.extend([run as u8, (row % 2) as u8]);
            left -= run;
        }
        coded.extend([0, 0]);
    }
    coded
}

/// Every format and variant, of about this size.
pub(crate) fn all(width: u16, height: u16) -> Vec<File> {
    let (w, h) = (u32::from(width), u32::from(height));
    let mut files = Vec::new();
    for sampling in [&[0x11][..], &[0x11; 3], &[0x21, 0x11, 0x11], &[0x22, 0x11, 0x11], &[0x11; 4]]
    {
        for coding in
            [Coding::Baseline, Coding::Separate, Coding::Progressive(6), Coding::Refining(9)]
        {
            files.push(Jpeg { width, height, sampling, coding }.file());
        }
    }
    for (colour, depths) in
        [(0, &[1, 2, 4, 8, 16][..]), (2, &[8, 16]), (3, &[1, 4, 8]), (4, &[8, 16]), (6, &[8, 16])]
    {
        for &depth in depths {
            for interlaced in [false, true] {
                files.push(png(w, h, colour, depth, interlaced));
            }
        }
    }
    for is_opaque in [true, false] {
        for codec in [Codec::Png, Codec::WebP, Codec::Bmp, Codec::Gif] {
            files.push(encoded(w, h, codec, is_opaque));
        }
    }
    files.push(lossy_webp(width, height, (usize::from(width) * usize::from(height) / 8).max(2000)));
    files.push(animated_webp(width, height));
    files.push(run_length_bmp(w, h, &runs(w, h)));
    files
}
