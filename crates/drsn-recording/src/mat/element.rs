//! The parts of a matrix: its description, and the beginning of its numbers.

use std::{
    borrow::Cow,
    io::{self, Read},
};

use super::{
    malformed,
    source::{Source, damaged},
    wanted::{Kind, Numbers},
};
use crate::{Names, RecordingError};

/// Most axes of a matrix.
const MAX_AXES: u32 = 32;
/// Longest name of a variable or field, in bytes; MATLAB writes at most 63.
const MAX_NAME_BYTES: u32 = 256;

/// Types of the elements that hold characters.
const BYTES_SIGNED: u32 = 1;
const BYTES: u32 = 2;
const WORDS: u32 = 4;
const UTF_8: u32 = 16;
const UTF_16: u32 = 17;
const UTF_32: u32 = 18;

/// The description of a matrix.
#[derive(Debug, Clone)]
pub(super) struct Header {
    /// Its name; empty in a structure or a cell, whose parts have none.
    pub(super) name: String,
    /// Sizes of its axes, the fastest-varying first.
    pub(super) sizes: Vec<u64>,
    pub(super) complex: bool,
    pub(super) class: Class,
}

/// What a matrix is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Numbers,
    Cells,
    Structures,
    /// Something without numbers that could be a signal.
    Other(Kind),
}

impl Class {
    /// The class in the flags of a matrix.
    fn of(flags: u32) -> Self {
        match flags & 0xff {
            1 => Self::Cells,
            2 => Self::Structures,
            4 => Self::Other(Kind::Text),
            5 => Self::Other(Kind::Sparse),
            // Double is 6, single 7, and integers follow up to 15, unsigned 64 bits.
            6..=15 if flags & 0x200 != 0 => Self::Other(Kind::Truth),
            6..=15 => Self::Numbers,
            0 | 3 | 16.. => Self::Other(Kind::Object),
        }
    }
}

/// The names of a structure's fields, each in the same number of bytes.
pub(super) struct Fields {
    bytes: Vec<u8>,
    length: usize,
}

impl Fields {
    /// Bytes of the names.
    pub(super) fn bytes(&self) -> u32 {
        self.bytes.len() as u32
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.len() < self.length
    }

    /// The names, without the zeros that fill them up.
    pub(super) fn iter(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.bytes.chunks_exact(self.length).map(text)
    }
}

/// A character by its code; half of a pair of UTF-16 is none.
fn character(code: u32) -> char {
    char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// The text before the first zero.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes.split(|&byte| byte == 0).next().unwrap_or_default())
}

impl Source<'_> {
    /// Reads the description of a matrix; `None` if it is empty.
    pub(super) fn header(&mut self) -> Result<Option<Header>, RecordingError> {
        if self.left == 0 {
            return Ok(None);
        }
        let flags = self.part("flags field", 8)?;
        let flags = self.u32s(&flags).first().copied().unwrap_or(0);
        let class = Class::of(flags);
        let (mut sizes, mut name) = Default::default();
        // Classes from 16 on have other parts.
        if (1..=15).contains(&(flags & 0xff)) {
            sizes = self.sizes()?;
            name = String::from_utf8_lossy(&self.part("name", MAX_NAME_BYTES)?).into_owned();
        }
        Ok(Some(Header { name, sizes, complex: flags & 0x800 != 0, class }))
    }

    fn sizes(&mut self) -> Result<Vec<u64>, RecordingError> {
        let sizes = self.part("shape", 4 * MAX_AXES)?;
        let sizes: Vec<u64> = self.u32s(&sizes).into_iter().map(u64::from).collect();
        if sizes.len() < 2 || sizes.iter().any(|&size| size > i32::MAX as u64) {
            return Err(malformed("a variable has fewer than two axes, or one of a negative size"));
        }
        Ok(sizes)
    }

    /// Reads the names of a structure's fields, which follow its description.
    pub(super) fn fields(&mut self) -> Result<Fields, RecordingError> {
        let length = self.part("length of field names", 4)?;
        let length = self.u32s(&length).first().copied().unwrap_or(0);
        let bytes = self.part("list of field names", self.names_left)?;
        self.names_left -= bytes.len() as u32;
        if !(1..=MAX_NAME_BYTES).contains(&length) {
            return Err(malformed(format!(
                "the names of a structure's fields have {length} bytes, and 1 to \
                 {MAX_NAME_BYTES} are possible"
            )));
        }
        Ok(Fields { bytes, length: length as usize })
    }

    /// Begins the numbers of the matrix at this path, which follow its description.
    pub(super) fn numbers(&mut self, path: &str) -> Result<Numbers<'_>, RecordingError> {
        let tag = self.tag()?;
        let kind = tag.number().ok_or_else(|| {
            malformed(format!(
                "the numbers of the variable {} have the unknown type {}",
                Names::from_iter([path]),
                tag.kind
            ))
        })?;
        let order = self.order;
        let bytes = u64::from(tag.bytes);
        let reader: Box<dyn Read + '_> = match tag.small {
            Some(small) => Box::new(io::Cursor::new(small).take(bytes)),
            None => Box::new(self.read(bytes)?),
        };
        Ok(Numbers { kind, order, bytes, reader, broken: |error| damaged(&error) })
    }

    /// The characters of a matrix of text, which follow its description.
    pub(super) fn characters(&mut self, count: usize) -> Result<Vec<char>, RecordingError> {
        let tag = self.tag()?;
        let mut bytes = Vec::new();
        if let Some(small) = tag.small {
            bytes.extend(small.iter().take(tag.bytes as usize));
        } else {
            let text = self.read(u64::from(tag.bytes))?;
            text.take(u64::from(tag.bytes))
                .read_to_end(&mut bytes)
                .map_err(|error| damaged(&error))?;
        }
        let characters = match tag.kind {
            BYTES_SIGNED | BYTES => bytes.iter().map(|&byte| char::from(byte)).collect(),
            UTF_8 => String::from_utf8_lossy(&bytes).chars().collect(),
            WORDS | UTF_16 => {
                let (units, _) = bytes.as_chunks();
                units.iter().map(|&unit| character(self.order.u16(unit).into())).collect()
            }
            UTF_32 => self.u32s(&bytes).into_iter().map(character).collect::<Vec<char>>(),
            other => {
                return Err(malformed(format!("the characters of a text have the type {other}")));
            }
        };
        if characters.len() == count {
            return Ok(characters);
        }
        Err(malformed(format!(
            "a text has {} characters, and its shape has {count}",
            characters.len()
        )))
    }

    /// Reads one of the parts before the numbers, with its padding to a multiple of eight bytes.
    /// Memory grows with the bytes read, so a false length costs nothing.
    fn part(&mut self, what: &str, most: u32) -> Result<Vec<u8>, RecordingError> {
        let tag = self.tag()?;
        if tag.bytes > most {
            return Err(malformed(format!(
                "the {what} of a variable has {} bytes, above the limit of {most}",
                tag.bytes
            )));
        }
        if let Some(small) = tag.small {
            return Ok(small.get(..tag.bytes as usize).unwrap_or_default().to_vec());
        }
        let padded = u64::from(tag.bytes).next_multiple_of(8);
        let mut bytes = Vec::new();
        let read = self.read(padded)?.read_to_end(&mut bytes).map_err(|error| damaged(&error))?;
        if (read as u64) < padded {
            return Err(damaged(&io::ErrorKind::UnexpectedEof.into()));
        }
        bytes.truncate(tag.bytes as usize);
        Ok(bytes)
    }

    fn u32s(&self, bytes: &[u8]) -> Vec<u32> {
        let (chunks, _) = bytes.as_chunks();
        chunks.iter().map(|&chunk| self.order.u32(chunk)).collect()
    }
}
