//! Numbers of any type and byte order to 32-bit floats.

use std::{
    convert::identity,
    io::{self, Read},
    time::Instant,
};

use crate::{RecordingError, limits::check_time};

/// The order of the bytes in a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ByteOrder {
    /// Least significant byte first.
    Little,
    /// Most significant byte first.
    Big,
}

impl ByteOrder {
    pub(super) fn u16(self, bytes: [u8; 2]) -> u16 {
        match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        }
    }

    pub(super) fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        }
    }
}

/// How a number is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NumberKind {
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    F16,
    F32,
    F64,
}

impl NumberKind {
    /// Bytes of one number.
    pub(super) fn size(self) -> usize {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 | Self::F16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
        }
    }

    /// Appends the numbers in `bytes`, each rounded to the nearest 32-bit float. An incomplete
    /// number at the end is ignored.
    pub(super) fn decode(self, order: ByteOrder, bytes: &[u8], numbers: &mut Vec<f32>) {
        macro_rules! each {
            ($type:ty, $convert:expr) => {{
                let (chunks, _) = bytes.as_chunks::<{ size_of::<$type>() }>();
                match order {
                    ByteOrder::Little => {
                        numbers.extend(chunks.iter().map(|&b| $convert(<$type>::from_le_bytes(b))));
                    }
                    ByteOrder::Big => {
                        numbers.extend(chunks.iter().map(|&b| $convert(<$type>::from_be_bytes(b))));
                    }
                }
            }};
        }
        match self {
            Self::I8 => each!(i8, f32::from),
            Self::U8 => each!(u8, f32::from),
            Self::I16 => each!(i16, f32::from),
            Self::U16 => each!(u16, f32::from),
            Self::I32 => each!(i32, |x| x as f32),
            Self::U32 => each!(u32, |x| x as f32),
            Self::I64 => each!(i64, |x| x as f32),
            Self::U64 => each!(u64, |x| x as f32),
            Self::F32 => each!(f32, identity),
            Self::F64 => each!(f64, |x| x as f32),
            Self::F16 => {
                let (chunks, _) = bytes.as_chunks::<2>();
                numbers.extend(chunks.iter().map(|&b| match order {
                    ByteOrder::Little => half(u16::from_le_bytes(b)),
                    ByteOrder::Big => half(u16::from_be_bytes(b)),
                }));
            }
        }
    }

    /// The number in `bytes`, in 64 bits; `None` if they are fewer than it has.
    pub(super) fn one(self, order: ByteOrder, bytes: &[u8]) -> Option<f64> {
        macro_rules! one {
            ($type:ty) => {{
                let bytes = *bytes.first_chunk()?;
                match order {
                    ByteOrder::Little => <$type>::from_le_bytes(bytes),
                    ByteOrder::Big => <$type>::from_be_bytes(bytes),
                }
            }};
        }
        Some(match self {
            Self::I8 => f64::from(one!(i8)),
            Self::U8 => f64::from(one!(u8)),
            Self::I16 => f64::from(one!(i16)),
            Self::U16 => f64::from(one!(u16)),
            Self::I32 => f64::from(one!(i32)),
            Self::U32 => f64::from(one!(u32)),
            Self::I64 => one!(i64) as f64,
            Self::U64 => one!(u64) as f64,
            Self::F16 => f64::from(half(one!(u16))),
            Self::F32 => f64::from(one!(f32)),
            Self::F64 => one!(f64),
        })
    }

    /// Reads `count` numbers until the deadline; `broken` names what it means if the reader fails.
    /// Memory grows with the bytes read, so a false count costs nothing.
    pub(super) fn read(
        self,
        order: ByteOrder,
        count: usize,
        deadline: Option<Instant>,
        reader: impl Read,
        broken: impl FnOnce(io::Error) -> RecordingError,
    ) -> Result<Vec<f32>, RecordingError> {
        let mut numbers = Vec::with_capacity(count.min(MOST_AT_FIRST));
        blocks(self.size(), count, deadline, reader, broken, |part| {
            self.decode(order, part, &mut numbers);
            Ok::<_, RecordingError>(())
        })?;
        Ok(numbers)
    }
}

/// Numbers that there is room for from the start.
const MOST_AT_FIRST: usize = 1 << 16;
/// Bytes that are read at once: a multiple of every number's size, which stay in the cache, and are
/// decoded and unpacked in less than a millisecond.
const BLOCK: usize = 1 << 14;

/// Reads `count` items of `size` bytes until the deadline, and hands them on in blocks of whole
/// items; `broken` names what it means if the reader fails. A false count costs nothing.
pub(super) fn blocks<E: From<RecordingError>>(
    size: usize,
    count: usize,
    deadline: Option<Instant>,
    mut reader: impl Read,
    broken: impl FnOnce(io::Error) -> RecordingError,
    mut take: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let most = (BLOCK / size.max(1)).max(1);
    let mut block = vec![0; most.min(count).saturating_mul(size)];
    let mut left = count;
    while left > 0 {
        let items = left.min(most);
        let Some(part) = block.get_mut(..items * size) else { break };
        check_time(deadline)?;
        if let Err(error) = reader.read_exact(part) {
            return Err(broken(error).into());
        }
        take(part)?;
        left -= items;
    }
    Ok(())
}

/// An IEEE 754 16-bit float: 1 sign bit, 5 exponent bits with bias 15, 10 fraction bits.
fn half(bits: u16) -> f32 {
    let fraction = f32::from(bits & 0x3ff) / 1024.0;
    let magnitude = match i32::from(bits >> 10 & 0x1f) {
        0 => fraction * 2_f32.powi(-14),
        31 if fraction > 0.0 => f32::NAN,
        31 => f32::INFINITY,
        exponent => (1.0 + fraction) * 2_f32.powi(exponent - 15),
    };
    if bits >> 15 == 1 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_read_with_their_extremes() {
        let halves: Vec<f32> =
            [0x3c00, 0xc000, 0x7bff, 0x0001, 0x3555, 0x7c00].into_iter().map(half).collect();
        let expected = [1.0, -2.0, 65504.0, 2_f32.powi(-24), 0.333_251_95, f32::INFINITY];
        assert!(halves.iter().zip(expected).all(|(a, b)| a.to_bits() == b.to_bits()), "{halves:?}");
    }

    #[test]
    fn a_false_count_is_an_error() {
        let read = |deadline| {
            let bytes = &[0; 1000][..];
            NumberKind::F64.read(ByteOrder::Big, usize::MAX, deadline, bytes, Into::into)
        };
        let error = read(None).unwrap_err();
        assert!(
            matches!(&error, RecordingError::Io(e) if e.kind() == io::ErrorKind::UnexpectedEof),
            "{error}"
        );
        assert!(matches!(read(Some(Instant::now())), Err(RecordingError::TimeUp)));
    }

    #[test]
    fn one_number_has_64_bits_and_every_kind() {
        use NumberKind::{F16, F32, F64, I8, I16, I32, I64, U8, U16, U32, U64};
        let bytes = [0x40, 0x59, 0x21, 0x42, 0x13, 0x24, 0x35, 0x46];
        for kind in [I8, U8, I16, U16, I32, U32, I64, U64, F16, F32, F64] {
            for order in [ByteOrder::Little, ByteOrder::Big] {
                let part = &bytes[..kind.size()];
                let mut rounded = Vec::new();
                kind.decode(order, part, &mut rounded);
                let one = kind.one(order, part).unwrap();
                assert_eq!(rounded, [one as f32], "{kind:?}, {order:?}");
                assert_eq!(kind.one(order, &part[1..]), None, "{kind:?}");
            }
        }
        let exact = 97_656.123_456_789_f64;
        assert_eq!(F64.one(ByteOrder::Big, &exact.to_be_bytes()), Some(exact));
    }
}
