//! Bits of a FLAC frame, the most significant first.

use super::Fault;

/// Reads numbers of any number of bits.
#[derive(Debug)]
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    /// Bytes that were taken into `held`.
    taken: usize,
    /// The next bits, from the top. Below `count` of them may be some that follow.
    held: u64,
    /// At most 63.
    count: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, taken: 0, held: 0, count: 0 }
    }

    /// Bytes that were read, of which the last may be incomplete.
    pub(super) fn position(&self) -> usize {
        self.taken - (self.count / 8) as usize
    }

    /// Takes as many bytes as there is room for: at least 56 bits are held then, except at the end.
    fn refill(&mut self) {
        let rest = self.bytes.get(self.taken..).unwrap_or_default();
        if let Some(&next) = rest.first_chunk() {
            self.held |= u64::from_be_bytes(next) >> self.count;
            let bytes = (63 - self.count) / 8;
            self.taken += bytes as usize;
            self.count += 8 * bytes;
            return;
        }
        for &byte in rest {
            if self.count > 55 {
                break;
            }
            self.held |= u64::from(byte) << (56 - self.count);
            self.taken += 1;
            self.count += 8;
        }
    }

    fn drop(&mut self, bits: u32) {
        self.held <<= bits;
        self.count -= bits;
    }

    /// The next number of at most 56 bits.
    pub(super) fn read(&mut self, bits: u32) -> Result<u64, Fault> {
        if bits == 0 {
            return Ok(0);
        }
        if self.count < bits {
            self.refill();
            if self.count < bits {
                return Err(Fault::End);
            }
        }
        let number = self.held >> (64 - bits);
        self.drop(bits);
        Ok(number)
    }

    /// The next number of at most 56 bits, of which the first is its sign.
    pub(super) fn read_signed(&mut self, bits: u32) -> Result<i64, Fault> {
        let number = self.read(bits)?;
        let unused = 64 - bits.clamp(1, 64);
        Ok((number << unused) as i64 >> unused)
    }

    /// The number of zeros before the next one, which is read too.
    pub(super) fn read_unary(&mut self) -> Result<u64, Fault> {
        let mut zeros = 0;
        loop {
            let here = self.held.leading_zeros();
            if here < self.count {
                self.drop(here + 1);
                return Ok(zeros + u64::from(here));
            }
            zeros += u64::from(self.count);
            self.drop(self.count);
            self.refill();
            if self.count == 0 {
                return Err(Fault::End);
            }
        }
    }

    /// Passes over the rest of a byte.
    pub(super) fn align(&mut self) {
        self.drop(self.count % 8);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bits_are_read_one_after_another(
            bytes in prop::collection::vec(any::<u8>(), 0..60),
            sizes in prop::collection::vec(0_u32..=56, 1..40)
        ) {
            let all = bytes.iter().map(|byte| format!("{byte:08b}")).collect::<Vec<_>>().concat();
            let (mut bits, mut at) = (Bits::new(&bytes), 0);
            for size in sizes {
                let expected = all.get(at..at + size as usize);
                let Ok(number) = bits.read(size) else {
                    prop_assert!(expected.is_none());
                    break;
                };
                let text = expected.unwrap();
                prop_assert_eq!(number, u64::from_str_radix(text, 2).unwrap_or(0));
                at += size as usize;
                prop_assert_eq!(bits.position(), at.div_ceil(8));
            }
        }

        #[test]
        fn zeros_are_counted_up_to_the_next_one(zeros in prop::collection::vec(0_usize..200, 0..9)) {
            let text: String = zeros.iter().map(|&n| "0".repeat(n) + "1").collect();
            let padded = format!("{text:0<width$}", width = text.len().next_multiple_of(8));
            let bytes: Vec<u8> = (0..padded.len() / 8)
                .map(|i| u8::from_str_radix(&padded[8 * i..8 * i + 8], 2).unwrap())
                .collect();
            let mut bits = Bits::new(&bytes);
            for count in zeros {
                prop_assert_eq!(bits.read_unary().unwrap(), count as u64);
            }
            prop_assert!(bits.read_unary().is_err());
        }
    }

    #[test]
    fn signed_numbers_keep_their_sign() {
        let mut bits = Bits::new(&[0b1111_0000, 0xff, 0xff, 0xff, 0xff, 0x80]);
        assert_eq!(bits.read_signed(4).unwrap(), -1);
        assert_eq!(bits.read_signed(4).unwrap(), 0);
        assert_eq!(bits.read_signed(0).unwrap(), 0);
        assert_eq!(bits.read_signed(33).unwrap(), -1);
    }
}
