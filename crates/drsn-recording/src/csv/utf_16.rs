//! UTF-16 text as UTF-8: Excel and other programs on Windows write it, mostly with a mark at its
//! beginning.

use std::io::{self, BufRead, Read};

/// Bytes that are decoded at a time.
const PIECE: usize = 8 << 10;

/// From the bytes of a unit to the unit.
type Unit = fn([u8; 2]) -> u16;

/// What a text is made of.
#[derive(Clone, Copy)]
enum Encoding {
    /// Nothing was read yet.
    Unknown,
    Bytes,
    Units(Unit),
}

/// Reads UTF-16 as UTF-8, with a mark if it has one, and other text as it is.
pub(super) struct Utf8<R> {
    reader: R,
    encoding: Encoding,
    /// Units that are not decoded yet: half of a pair.
    units: Vec<u16>,
    /// The first byte of a unit.
    odd: Option<u8>,
    /// Decoded text, and where its rest begins.
    text: Vec<u8>,
    at: usize,
}

/// The encoding of a text without a mark: UTF-16 has a zero in each unit of its first characters.
fn unmarked(start: &[u8]) -> Encoding {
    const UNITS: usize = 8;
    let units = start.as_chunks::<2>().0;
    let Some(units) = units.get(..UNITS) else { return Encoding::Bytes };
    if units.iter().all(|[low, high]| *low != 0 && *high == 0) {
        Encoding::Units(u16::from_le_bytes)
    } else if units.iter().all(|[high, low]| *low != 0 && *high == 0) {
        Encoding::Units(u16::from_be_bytes)
    } else {
        Encoding::Bytes
    }
}

impl<R: BufRead> Utf8<R> {
    pub(super) const fn new(reader: R) -> Self {
        Self {
            reader,
            encoding: Encoding::Unknown,
            units: Vec::new(),
            odd: None,
            text: Vec::new(),
            at: 0,
        }
    }

    fn encoding(&mut self) -> io::Result<Encoding> {
        if matches!(self.encoding, Encoding::Unknown) {
            self.encoding = match self.reader.fill_buf()? {
                [0xff, 0xfe, ..] => Encoding::Units(u16::from_le_bytes),
                [0xfe, 0xff, ..] => Encoding::Units(u16::from_be_bytes),
                start => unmarked(start),
            };
        }
        Ok(self.encoding)
    }

    /// Decodes the next piece; whether there was one.
    fn decode(&mut self, unit: Unit) -> io::Result<bool> {
        let bytes = self.reader.fill_buf()?;
        let bytes = bytes.get(..PIECE).unwrap_or(bytes);
        let (taken, is_end) = (bytes.len(), bytes.is_empty());
        for &byte in bytes {
            match self.odd.take() {
                Some(first) => self.units.push(unit([first, byte])),
                None => self.odd = Some(byte),
            }
        }
        self.reader.consume(taken);
        let is_half = self.units.last().is_some_and(|unit| (0xd800..0xdc00).contains(unit));
        let half = if is_half && !is_end { self.units.pop() } else { None };
        self.text.clear();
        self.at = 0;
        for c in char::decode_utf16(self.units.drain(..)) {
            let c = c.unwrap_or(char::REPLACEMENT_CHARACTER);
            self.text.extend(c.encode_utf8(&mut [0; 4]).bytes());
        }
        self.units.extend(half);
        Ok(!is_end || !self.text.is_empty())
    }
}

impl<R: BufRead> BufRead for Utf8<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let Encoding::Units(unit) = self.encoding()? else { return self.reader.fill_buf() };
        while self.at >= self.text.len() && self.decode(unit)? {}
        Ok(self.text.get(self.at..).unwrap_or_default())
    }

    fn consume(&mut self, bytes: usize) {
        match self.encoding {
            Encoding::Units(_) => self.at += bytes,
            Encoding::Bytes | Encoding::Unknown => self.reader.consume(bytes),
        }
    }
}

impl<R: BufRead> Read for Utf8<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8], capacity: usize) -> Vec<u8> {
        let mut text = Vec::new();
        let reader = BufReader::with_capacity(capacity, bytes);
        Utf8::new(reader).read_to_end(&mut text).unwrap();
        text
    }

    proptest! {
        #[test]
        fn any_text_is_the_same_in_every_encoding(text in "[\\x00-\u{10ffff}]{0,60}", capacity in 2_usize..40) {
            let text = format!("\u{feff}{text}");
            for unit in [u16::to_le_bytes, u16::to_be_bytes] {
                let bytes: Vec<u8> = text.encode_utf16().flat_map(unit).collect();
                prop_assert_eq!(read(&bytes, capacity), text.as_bytes());
            }
            prop_assert_eq!(read(text.as_bytes(), capacity), text.as_bytes());
        }

        #[test]
        fn a_text_without_a_mark_is_known_by_its_zeros(text in "[!-~]{8}[ -~]{0,40}") {
            for unit in [u16::to_le_bytes, u16::to_be_bytes] {
                let bytes: Vec<u8> = text.encode_utf16().flat_map(unit).collect();
                prop_assert_eq!(read(&bytes, 64), text.as_bytes());
            }
            prop_assert_eq!(read(text.as_bytes(), 64), text.as_bytes());
        }

        #[test]
        fn whatever_follows_the_mark_is_text(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let text = read(&[b"\xff\xfe", &bytes[..]].concat(), 7);
            prop_assert!(String::from_utf8(text).is_ok());
        }
    }
}
