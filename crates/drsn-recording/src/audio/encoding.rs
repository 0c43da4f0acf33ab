//! The encodings of one sample in an audio file.

use crate::number::{ByteOrder, NumberKind};

/// How a sample is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Bytes of which 128 stands for zero.
    Unsigned1,
    /// Integers of one to four bytes. Fewer bits are left-aligned.
    Signed1,
    Signed2,
    Signed3,
    Signed4,
    Float(NumberKind),
    /// The logarithms of ITU-T G.711.
    MuLaw,
    ALaw,
}

impl Encoding {
    /// Signed integers of this many bits, if they fit in four bytes.
    pub(crate) fn signed(bits: u16) -> Option<Self> {
        match bits {
            1..=8 => Some(Self::Signed1),
            9..=16 => Some(Self::Signed2),
            17..=24 => Some(Self::Signed3),
            25..=32 => Some(Self::Signed4),
            _ => None,
        }
    }

    /// Bytes of one sample.
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::Unsigned1 | Self::Signed1 | Self::MuLaw | Self::ALaw => 1,
            Self::Signed2 => 2,
            Self::Signed3 => 3,
            Self::Signed4 => 4,
            Self::Float(kind) => kind.size(),
        }
    }

    /// Appends the samples in `bytes`: n-bit integers divided by 2ⁿ⁻¹, floats as they are.
    pub(crate) fn decode(self, order: ByteOrder, bytes: &[u8], numbers: &mut Vec<f32>) {
        use ByteOrder::{Big, Little};
        match (self, order) {
            (Self::Unsigned1, _) => {
                numbers.extend(bytes.iter().map(|&byte| (f32::from(byte) - 128.0) / 128.0));
            }
            (Self::Signed1, _) => numbers.extend(bytes.iter().map(|&a| scaled([0, 0, 0, a]))),
            (Self::Signed2, Little) => each(bytes, numbers, |[a, b]| scaled([0, 0, a, b])),
            (Self::Signed2, Big) => each(bytes, numbers, |[b, a]| scaled([0, 0, a, b])),
            (Self::Signed3, Little) => each(bytes, numbers, |[a, b, c]| scaled([0, a, b, c])),
            (Self::Signed3, Big) => each(bytes, numbers, |[c, b, a]| scaled([0, a, b, c])),
            (Self::Signed4, Little) => each(bytes, numbers, scaled),
            (Self::Signed4, Big) => each(bytes, numbers, |[d, c, b, a]| scaled([a, b, c, d])),
            (Self::Float(kind), order) => kind.decode(order, bytes, numbers),
            (Self::MuLaw, _) => numbers.extend(bytes.iter().map(|&code| mu_law(code))),
            (Self::ALaw, _) => numbers.extend(bytes.iter().map(|&code| a_law(code))),
        }
    }
}

fn each<const N: usize>(
    bytes: &[u8],
    numbers: &mut Vec<f32>,
    convert: impl Fn([u8; N]) -> f32 + Copy,
) {
    numbers.extend(bytes.as_chunks().0.iter().map(|&sample| convert(sample)));
}

/// An integer, least significant byte first, as a part of its range. Dividing by a power of two is
/// exact: only 32 bits are rounded, to 24.
fn scaled(sample: [u8; 4]) -> f32 {
    i32::from_le_bytes(sample) as f32 / 2_147_483_648.0
}

/// G.711: a sign, three bits that choose one of eight steps, and four bits on that step.
fn parts(code: u8) -> (bool, u8, i32) {
    (code & 0x80 != 0, code >> 4 & 7, i32::from(code & 15))
}

fn mu_law(code: u8) -> f32 {
    // All bits are stored inverted.
    let (is_negative, step, fine) = parts(!code);
    let magnitude = ((2 * fine + 33) << step) - 33;
    signed(is_negative, 4 * magnitude)
}

fn a_law(code: u8) -> f32 {
    // Every other bit is stored inverted, and a sign of one means positive.
    let (is_positive, step, fine) = parts(code ^ 0x55);
    let magnitude = match step {
        0 => 2 * fine + 1,
        step => (2 * fine + 33) << (step - 1),
    };
    signed(!is_positive, 8 * magnitude)
}

fn signed(is_negative: bool, magnitude: i32) -> f32 {
    (if is_negative { -magnitude } else { magnitude }) as f32 / 32768.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(encoding: Encoding, order: ByteOrder, bytes: &[u8]) -> Vec<f32> {
        let mut numbers = Vec::new();
        encoding.decode(order, bytes, &mut numbers);
        numbers
    }

    #[test]
    fn integers_reach_from_minus_one_to_just_below_one_in_both_orders() {
        for bytes in 1..=4 {
            let encoding = Encoding::signed(8 * bytes).unwrap();
            assert_eq!(encoding.bytes(), usize::from(bytes));
            let mut ends = vec![0; 2 * usize::from(bytes)];
            ends[0] = 0x80;
            ends[usize::from(bytes)] = 0x7f;
            let top = 127.0 / 128.0;
            assert_eq!(decoded(encoding, ByteOrder::Big, &ends), [-1.0, top]);
            ends.reverse();
            assert_eq!(decoded(encoding, ByteOrder::Little, &ends), [top, -1.0]);
        }
        assert_eq!((Encoding::signed(0), Encoding::signed(33)), (None, None));
    }

    /// The ends and the middle of the tables of G.711, in 16 bits.
    #[test]
    fn logarithms_are_those_of_the_standard() {
        let scale = |numbers: Vec<f32>| numbers.iter().map(|x| (x * 32768.0) as i32).collect();
        let codes = [0x00, 0x80, 0x7f, 0xff, 0x4f, 0xaa, 0xd5, 0x55, 0x2a];
        let mu: Vec<i32> = scale(decoded(Encoding::MuLaw, ByteOrder::Little, &codes));
        assert_eq!(mu, [-32124, 32124, 0, 0, -924, 5372, 716, -716, -5372]);
        let a: Vec<i32> = scale(decoded(Encoding::ALaw, ByteOrder::Little, &codes));
        assert_eq!(a, [-5504, 5504, -848, 848, -424, 32256, 8, -8, -32256]);
    }
}
