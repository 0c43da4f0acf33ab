//! The contents of an element, front to back, decompressed if necessary.

use std::{
    io::{self, Read},
    time::Instant,
};

use flate2::bufread::ZlibDecoder;

use super::{
    malformed,
    tag::{MATRIX, Tag},
};
use crate::{Paced, RecordingError, is_time_up, limits::check_time, number::ByteOrder};

/// Most bytes of the names of fields that are held at once, for the structures that are in each
/// other: 1,000 of MATLAB's longest.
const MAX_FIELDS_BYTES: u32 = 64 << 10;

/// A reader of a matrix and the matrices in it.
pub(super) struct Source<'a> {
    bytes: Bytes<'a>,
    pub(super) order: ByteOrder,
    /// Bytes left of the innermost matrix that was entered.
    pub(super) left: u64,
    /// Bytes of names of fields that may still be held.
    pub(super) names_left: u32,
    deadline: Option<Instant>,
}

enum Bytes<'a> {
    Plain(&'a [u8]),
    Packed(Box<ZlibDecoder<Paced<'a>>>),
}

impl<'a> Source<'a> {
    /// The contents of an element with a matrix, which may be compressed.
    pub(super) fn open(
        body: &'a [u8],
        is_packed: bool,
        order: ByteOrder,
        deadline: Option<Instant>,
    ) -> Result<Self, RecordingError> {
        let left = body.len() as u64;
        let names_left = MAX_FIELDS_BYTES;
        if !is_packed {
            return Ok(Self { bytes: Bytes::Plain(body), order, left, names_left, deadline });
        }
        let bytes = Bytes::Packed(Box::new(ZlibDecoder::new(Paced::new(body, deadline))));
        // The tag of the inner matrix says how much it is.
        let mut source = Self { bytes, order, left: 8, names_left, deadline };
        let tag = source.tag()?;
        if tag.kind != MATRIX {
            return Err(malformed("a compressed element contains no variable"));
        }
        source.left = u64::from(tag.bytes);
        Ok(source)
    }

    /// Enters a matrix in this one, and leaves it at its end however much of it was read.
    pub(super) fn within(
        &mut self,
        tag: &Tag,
        read: impl FnOnce(&mut Self) -> Result<(), RecordingError>,
    ) -> Result<(), RecordingError> {
        let inner = u64::from(tag.bytes);
        self.take(inner)?;
        let outer = std::mem::replace(&mut self.left, inner);
        read(self)?;
        self.skip(self.left)?;
        self.left = outer;
        Ok(())
    }

    pub(super) fn tag(&mut self) -> Result<Tag, RecordingError> {
        let mut bytes = [0; 8];
        self.fill(&mut bytes)?;
        Tag::parse(bytes, self.order)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), RecordingError> {
        self.read(bytes.len() as u64)?.read_exact(bytes).map_err(|error| damaged(&error))
    }

    /// The next bytes, all of which must be read.
    pub(super) fn read(&mut self, bytes: u64) -> Result<impl Read, RecordingError> {
        self.take(bytes)?;
        Ok((&mut self.bytes).take(bytes))
    }

    /// Passes over bytes, and those of a compressed element are decompressed for it.
    fn skip(&mut self, bytes: u64) -> Result<(), RecordingError> {
        self.take(bytes)?;
        if let Bytes::Plain(plain) = &mut self.bytes {
            *plain = plain.get(bytes as usize..).ok_or_else(too_long)?;
            return Ok(());
        }
        let mut left = bytes;
        // Decompressed in less than a millisecond.
        let mut block = [0; 1 << 14];
        while left > 0 {
            check_time(self.deadline)?;
            let length = left.min(block.len() as u64);
            let part = block.get_mut(..length as usize).unwrap_or_default();
            self.bytes.read_exact(part).map_err(|error| damaged(&error))?;
            left -= length;
        }
        Ok(())
    }

    /// Ends the reading of a whole variable: the decoder verifies the checksum of a compressed one
    /// at its end, which may follow padding.
    pub(super) fn finish(self) -> Result<(), RecordingError> {
        io::copy(&mut self.bytes.take(16), &mut io::sink()).map_err(|error| damaged(&error))?;
        Ok(())
    }

    fn take(&mut self, bytes: u64) -> Result<(), RecordingError> {
        self.left = self.left.checked_sub(bytes).ok_or_else(too_long)?;
        Ok(())
    }
}

impl Read for Bytes<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(bytes) => bytes.read(buffer),
            Self::Packed(decoder) => decoder.read(buffer),
        }
    }
}

fn too_long() -> RecordingError {
    malformed("a part of a variable is longer than the variable")
}

pub(super) fn damaged(error: &io::Error) -> RecordingError {
    if is_time_up(error) {
        return RecordingError::TimeUp;
    }
    malformed(if error.kind() == io::ErrorKind::UnexpectedEof {
        "a variable ends too early: the file was truncated".to_owned()
    } else {
        format!("a compressed variable cannot be decompressed ({error}): the file is damaged")
    })
}
