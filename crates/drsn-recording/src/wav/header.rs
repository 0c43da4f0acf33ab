//! The chunks of a WAV file before its samples, in each of its kinds:
//!
//! * RIFF, little-endian, and RIFX, big-endian: lengths of 32 bits.
//! * RF64 and BW64 (EBU Tech 3306, ITU-R BS.2088): RIFF, whose true lengths of 64 bits are in its
//!   first chunk.
//! * Sony Wave64: identifiers of 16 bytes and lengths of 64 bits.

use std::io::{self, Read};

use super::{format, malformed};
use crate::{
    RecordingError,
    audio::{Layout, Length, MAX_CHUNKS},
    number::ByteOrder,
};

/// Lengths from here on may be placeholders of programs that cannot seek: `SoX` writes `7FFFF000`,
/// arecord `80000000`, `FFmpeg` `FFFFFFFF`. They may also be true, of more than six hours at 48
/// kHz: then no more samples follow.
const PLACEHOLDERS: u64 = 0x7fff_0000;
/// The placeholder for a length that the first chunk of RF64 has.
const ELSEWHERE: u64 = 0xffff_ffff;
/// Longest part of a description that is read.
const DESCRIPTION: u64 = 40;

/// What follows the first four bytes of Wave64's identifiers: of the file, and of its chunks.
const W64_FILE: [u8; 12] = [0x2e, 0x91, 0xcf, 0x11, 0xa5, 0xd6, 0x28, 0xdb, 0x04, 0xc1, 0, 0];
const W64_CHUNK: [u8; 12] =
    [0xf3, 0xac, 0xd3, 0x11, 0x8c, 0xd1, 0x00, 0xc0, 0x4f, 0x8e, 0xdb, 0x8a];
/// Bytes of a Wave64 chunk before its content, which its length includes.
const W64_HEAD: u64 = 24;

/// A kind of WAV file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Riff,
    Rifx,
    /// Also BW64.
    Rf64,
    Wave64,
}

/// Whether the bytes start like a WAV file of any kind. A table may start with the same four
/// letters.
pub(crate) fn is_wav(bytes: &[u8]) -> bool {
    match bytes.split_first_chunk() {
        Some((b"riff", rest)) => rest.starts_with(&W64_FILE),
        Some((b"RIFF" | b"RIFX" | b"RF64" | b"BW64", rest)) => rest.get(4..8) == Some(b"WAVE"),
        _ => false,
    }
}

/// Reads the chunks before the samples. A file that ends in them gives
/// [`io::ErrorKind::UnexpectedEof`].
pub(super) fn read(reader: &mut impl Read) -> Result<(Layout, Length), RecordingError> {
    let mut header = Header::open(reader)?;
    let (mut layout, mut long) = (None, None);
    for _ in 0..MAX_CHUNKS {
        let (id, size) = header.chunk()?;
        match &id {
            b"data" => {
                let layout = layout.ok_or_else(|| {
                    malformed("its samples precede the chunk that describes them")
                })?;
                return Ok((layout, header.length(size, long)));
            }
            b"fmt " => {
                let chunk = header.content(size, DESCRIPTION)?;
                layout = Some(format::parse(&chunk, header.order())?);
            }
            b"ds64" if header.kind == Kind::Rf64 => {
                // The length of the file, and then that of the samples.
                let chunk = header.content(size, 16)?;
                long = chunk.get(8..).and_then(|b| Some(u64::from_le_bytes(*b.first_chunk()?)));
            }
            _ => drop(header.content(size, 0)?),
        }
    }
    Err(malformed(format!("it has more than {MAX_CHUNKS} chunks before its samples")))
}

struct Header<'a, R> {
    reader: &'a mut R,
    kind: Kind,
    /// The declared length of the file.
    file: u64,
    position: u64,
}

impl<'a, R: Read> Header<'a, R> {
    /// Reads the mark of the file.
    fn open(reader: &'a mut R) -> Result<Self, RecordingError> {
        let start: [u8; 4] = bytes(reader)?;
        let kind = match &start {
            b"RIFF" => Kind::Riff,
            b"RIFX" => Kind::Rifx,
            b"RF64" | b"BW64" => Kind::Rf64,
            b"riff" => Kind::Wave64,
            _ => return Err(malformed("it does not start with RIFF and WAVE")),
        };
        let mut header = Self { reader, kind, file: 0, position: 0 };
        let is_wave = if kind == Kind::Wave64 {
            let mark: [u8; 12] = bytes(header.reader)?;
            header.file = u64::from_le_bytes(bytes(header.reader)?);
            let form: [u8; 16] = bytes(header.reader)?;
            header.position = 40;
            mark == W64_FILE && form.starts_with(b"wave") && form.ends_with(&W64_CHUNK)
        } else {
            header.file = u64::from(header.order().u32(bytes(header.reader)?)) + 8;
            header.position = 12;
            bytes(header.reader)? == *b"WAVE"
        };
        if is_wave { Ok(header) } else { Err(malformed("it does not start with RIFF and WAVE")) }
    }

    fn order(&self) -> ByteOrder {
        if self.kind == Kind::Rifx { ByteOrder::Big } else { ByteOrder::Little }
    }

    /// The name of the next chunk, and the length of its content.
    fn chunk(&mut self) -> Result<([u8; 4], u64), RecordingError> {
        let id: [u8; 4] = bytes(self.reader)?;
        if self.kind != Kind::Wave64 {
            let size = u64::from(self.order().u32(bytes(self.reader)?));
            self.position += 8;
            return Ok((id, size));
        }
        let rest: [u8; 12] = bytes(self.reader)?;
        let size = u64::from_le_bytes(bytes(self.reader)?).checked_sub(W64_HEAD);
        self.position += W64_HEAD;
        let size = size.ok_or_else(|| malformed("one of its chunks is shorter than its head"))?;
        // Other identifiers are of chunks that nobody needs here.
        Ok((if rest == W64_CHUNK { id } else { [0; 4] }, size))
    }

    /// Reads the first bytes of a chunk of this length, at most `wanted`, and passes over the rest.
    fn content(&mut self, size: u64, wanted: u64) -> Result<Vec<u8>, RecordingError> {
        let unit = if self.kind == Kind::Wave64 { 8 } else { 2 };
        let padded = size.checked_next_multiple_of(unit).unwrap_or(size);
        let mut chunk = Vec::new();
        self.reader.by_ref().take(wanted.min(size)).read_to_end(&mut chunk)?;
        let rest = padded - chunk.len() as u64;
        if io::copy(&mut self.reader.by_ref().take(rest), &mut io::sink())? < rest {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        self.position = self.position.saturating_add(padded);
        Ok(chunk)
    }

    /// The number of bytes of samples, by the length of their chunk, and by the chunk `ds64`.
    fn length(&self, size: u64, long: Option<u64>) -> Length {
        let (size, is_sure) = match (self.kind, long) {
            (Kind::Rf64, Some(long)) if size == ELSEWHERE => (long, long != u64::MAX),
            (Kind::Wave64, _) => (size, size < u64::MAX - W64_HEAD),
            _ => (size, size < PLACEHOLDERS),
        };
        // A file whose declared length ends here, or with a length nowhere, was never finished.
        let is_open = size == 0 && (self.file <= self.position || long.is_some());
        if is_open {
            return Length { most: u64::MAX, declared: None };
        }
        Length { most: size, declared: is_sure.then_some(size) }
    }
}

fn bytes<const N: usize>(reader: &mut impl Read) -> Result<[u8; N], RecordingError> {
    let mut bytes = [0; N];
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}
