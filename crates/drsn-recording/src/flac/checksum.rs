//! The cyclic redundancy checks of FLAC's frames.

/// Whether a checksum agrees with the one that a file states. A fuzzer could not find its way past
/// them.
pub(super) fn agree<T: PartialEq + Copy>(found: T, stated: T) -> bool {
    cfg!(fuzzing) || found == stated
}

const EIGHT: [u16; 256] = table(0x0700);
const SIXTEEN: [u16; 256] = table(0x8005);

/// The remainders of all bytes by a polynomial of 16 bits, or of 8 bits in the upper ones.
const fn table(polynomial: u16) -> [u16; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < table.len() {
        let mut remainder = (index as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            let carry = remainder & 0x8000 != 0;
            remainder <<= 1;
            if carry {
                remainder ^= polynomial;
            }
            bit += 1;
        }
        table[index] = remainder;
        index += 1;
    }
    table
}

fn remainder(table: &[u16; 256], bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |sum, &byte| {
        let [upper, lower] = sum.to_be_bytes();
        u16::from(lower) << 8 ^ table[usize::from(upper ^ byte)]
    })
}

/// Of a frame's header: x⁸ + x² + x + 1.
pub(super) fn eight(bytes: &[u8]) -> u8 {
    (remainder(&EIGHT, bytes) >> 8) as u8
}

/// Of a frame: x¹⁶ + x¹⁵ + x² + 1.
pub(super) fn sixteen(bytes: &[u8]) -> u16 {
    remainder(&SIXTEEN, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check values of the catalogue of these algorithms (CRC-8/SMBUS and CRC-16/UMTS).
    #[test]
    fn checksums_are_those_of_the_catalogue() {
        assert_eq!(eight(b"123456789"), 0xf4);
        assert_eq!(sixteen(b"123456789"), 0xfee8);
    }
}
