//! The chunks of a PNG file, read before it is decoded.

use image::metadata::Orientation;

/// What the chunks of a PNG file say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Survey {
    pub(super) is_interlaced: bool,
    /// Bytes of metadata that are decompressed or kept.
    pub(super) metadata_bytes: u64,
}

/// Reads the chunks before the pixels; `None` if the file is cut short, or a palette does not
/// consist of whole colours.
pub(super) fn survey(bytes: &[u8]) -> Option<Survey> {
    let is_interlaced = *bytes.get(8 + 8 + 12)? != 0;
    let mut metadata_bytes = 0;
    for (kind, content) in chunks(bytes) {
        if kind == *b"IDAT" {
            return Some(Survey { is_interlaced, metadata_bytes });
        }
        let content = content?;
        if kind == *b"PLTE" && !content.len().is_multiple_of(3) {
            return None;
        }
        metadata_bytes += content.len() as u64;
    }
    None
}

/// The orientation in an `eXIf` chunk behind the pixels, where decoders do not look that stop at them.
pub(super) fn orientation_behind_pixels(bytes: &[u8]) -> Option<Orientation> {
    let mut behind = chunks(bytes).skip_while(|(kind, _)| kind != b"IDAT");
    let (_, exif) = behind.find(|(kind, _)| kind == b"eXIf")?;
    super::oriented(exif?)
}

/// The chunks up to the end of the file: each with its content, or `None` if the file ends in it.
fn chunks(bytes: &[u8]) -> impl Iterator<Item = ([u8; 4], Option<&[u8]>)> {
    let mut rest = bytes.get(8..);
    std::iter::from_fn(move || {
        let (length, after) = rest?.split_first_chunk()?;
        let (kind, after) = after.split_first_chunk()?;
        let content = after.get(..u32::from_be_bytes(*length) as usize);
        // A checksum follows the content.
        rest = content.and_then(|content| after.get(content.len()..)?.get(4..));
        Some((*kind, content))
    })
}
