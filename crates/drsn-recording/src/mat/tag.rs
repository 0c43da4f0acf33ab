//! The tags of elements.

use super::malformed;
use crate::{
    RecordingError,
    number::{ByteOrder, NumberKind},
};

/// Type of an element with a variable.
pub(super) const MATRIX: u32 = 14;
/// Type of an element with another one, compressed by zlib.
pub(super) const COMPRESSED: u32 = 15;

/// Type and length of an element.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tag {
    pub(super) kind: u32,
    /// Bytes of its contents, without padding.
    pub(super) bytes: u32,
    /// The contents of an element of at most four bytes, stored in its tag.
    pub(super) small: Option<[u8; 4]>,
}

impl Tag {
    /// Splits the tag of an element off its front.
    pub(super) fn split(bytes: &[u8], order: ByteOrder) -> Result<(Self, &[u8]), RecordingError> {
        let (tag, rest) = bytes
            .split_first_chunk()
            .ok_or_else(|| malformed("it ends within the tag of a variable: it was truncated"))?;
        Ok((Self::parse(*tag, order)?, rest))
    }

    pub(super) fn parse(tag: [u8; 8], order: ByteOrder) -> Result<Self, RecordingError> {
        let [a, b, c, d, data @ ..] = tag;
        let first = order.u32([a, b, c, d]);
        // No type needs the upper half. If it is not zero, it is the length of a small element.
        match first >> 16 {
            0 => Ok(Self { kind: first, bytes: order.u32(data), small: None }),
            bytes @ 1..=4 => Ok(Self { kind: first & 0xffff, bytes, small: Some(data) }),
            bytes => Err(malformed(format!(
                "a small element declares {bytes} bytes, and holds at most four"
            ))),
        }
    }

    /// The type of the element's numbers, if it has any.
    pub(super) fn number(&self) -> Option<NumberKind> {
        match self.kind {
            1 => Some(NumberKind::I8),
            2 => Some(NumberKind::U8),
            3 => Some(NumberKind::I16),
            4 => Some(NumberKind::U16),
            5 => Some(NumberKind::I32),
            6 => Some(NumberKind::U32),
            7 => Some(NumberKind::F32),
            9 => Some(NumberKind::F64),
            12 => Some(NumberKind::I64),
            13 => Some(NumberKind::U64),
            _ => None,
        }
    }
}
