//! The chunks of a PNG file, read before it is decoded.

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
    let mut rest = bytes.get(8..)?;
    let is_interlaced = *rest.get(8 + 12)? != 0;
    let mut metadata_bytes = 0;
    loop {
        let length = u32::from_be_bytes(*rest.first_chunk()?) as usize;
        let kind = rest.get(4..8)?;
        if kind == b"IDAT" {
            return Some(Survey { is_interlaced, metadata_bytes });
        }
        // A checksum follows the content.
        let after = rest.get(8..)?.get(length..)?.get(4..)?;
        if kind == b"PLTE" && !length.is_multiple_of(3) {
            return None;
        }
        metadata_bytes += length as u64;
        rest = after;
    }
}
