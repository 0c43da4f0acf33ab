//! Image file formats: detecting them, and checking a file before it is decoded.

/// The supported formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageFormat {
    /// Portable Network Graphics.
    Png,
    /// JPEG, baseline and progressive.
    Jpeg,
    /// WebP, lossy and lossless.
    WebP,
    /// Windows bitmap.
    Bmp,
    /// Graphics Interchange Format; the first picture of an animation.
    Gif,
}

impl ImageFormat {
    /// Detects the format from a file's first bytes (26 are enough).
    pub fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Self::Png),
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::WebP),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Self::Gif),
            // Two letters alone often start something else; the length of the second header
            // decides.
            [
                b'B',
                b'M',
                _,
                _,
                _,
                _,
                _,
                _,
                _,
                _,
                _,
                _,
                _,
                _,
                12 | 40 | 52 | 56 | 64 | 108 | 124,
                0,
                0,
                0,
                ..,
            ] => Some(Self::Bmp),
            _ => None,
        }
    }

    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::WebP => "image/webp",
            Self::Bmp => "image/bmp",
            Self::Gif => "image/gif",
        }
    }

    /// Its usual name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Png => "PNG",
            Self::Jpeg => "JPEG",
            Self::WebP => "WebP",
            Self::Bmp => "BMP",
            Self::Gif => "GIF",
        }
    }

    pub(super) fn codec(self) -> image::ImageFormat {
        match self {
            Self::Png => image::ImageFormat::Png,
            Self::Jpeg => image::ImageFormat::Jpeg,
            Self::WebP => image::ImageFormat::WebP,
            Self::Bmp => image::ImageFormat::Bmp,
            Self::Gif => image::ImageFormat::Gif,
        }
    }

    /// Upper bound, in bytes, of the decoder's memory besides the decoded picture of this many
    /// pixels.
    pub(super) fn decoder_bytes(self, pixels: u64) -> u64 {
        match self {
            Self::Png | Self::Jpeg | Self::Bmp => 0,
            // The first picture, before it is drawn on the canvas.
            Self::Gif => 4 * pixels,
            // Planes of luma and chroma, or of codes; a canvas for an animation.
            Self::WebP => 8 * pixels,
        }
    }

    /// Whether a file is complete and none of its parts is larger than the whole, in so far as
    /// decoders do not check that.
    pub(super) fn is_sound(self, bytes: &[u8], max_pixels: u64) -> bool {
        match self {
            Self::Png | Self::Bmp | Self::Gif => true,
            Self::Jpeg => jpeg_is_whole(bytes),
            Self::WebP => webp_is_sound(bytes, max_pixels),
        }
    }
}

/// Whether a JPEG file has its end-of-image marker after the first scan. Decoders fill missing
/// parts with grey, and a picture that is half grey must not be classified.
fn jpeg_is_whole(bytes: &[u8]) -> bool {
    const START_OF_SCAN: u8 = 0xda;
    let mut rest = &bytes[2..];
    // Segments up to the first scan: marker, length, content, which may be an embedded thumbnail.
    while let [0xff, marker, tail @ ..] = rest {
        if *marker == 0xff {
            rest = &rest[1..];
            continue;
        }
        if *marker == START_OF_SCAN {
            // In a scan, 0xff precedes 0 or a marker: this pair is the end of the image.
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

/// Whether the chunks of a WebP file lie within it, and no picture in them declares more pixels
/// than allowed: the decoder allocates declared lengths and pictures before it compares them with
/// the file.
fn webp_is_sound(bytes: &[u8], max_pixels: u64) -> bool {
    let (Some(size), Some(chunks)) = (number(bytes, 4, 4), bytes.get(12..)) else { return false };
    size + 8 <= bytes.len() as u64 && are_sound(chunks, max_pixels, true)
}

fn are_sound(mut chunks: &[u8], max_pixels: u64, outermost: bool) -> bool {
    // A rest shorter than a chunk's header is padding.
    while let Some(size) = number(chunks, 4, 4) {
        let size = size as usize;
        let Some(content) = chunks.get(8..8 + size) else { return false };
        let pixels = match &chunks[..4] {
            b"VP8 " => number(content, 6, 2)
                .zip(number(content, 8, 2))
                .map(|(w, h)| (w & 0x3fff) * (h & 0x3fff)),
            b"VP8L" => number(content, 1, 4)
                .map(|bits| ((bits & 0x3fff) + 1) * ((bits >> 14 & 0x3fff) + 1)),
            b"ANMF" => {
                let is_sound = outermost
                    && content.get(16..).is_some_and(|frame| are_sound(frame, max_pixels, false));
                number(content, 6, 3)
                    .zip(number(content, 9, 3))
                    .filter(|_| is_sound)
                    .map(|(w, h)| (w + 1) * (h + 1))
            }
            _ => Some(0),
        };
        if pixels.is_none_or(|pixels| pixels > max_pixels) {
            return false;
        }
        chunks = chunks.get(8 + size.next_multiple_of(2)..).unwrap_or_default();
    }
    true
}

/// A little-endian integer of `width` bytes.
fn number(bytes: &[u8], at: usize, width: usize) -> Option<u64> {
    let bytes = bytes.get(at..at + width)?;
    Some(bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
}
