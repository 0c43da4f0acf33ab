//! Tags of the kind `ID3v2`: made for MP3 files, and put before FLAC, WAV and AIFF files by programs
//! that treat all sounds alike. They are passed over, so that the file behind them is read.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
};

use crate::{MARK_BYTES, RecordingFormat};

/// Bytes before the content of a tag, and, if it is flagged, after it.
const HEAD: u64 = 10;
/// The flag of a tag with a foot.
const HAS_FOOT: u8 = 0x10;
/// Most tags before a file.
const MOST: usize = 8;
/// Bytes behind a tag that tell what follows it.
const NEEDED: usize = 12;

/// Whether bytes begin with a tag. No table and no array begins so.
pub fn is_tagged(bytes: &[u8]) -> bool {
    length(bytes).is_some()
}

/// The length in bytes of the tag that begins here.
fn length(bytes: &[u8]) -> Option<u64> {
    let &[b'I', b'D', b'3', 2..=4, _, flags, a, b, c, d] = bytes.first_chunk()? else {
        return None;
    };
    let size = [a, b, c, d];
    // Its size has seven bits in each byte.
    let content = size.iter().fold(0, |sum, &byte| sum << 7 | u64::from(byte));
    let foot = if flags & HAS_FOOT == 0 { 0 } else { HEAD };
    size.iter().all(|byte| byte >> 7 == 0).then_some(HEAD + content + foot)
}

/// The file behind its tags, or the whole file if it has none; `None` if the bytes end before it
/// can be told what follows.
pub(crate) fn content(bytes: &[u8]) -> Option<&[u8]> {
    let mut rest = bytes;
    for _ in 0..MOST {
        let Some(length) = length(rest) else { break };
        rest = rest.get(usize::try_from(length).ok()?..).filter(|rest| rest.len() >= NEEDED)?;
    }
    Some(rest)
}

/// The sound file behind a tag; `None` if its format is not read.
pub(crate) fn sound(content: &[u8]) -> Option<RecordingFormat> {
    RecordingFormat::of_mark(content).filter(|format| {
        use RecordingFormat::{Aiff, Flac, Wav};
        matches!(format, Wav | Aiff | Flac)
    })
}

/// Goes on to the end of the tags with which a file begins whose first bytes are `start`. Returns
/// the first bytes that follow, and the length of the tags.
pub(crate) fn pass(file: &mut File, mut start: Vec<u8>) -> io::Result<(Vec<u8>, u64)> {
    let mut passed = 0;
    for _ in 0..MOST {
        let Some(length) = length(&start) else { break };
        passed += length;
        file.seek(SeekFrom::Start(passed))?;
        start.clear();
        file.take(MARK_BYTES).read_to_end(&mut start)?;
    }
    Ok((start, passed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_as_long_as_it_says() {
        let head = |flags, size: [u8; 4]| [&b"ID3\x04\0"[..], &[flags], &size].concat();
        assert_eq!(length(&head(0, [0, 0, 0, 0])), Some(10));
        assert_eq!(length(&head(0, [0, 0, 2, 1])), Some(10 + 257));
        assert_eq!(length(&head(0x10, [0, 0, 0, 5])), Some(25));
        assert_eq!(length(&head(0, [0, 0, 0, 128])), None);
        assert_eq!(length(b"ID3,x\n1,2\n3,4\n"), None);
        assert_eq!(length(b"ID3\x04"), None);
    }
}
