//! A packed message, handed to its decoder in portions, so that other calls get a turn between them.

use std::io::{self, BufRead, Cursor, Read};

/// Bytes of a portion: a decoder needs a few milliseconds for the worst ones.
const PORTION: usize = 16 << 10;

/// Packed bytes in portions: where one ends, reading fails with [`io::ErrorKind::WouldBlock`] until
/// the next one is granted. A decoder can read long before anything comes out.
#[derive(Debug)]
pub(super) struct Portioned {
    bytes: Cursor<Vec<u8>>,
    left: usize,
}

impl Portioned {
    /// All bytes from the position of the cursor on; the first portion is granted.
    pub(super) const fn new(bytes: Cursor<Vec<u8>>) -> Self {
        Self { bytes, left: PORTION }
    }

    /// Grants the next portion.
    pub(super) const fn grant(&mut self) {
        self.left = PORTION;
    }
}

impl BufRead for Portioned {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let rest = self.bytes.fill_buf()?;
        let portion = rest.get(..self.left).unwrap_or(rest);
        if portion.is_empty() && !rest.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(portion)
    }

    fn consume(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes);
        self.bytes.consume(bytes);
    }
}

impl Read for Portioned {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use flate2::bufread::GzDecoder;

    use super::*;

    /// Blocks without content, of which a decoder read a whole message before it returned.
    #[test]
    fn a_decoder_stops_after_each_portion_and_goes_on_where_it_was() {
        const BLOCK: [u8; 5] = [0, 0, 0, 0xff, 0xff];
        let head = b"\x1f\x8b\x08\0\0\0\0\0\0\xff";
        let end =
            [&b"\x01\x01\0\xfe\xffx"[..], &0x8cdc_1683_u32.to_le_bytes(), &1_u32.to_le_bytes()];
        let message = [&head[..], &BLOCK.repeat(50_000), &end.concat()].concat();
        let portions = message.len().div_ceil(PORTION);
        let mut decoder = GzDecoder::new(Portioned::new(Cursor::new(message)));
        let (mut plain, mut stops) = (Vec::new(), 0);
        while let Err(error) = decoder.read_to_end(&mut plain) {
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
            decoder.get_mut().grant();
            stops += 1;
        }
        assert_eq!((plain, stops + 1), (b"x".to_vec(), portions));
    }
}
