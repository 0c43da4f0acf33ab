//! JPEG files of kinds that no decoder here reads, so that they are not called damaged.

use super::{marker, segment};

/// What makes a whole JPEG file one that is not supported; `None` for the usual kinds, and where a
/// file is damaged before its frame.
pub(in crate::input::image) fn unsupported(bytes: &[u8]) -> Option<&'static str> {
    let mut rest = bytes.get(2..)?;
    loop {
        let (marker, tail) = marker(rest)?;
        let (content, after) = segment(tail)?;
        match marker {
            0xc0..=0xc2 => return of_usual_frame(content),
            0xc3 => return Some("lossless coding"),
            0xc5..=0xc7 => return Some("hierarchical coding"),
            0xc9..=0xcb | 0xcd..=0xcf => return Some("arithmetic coding"),
            0xf7 => return Some("JPEG-LS coding"),
            // A scan before its frame.
            0xda => return None,
            _ => rest = after,
        }
    }
}

fn of_usual_frame(content: &[u8]) -> Option<&'static str> {
    match *content.first_chunk()? {
        [12, _, _] => Some("12 bits per channel"),
        [8, 0, 0] => Some("a height that follows its pixels"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(marker: u8, frame: &[u8]) -> Vec<u8> {
        let length = (frame.len() as u16 + 2).to_be_bytes();
        let comment = [0xff, 0xfe, 0, 4, b'h', b'i'];
        [&[0xff, 0xd8][..], &comment, &[0xff, 0xff, marker], &length, frame, &[0xff, 0xd9]].concat()
    }

    #[test]
    fn each_kind_has_its_name_and_damage_has_none() {
        const FRAME: [u8; 9] = [8, 0, 16, 0, 16, 1, 1, 0x11, 0];
        for (marker, precision, name) in [
            (0xc0, 8, None),
            (0xc2, 8, None),
            (0xc1, 12, Some("12 bits per channel")),
            (0xc3, 16, Some("lossless coding")),
            (0xc6, 8, Some("hierarchical coding")),
            (0xc9, 8, Some("arithmetic coding")),
            (0xf7, 8, Some("JPEG-LS coding")),
        ] {
            let whole = file(marker, &[&[precision], &FRAME[1..]].concat());
            assert_eq!(unsupported(&whole), name, "{marker:x}");
            for length in 0..whole.len() - FRAME.len() {
                assert_eq!(unsupported(&whole[..length]), None, "{marker:x}, {length} bytes");
            }
        }
        let later = file(0xc0, &[&[8, 0, 0], &FRAME[3..]].concat());
        assert_eq!(unsupported(&later), Some("a height that follows its pixels"));
    }
}
