//! The elements of a MAT-file: tags, small elements, and the parts of a matrix before its numbers.

use std::{
    io::{self, Read},
    time::Instant,
};

use super::malformed;
use crate::{
    RecordingError,
    number::{ByteOrder, NumberKind},
};

/// Type of an element with a variable.
pub(super) const MATRIX: u32 = 14;
/// Type of an element with another one, compressed by zlib.
pub(super) const COMPRESSED: u32 = 15;

/// Most axes of a matrix.
const MAX_AXES: u32 = 32;
/// Longest name of a variable, in bytes; MATLAB writes at most 63.
const MAX_NAME_BYTES: u32 = 256;

/// Type and length of an element.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tag {
    pub(super) kind: u32,
    /// Bytes of its contents, without padding.
    pub(super) bytes: u32,
    /// The contents of an element of at most four bytes, stored in its tag.
    small: Option<[u8; 4]>,
}

impl Tag {
    /// Splits the tag of an element off its front.
    pub(super) fn split(bytes: &[u8], order: ByteOrder) -> Result<(Self, &[u8]), RecordingError> {
        let (tag, rest) = bytes
            .split_first_chunk()
            .ok_or_else(|| malformed("it ends within the tag of a variable: it was truncated"))?;
        Ok((Self::parse(*tag, order)?, rest))
    }

    fn parse(tag: [u8; 8], order: ByteOrder) -> Result<Self, RecordingError> {
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

/// The description of a matrix.
#[derive(Debug, Clone)]
pub(super) struct Header {
    pub(super) name: String,
    /// Sizes of its axes, the fastest-varying first.
    pub(super) sizes: Vec<u64>,
    pub(super) complex: bool,
    class: u8,
    logical: bool,
}

impl Header {
    /// Whether it is an array of numbers. Logical arrays are not, and unnamed ones are MATLAB's
    /// own.
    pub(super) fn is_numeric(&self) -> bool {
        // Double is 6, single 7, and integers follow up to 15, unsigned 64 bits.
        (6..=15).contains(&self.class) && !self.logical && !self.name.is_empty()
    }
}

/// A reader of the contents of a matrix, front to back.
pub(super) struct Source<R> {
    reader: R,
    order: ByteOrder,
    /// Bytes left, according to the element.
    left: u64,
}

impl<R: Read> Source<R> {
    pub(super) fn new(reader: R, order: ByteOrder, left: u64) -> Self {
        Self { reader, order, left }
    }

    /// Sets the bytes left, from the tag of the inner matrix.
    pub(super) fn narrow(&mut self, left: u64) {
        self.left = left;
    }

    pub(super) fn tag(&mut self) -> Result<Tag, RecordingError> {
        let mut bytes = [0; 8];
        self.fill(&mut bytes)?;
        Tag::parse(bytes, self.order)
    }

    /// Reads the description; `None` if the matrix is empty or of a class without an array.
    pub(super) fn header(&mut self) -> Result<Option<Header>, RecordingError> {
        if self.left == 0 {
            return Ok(None);
        }
        let flags = self.part("flags field", 8)?;
        let flags = self.u32s(&flags).first().copied().unwrap_or(0);
        let class = (flags & 0xff) as u8;
        // Classes from 16 on have other parts.
        if !(1..=15).contains(&class) {
            return Ok(None);
        }
        let sizes = self.part("shape", 4 * MAX_AXES)?;
        let sizes: Vec<u64> = self.u32s(&sizes).into_iter().map(u64::from).collect();
        if sizes.len() < 2 || sizes.iter().any(|&size| size > i32::MAX as u64) {
            return Err(malformed("a variable has fewer than two axes, or one of a negative size"));
        }
        let name = self.part("name", MAX_NAME_BYTES)?;
        Ok(Some(Header {
            name: String::from_utf8_lossy(&name).into_owned(),
            sizes,
            complex: flags & 0x800 != 0,
            class,
            logical: flags & 0x200 != 0,
        }))
    }

    /// Reads the numbers after their tag.
    pub(super) fn numbers(
        mut self,
        tag: &Tag,
        kind: NumberKind,
        count: usize,
        deadline: Option<Instant>,
    ) -> Result<Vec<f32>, RecordingError> {
        if let Some(small) = tag.small {
            let mut numbers = Vec::with_capacity(count);
            let bytes = small.get(..tag.bytes as usize).unwrap_or_default();
            kind.decode(self.order, bytes, &mut numbers);
            return Ok(numbers);
        }
        self.take(u64::from(tag.bytes))?;
        let broken = |error| damaged(&error);
        let numbers = kind.read(self.order, count, deadline, &mut self.reader, broken)?;
        // The decoder verifies the checksum of a compressed variable at its end, which may follow
        // padding.
        io::copy(&mut self.reader.take(16), &mut io::sink()).map_err(|error| damaged(&error))?;
        Ok(numbers)
    }

    /// Reads one of the parts before the numbers, with its padding to a multiple of eight bytes.
    fn part(&mut self, what: &str, most: u32) -> Result<Vec<u8>, RecordingError> {
        let tag = self.tag()?;
        if let Some(small) = tag.small {
            return Ok(small.get(..tag.bytes as usize).unwrap_or_default().to_vec());
        }
        if tag.bytes > most {
            return Err(malformed(format!(
                "the {what} of a variable has {} bytes, above the limit of {most}",
                tag.bytes
            )));
        }
        let mut bytes = vec![0; tag.bytes.next_multiple_of(8) as usize];
        self.fill(&mut bytes)?;
        bytes.truncate(tag.bytes as usize);
        Ok(bytes)
    }

    fn u32s(&self, bytes: &[u8]) -> Vec<u32> {
        let (chunks, _) = bytes.as_chunks();
        chunks.iter().map(|&chunk| self.order.u32(chunk)).collect()
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), RecordingError> {
        self.take(bytes.len() as u64)?;
        self.reader.read_exact(bytes).map_err(|error| damaged(&error))
    }

    fn take(&mut self, bytes: u64) -> Result<(), RecordingError> {
        self.left = self
            .left
            .checked_sub(bytes)
            .ok_or_else(|| malformed("a part of a variable is longer than the variable"))?;
        Ok(())
    }
}

fn damaged(error: &io::Error) -> RecordingError {
    malformed(if error.kind() == io::ErrorKind::UnexpectedEof {
        "a variable ends too early: the file was truncated".to_owned()
    } else {
        format!("a compressed variable cannot be decompressed ({error}): the file is damaged")
    })
}
