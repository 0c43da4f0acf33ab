//! JPEG files without the marker of their end: phones and editors write other data in its place.
//!
//! Such a file is whole if every block of its scan is there. Decoders do not tell that from a file
//! that was cut short, so the codes of the scan are followed here, without computing a picture. As
//! in Pillow, only a sequential file of one scan can do without the marker, and only if something
//! follows its last block.

use std::borrow::Cow;

use super::{Frame, marker, segment};

const END: [u8; 2] = [0xff, 0xd9];
/// Coefficients of a block.
const COEFFICIENTS: usize = 64;
/// Longest difference of two means of blocks, in bits.
const LONGEST_MEAN: u8 = 11;

/// A file with its end in place: the same bytes, or those up to its last block and the marker. The
/// codes of a picture with more than `max_pixels` are not followed: it is refused anyway.
pub(in crate::input::image) fn with_end(bytes: &[u8], max_pixels: u64) -> Cow<'_, [u8]> {
    if super::survey(bytes).is_some() {
        return Cow::Borrowed(bytes);
    }
    match end_of_scan(bytes, max_pixels).and_then(|end| bytes.split_at_checked(end)) {
        // Bytes of all ones may be the beginning of the marker.
        Some((whole, trailer)) if trailer.iter().any(|&byte| byte != 0xff) => {
            Cow::Owned([whole, &END].concat())
        }
        _ => Cow::Borrowed(bytes),
    }
}

/// Huffman codes: how many there are of each length from 1 to 16 bits, and what they mean.
struct Codes<'a> {
    counts: [u8; 16],
    symbols: &'a [u8],
}

/// What precedes the scan.
#[derive(Default)]
struct Tables<'a> {
    means: [Option<Codes<'a>>; 4],
    others: [Option<Codes<'a>>; 4],
    /// Units between two restarts; 0 if there are none.
    interval: u64,
}

/// Where the coded data of the only scan end; `None` if they do not contain every block, or the
/// picture is too large.
fn end_of_scan(bytes: &[u8], max_pixels: u64) -> Option<usize> {
    let mut rest = bytes.get(2..)?;
    let mut tables = Tables::default();
    let mut frame: Option<Frame> = None;
    loop {
        let (marker, tail) = marker(rest)?;
        let (content, after) = segment(tail)?;
        match marker {
            0xc0 | 0xc1 => frame = Some(Frame::read(content, false)?),
            0xc4 => tables.define(content)?,
            0xdd => tables.interval = u16::from_be_bytes(*content.first_chunk()?).into(),
            0xda => {
                let frame = frame.filter(|frame| frame.width * frame.height <= max_pixels)?;
                let coded = follow(&frame, &tables, content, after)?;
                return Some(bytes.len() - after.len() + coded);
            }
            0xc2..=0xcf | 0x00..=0x01 | 0xd0..=0xd9 | 0xdc => return None,
            _ => {}
        }
        rest = after;
    }
}

impl<'a> Tables<'a> {
    fn define(&mut self, mut content: &'a [u8]) -> Option<()> {
        while let Some((&kind, rest)) = content.split_first() {
            let (&counts, rest) = rest.split_first_chunk::<16>()?;
            let total = counts.iter().map(|&count| usize::from(count)).sum();
            let (symbols, rest) = rest.split_at_checked(total)?;
            let tables = if kind >> 4 == 0 { &mut self.means } else { &mut self.others };
            *tables.get_mut(usize::from(kind & 15))? = Some(Codes { counts, symbols });
            content = rest;
        }
        Some(())
    }
}

/// The length of the coded data that hold every block of the scan with this header.
fn follow(frame: &Frame, tables: &Tables<'_>, header: &[u8], coded: &[u8]) -> Option<usize> {
    let scan = frame.scan(header)?;
    if !scan.has_all {
        return None;
    }
    let (&count, rest) = header.split_first()?;
    let (ids, _) = rest.get(..2 * usize::from(count))?.as_chunks::<2>();
    let mut parts = Vec::new();
    for &[id, chosen] in ids {
        let component = frame.components.iter().find(|component| component.id == id)?;
        let mean = tables.means.get(usize::from(chosen >> 4))?.as_ref()?;
        let others = tables.others.get(usize::from(chosen & 15))?.as_ref()?;
        // A scan of one component has its blocks one by one.
        let blocks = if count == 1 { 1 } else { component.blocks() };
        parts.push((mean, others, blocks));
    }
    let of_a_unit: u64 = parts.iter().map(|(_, _, blocks)| blocks).sum();
    let mut bits = Bits { bytes: coded, at: 0, byte: 0, left: 0 };
    for unit in 0..scan.blocks.checked_div(of_a_unit)? {
        if tables.interval > 0 && unit > 0 && unit.is_multiple_of(tables.interval) {
            bits.restart()?;
        }
        for &(mean, others, blocks) in &parts {
            for _ in 0..blocks {
                bits.skip_block(mean, others)?;
            }
        }
    }
    Some(bits.at)
}

/// The bits of coded data.
struct Bits<'a> {
    bytes: &'a [u8],
    /// Bytes taken, with the zeros after those of all ones.
    at: usize,
    byte: u8,
    /// Bits of the byte that are not taken yet.
    left: u32,
}

impl Bits<'_> {
    fn next(&mut self) -> Option<u32> {
        if self.left == 0 {
            self.byte = *self.bytes.get(self.at)?;
            self.at += 1;
            if self.byte == 0xff {
                // Anything else than 0 makes a marker.
                self.bytes.get(self.at).filter(|&&follows| follows == 0)?;
                self.at += 1;
            }
            self.left = 8;
        }
        self.left -= 1;
        Some(u32::from(self.byte >> self.left & 1))
    }

    fn skip(&mut self, count: u8) -> Option<()> {
        (0..count).try_for_each(|_| self.next().map(drop))
    }

    fn symbol(&mut self, codes: &Codes<'_>) -> Option<u8> {
        let (mut code, mut first, mut before) = (0_u32, 0_u32, 0_u32);
        for &count in &codes.counts {
            code = code << 1 | self.next()?;
            let count = u32::from(count);
            if let Some(place) = code.checked_sub(first).filter(|&place| place < count) {
                return codes.symbols.get((before + place) as usize).copied();
            }
            before += count;
            first = (first + count) << 1;
        }
        None
    }

    fn skip_block(&mut self, mean: &Codes<'_>, others: &Codes<'_>) -> Option<()> {
        let length = self.symbol(mean).filter(|&length| length <= LONGEST_MEAN)?;
        self.skip(length)?;
        let mut place = 1;
        while place < COEFFICIENTS {
            let symbol = self.symbol(others)?;
            let (zeros, length) = (usize::from(symbol >> 4), symbol & 15);
            match (zeros, length) {
                (15, 0) => place += 16,
                (_, 0) => break,
                _ => {
                    self.skip(length)?;
                    place += zeros + 1;
                }
            }
        }
        Some(())
    }

    /// Goes on after the marker of a restart.
    fn restart(&mut self) -> Option<()> {
        self.left = 0;
        while self.bytes.get(self.at..self.at + 2)? == [0xff, 0xff] {
            self.at += 1;
        }
        let &[0xff, 0xd0..=0xd7] = self.bytes.get(self.at..)?.first_chunk::<2>()? else {
            return None;
        };
        self.at += 2;
        Some(())
    }
}
