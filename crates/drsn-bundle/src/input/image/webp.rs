//! The chunks of a WebP file, read before it is decoded.

/// What the chunks of a WebP file say.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Survey {
    pub(super) is_animated: bool,
    pub(super) has_lossless: bool,
    /// Whether a lossy picture has a plane of alpha beside it.
    pub(super) has_alpha_plane: bool,
}

/// Reads the chunks; `None` unless they lie within the file, and no picture in them declares more
/// pixels than allowed: the decoder allocates declared lengths and pictures before it compares them
/// with the file.
pub(super) fn survey(bytes: &[u8], max_pixels: u64) -> Option<Survey> {
    let (size, chunks) = (number(bytes, 4, 4)?, bytes.get(12..)?);
    if size + 8 > bytes.len() as u64 {
        return None;
    }
    let mut survey = Survey::default();
    survey.add(chunks, max_pixels, true).then_some(survey)
}

impl Survey {
    /// Adds the chunks of a file or of a frame in it, and returns whether they are sound.
    fn add(&mut self, mut chunks: &[u8], max_pixels: u64, is_outermost: bool) -> bool {
        // A rest shorter than a chunk's header is padding.
        while let Some(size) = number(chunks, 4, 4) {
            let size = size as usize;
            let Some(content) = chunks.get(8..8 + size) else { return false };
            let pixels = match &chunks[..4] {
                b"VP8 " => pixels(number(content, 6, 2), number(content, 8, 2), |n| n & 0x3fff),
                b"VP8L" => {
                    self.has_lossless = true;
                    let sizes = number(content, 1, 4);
                    pixels(sizes, sizes.map(|bits| bits >> 14), |n| (n & 0x3fff) + 1)
                }
                b"ANMF" => {
                    self.is_animated = true;
                    let is_sound = is_outermost
                        && content.get(16..).is_some_and(|rest| self.add(rest, max_pixels, false));
                    pixels(number(content, 6, 3), number(content, 9, 3), |n| n + 1)
                        .filter(|_| is_sound)
                }
                b"ALPH" => {
                    self.has_alpha_plane = true;
                    Some(0)
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
}

/// The pixels of a picture, whose sizes `read` takes out of their fields.
fn pixels(width: Option<u64>, height: Option<u64>, read: impl Fn(u64) -> u64) -> Option<u64> {
    Some(read(width?) * read(height?))
}

/// A little-endian integer of `width` bytes.
fn number(bytes: &[u8], at: usize, width: usize) -> Option<u64> {
    let bytes = bytes.get(at..at + width)?;
    Some(bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
}
