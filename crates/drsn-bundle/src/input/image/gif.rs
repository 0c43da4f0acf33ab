//! The blocks of a GIF file before its first picture, read before it is decoded.

/// Whether the first picture shows every pixel of the canvas, or leaves the others transparent; `None`
/// if the file is cut short.
///
/// What lies beside an opaque picture is of the background colour by the specification (`GIF89a`, 18),
/// of the first colour in Pillow and transparent in browsers; what lies beyond the canvas is cut off
/// or enlarges it.
pub(super) fn covers_canvas(bytes: &[u8]) -> Option<bool> {
    let [width, height] = [number(bytes, 6)?, number(bytes, 8)?];
    let mut rest = bytes.get(13..)?.get(colours(*bytes.get(10)?)..)?;
    let mut is_transparent = false;
    loop {
        match rest {
            [0x21, label, after @ ..] => {
                is_transparent |= *label == 0xf9 && after.get(1)? & 1 == 1;
                rest = pass_blocks(after)?;
            }
            [0x2c, ..] => {
                let [left, top] = [number(rest, 1)?, number(rest, 3)?];
                let [right, bottom] = [left + number(rest, 5)?, top + number(rest, 7)?];
                let is_equal = (left, top, right, bottom) == (0, 0, width, height);
                let is_inside = right <= width && bottom <= height;
                return Some(is_equal || is_inside && is_transparent);
            }
            _ => return None,
        }
    }
}

/// Bytes of the table of colours that these flags declare.
fn colours(flags: u8) -> usize {
    if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) }
}

/// What follows blocks that end with an empty one.
fn pass_blocks(mut bytes: &[u8]) -> Option<&[u8]> {
    loop {
        let (&length, after) = bytes.split_first()?;
        bytes = after.get(usize::from(length)..)?;
        if length == 0 {
            return Some(bytes);
        }
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|&bytes| u16::from_le_bytes(bytes).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A canvas of 40 x 30, with a comment, a picture at (4, 3), and a transparent colour if there is one.
    fn file([width, height]: [u16; 2], at: [u16; 2], is_transparent: bool) -> Vec<u8> {
        let numbers =
            |values: &[u16]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>();
        let transparency = [0x21, 0xf9, 4, u8::from(is_transparent), 0, 0, 2, 0];
        [
            b"GIF89a",
            &numbers(&[40, 30])[..],
            &[0x80, 1, 0, 1, 2, 3, 4, 5, 6],
            b"\x21\xfe\x02hi\x03you\0",
            &transparency,
            b"\x2c",
            &numbers(&[at[0], at[1], width, height]),
            &[0],
        ]
        .concat()
    }

    /// Regression: such a picture was laid over black, and Pillow shows the first colour there.
    #[test]
    fn a_picture_must_cover_its_canvas_unless_the_rest_is_transparent() {
        for (size, at, is_transparent, covers) in [
            ([40, 30], [0, 0], false, true),
            ([40, 30], [0, 0], true, true),
            ([32, 24], [4, 3], false, false),
            ([32, 24], [4, 3], true, true),
            ([40, 30], [1, 0], true, false),
            ([50, 30], [0, 0], false, false),
            ([u16::MAX, 30], [u16::MAX, 0], true, false),
        ] {
            let file = file(size, at, is_transparent);
            assert_eq!(covers_canvas(&file), Some(covers), "{size:?} {at:?} {is_transparent}");
            for length in 0..file.len() - 1 {
                assert_eq!(covers_canvas(&file[..length]), None, "{length}");
            }
        }
    }
}
