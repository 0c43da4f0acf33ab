//! The chunks of a WebP file, read before it is decoded.

use super::vp8l;

/// What the chunks of a WebP file say.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Survey {
    pub(super) is_animated: bool,
    pub(super) has_lossless: bool,
    /// Whether a lossy picture has a plane of alpha beside it.
    pub(super) has_alpha_plane: bool,
    /// Groups of prefix codes in the lossless picture that has the most.
    pub(super) code_groups: u64,
}

/// Reads the chunks; `None` unless they lie within the file, and no picture in them declares more
/// pixels than allowed: the decoder allocates declared lengths and pictures before it compares them
/// with the file.
pub(super) fn survey(bytes: &[u8], max_pixels: u64) -> Option<Survey> {
    let (length, chunks) = (number(bytes, 4, 4)?, bytes.get(12..)?);
    if length + 8 > bytes.len() as u64 {
        return None;
    }
    let mut reader =
        Reader { max_pixels, canvas: None, looked: [false; 4], survey: Survey::default() };
    reader.chunks(chunks, None)?;
    Some(reader.survey)
}

/// The chunks read so far.
struct Reader {
    max_pixels: u64,
    /// Size of the picture, if a chunk declares it.
    canvas: Option<Size>,
    /// Whether a lossless picture and a plane of alpha were looked into, in the file and in a
    /// frame: the decoder reads the first ones.
    looked: [bool; 4],
    survey: Survey,
}

impl Reader {
    /// Reads the chunks of a file, or of a frame of this size in it.
    fn chunks(&mut self, mut chunks: &[u8], frame: Option<Size>) -> Option<()> {
        // A rest shorter than a chunk's header is padding.
        while let Some(length) = number(chunks, 4, 4) {
            let length = length as usize;
            let content = chunks.get(8..8 + length)?;
            self.chunk(&chunks[..4], content, frame)?;
            chunks = chunks.get(8 + length.next_multiple_of(2)..).unwrap_or_default();
        }
        Some(())
    }

    fn chunk(&mut self, kind: &[u8], content: &[u8], frame: Option<Size>) -> Option<()> {
        match kind {
            b"VP8 " => {
                let size = |at| Some(number(content, at, 2)? as u32 & 0x3fff);
                self.check((size(6)?, size(8)?))
            }
            b"VP8L" => {
                self.survey.has_lossless = true;
                let sizes = number(content, 1, 4)? as u32;
                self.check(((sizes & 0x3fff) + 1, (sizes >> 14 & 0x3fff) + 1))?;
                self.look(0, content, None, frame)
            }
            b"ALPH" => {
                self.survey.has_alpha_plane = true;
                let (first, plane) = content.split_first()?;
                // Two bits say whether the plane is coded as a lossless picture.
                if first & 3 == 1 {
                    self.look(1, plane, frame.or(self.canvas), frame)
                } else {
                    Some(())
                }
            }
            b"VP8X" => {
                self.canvas = Some(size(content, 4)?);
                self.check(size(content, 4)?)
            }
            b"ANMF" if frame.is_none() => {
                self.survey.is_animated = true;
                let frame = size(content, 6)?;
                self.check(frame)?;
                self.chunks(content.get(16..)?, Some(frame))
            }
            b"ANMF" => None,
            _ => Some(()),
        }
    }

    /// Rejects more pixels than allowed.
    fn check(&self, (width, height): Size) -> Option<()> {
        (u64::from(width) * u64::from(height) <= self.max_pixels).then_some(())
    }

    /// Looks into a lossless picture, whose size is in it unless it is given.
    fn look(
        &mut self,
        kind: usize,
        picture: &[u8],
        size: Option<Size>,
        frame: Option<Size>,
    ) -> Option<()> {
        let place = kind + 2 * usize::from(frame.is_some());
        if std::mem::replace(self.looked.get_mut(place)?, true) {
            return Some(());
        }
        if kind == 1 && size.is_none() {
            return None;
        }
        let groups = vp8l::code_groups(picture, size)?;
        self.survey.code_groups = self.survey.code_groups.max(groups);
        Some(())
    }
}

/// Width and height.
type Size = (u32, u32);

/// Width and height less one, of three bytes each.
fn size(content: &[u8], at: usize) -> Option<Size> {
    Some((number(content, at, 3)? as u32 + 1, number(content, at + 3, 3)? as u32 + 1))
}

/// A little-endian integer of `width` bytes.
fn number(bytes: &[u8], at: usize, width: usize) -> Option<u64> {
    let bytes = bytes.get(at..at + width)?;
    Some(bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
}
