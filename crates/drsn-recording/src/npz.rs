//! ZIP archives of NumPy arrays, as `numpy.savez` and `savez_compressed` write them.
//!
//! The reader is our own, after PKWARE's APPNOTE: an archive is small structures around stored or
//! deflated members, and the rest of the format (encryption, other methods, several disks, more
//! than 4 GiB) is not needed. Members are found by the directory at the end of the archive, and
//! verified by its checksums.

use std::io::Read;

use flate2::{CrcReader, bufread::DeflateDecoder};

use crate::{
    Limits, Paced, Recording, RecordingError, RecordingFormat, Selection,
    limits::MAX_VARIABLES,
    npy::{Array, Header},
    search::{self, Search, is_likely},
    unique::Unique,
};

/// Longest name of a member, in bytes.
const MAX_NAME_BYTES: u16 = 1024;
const STORED: u16 = 0;
const DEFLATED: u16 = 8;

/// A member of an archive.
pub(crate) struct Member<'a> {
    pub(crate) name: String,
    method: u16,
    checksum: u32,
    /// Uncompressed size in bytes.
    size: u32,
    packed: &'a [u8],
}

/// An array of an archive, before its numbers are read.
pub(crate) struct Entry<'a> {
    pub(crate) member: Member<'a>,
    pub(crate) header: Header,
}

impl Array {
    /// Reads an array of an NPZ file: the one whose name is or ends with the selected variable, or
    /// else the only one. Its sample rate is in another array, if the selection names one.
    ///
    /// # Errors
    /// [`RecordingError`] if the bytes are not an NPZ file, an array does not exist, its numbers
    /// are not real, or it exceeds the limits; or if the sample rate is not one positive number.
    pub fn read_npz(
        bytes: &[u8],
        selection: &Selection,
        limits: &Limits,
    ) -> Result<Self, RecordingError> {
        limits.check_bytes(bytes.len() as u64)?;
        let entries = all(bytes, limits)?;
        let entry = find(&entries, selection.variable.as_deref())?;
        let rate = selection.rate_variable.as_deref();
        let rate = rate.map(|name| find(&entries, Some(name)).and_then(|entry| entry.rate(limits)));
        let rate = rate.transpose().map_err(RecordingError::of_rate)?;
        let member = &entry.member;
        limits.check_bytes(u64::from(member.size))?;
        let mut reader = CrcReader::new(member.open(limits)?);
        let array = Self::read_from(&mut reader, Some(member.name.clone()), limits)?;
        member.check(reader.crc().sum())?;
        Ok(Self { sample_rate_hz: rate, ..array })
    }
}

pub(super) fn read(
    bytes: &[u8],
    selection: &Selection,
    limits: &Limits,
) -> Result<Recording, RecordingError> {
    Array::read_npz(bytes, selection, limits)?.into_recording(selection)
}

/// The array of this name or ending, or else the only one that can be meant.
fn find<'a, 'b>(
    entries: &'b [Entry<'a>],
    wanted: Option<&str>,
) -> Result<&'b Entry<'a>, RecordingError> {
    let mut search = Search::new(wanted);
    for entry in entries {
        if entry.header.kind.is_none() {
            let kind = format!("of NumPy's type {}", entry.header.type_name);
            search.pass(&entry.member.name, true, &kind);
            continue;
        }
        if search.offer(&entry.member.name, true, is_likely(&entry.header.shape)) {
            search.keep(entry);
        }
    }
    search.finish()
}

impl Entry<'_> {
    /// Its only number, as a sample rate.
    fn rate(&self, limits: &Limits) -> Result<f64, RecordingError> {
        let Self { member, header } = self;
        let count = header.shape.iter().copied().fold(1, u64::saturating_mul);
        let Some(kind) = header.kind.filter(|_| count == 1) else {
            return Err(search::no_rate(&member.name, count));
        };
        let mut reader = CrcReader::new(member.open(limits)?);
        Header::read(&mut reader)?;
        let mut number = Vec::new();
        // One more byte than the number, which ends the decompression.
        reader.by_ref().take(kind.size() as u64 + 1).read_to_end(&mut number)?;
        let number = kind.one(header.order, &number).ok_or_else(cut)?;
        member.check(reader.crc().sum())?;
        search::rate(&member.name, number)
    }
}

/// All arrays in an archive, whatever they are made of.
pub(crate) fn all<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Vec<Entry<'a>>, RecordingError> {
    let mut entries = Vec::new();
    let members = members(bytes)?;
    if !members.is_empty() && !members.iter().any(Member::is_array) {
        return Err(RecordingError::Unsupported(
            "it is a ZIP archive without NumPy arrays; unpack it and use the files in it"
                .to_owned(),
        ));
    }
    let mut names = Unique::default();
    for member in members {
        limits.check_time()?;
        if member.is_of_macos() {
            continue;
        }
        let Some(name) = member.name.strip_suffix(".npy").map(str::to_owned) else { continue };
        names.add(&name)?;
        let member = Member { name, ..member };
        let header = Header::read(&mut member.open(limits)?)?;
        entries.push(Entry { member, header });
    }
    Ok(entries)
}

impl<'a> Member<'a> {
    /// Whether macOS has put it into the archive: `__MACOSX/._x.npy`.
    fn is_of_macos(&self) -> bool {
        self.name.starts_with("__MACOSX/")
            || self.name.split('/').any(|part| part.starts_with("._"))
    }

    fn is_array(&self) -> bool {
        self.name.strip_suffix(".npy").is_some() && !self.is_of_macos()
    }

    /// Compares the checksum of its contents.
    pub(crate) fn check(&self, checksum: u32) -> Result<(), RecordingError> {
        if checksum == self.checksum {
            return Ok(());
        }
        Err(malformed(format!("the checksum of {} does not match: the file is damaged", self.name)))
    }

    pub(crate) fn open(&self, limits: &Limits) -> Result<impl Read + use<'a>, RecordingError> {
        let reader: Box<dyn Read + 'a> = match self.method {
            STORED => Box::new(self.packed),
            DEFLATED => Box::new(DeflateDecoder::new(Paced::new(self.packed, limits.deadline))),
            other => {
                return Err(RecordingError::Unsupported(format!(
                    "{} is compressed by method {other}, which is not supported: \
                     save it with numpy.savez_compressed",
                    self.name
                )));
            }
        };
        Ok(reader.take(u64::from(self.size)))
    }
}

/// The members in the directory, which precedes the record that ends an archive.
fn members(bytes: &[u8]) -> Result<Vec<Member<'_>>, RecordingError> {
    let (count, offset) = end(bytes).ok_or_else(cut)?;
    if count == u16::MAX || offset == u32::MAX {
        return Err(RecordingError::Unsupported(
            "it is a ZIP archive of more than 4 GiB or 65534 members, which is not supported: split it"
                .to_owned(),
        ));
    }
    if usize::from(count) > MAX_VARIABLES {
        return Err(malformed(format!(
            "it has {count} members, above the limit of {MAX_VARIABLES}"
        )));
    }
    let mut directory = bytes.get(offset as usize..).ok_or_else(cut)?;
    let mut members = Vec::new();
    let mut packed = 0;
    for _ in 0..count {
        let (member, rest) = member(bytes, directory)?;
        packed += member.packed.len();
        if packed > bytes.len() {
            return Err(malformed("its members overlap"));
        }
        members.push(member);
        directory = rest;
    }
    Ok(members)
}

/// Finds the record that ends an archive, and returns the number of members and the offset of the
/// directory.
fn end(bytes: &[u8]) -> Option<(u16, u32)> {
    const LENGTH: usize = 22;
    let last = bytes.len().checked_sub(LENGTH)?;
    // A comment of up to 65535 bytes may follow it.
    let first = last.saturating_sub(usize::from(u16::MAX));
    (first..=last).rev().find_map(|at| {
        let record = Fields(bytes.get(at..)?);
        let comment = usize::from(record.u16(20)?);
        let found = record.u32(0)? == 0x0605_4b50 && at + LENGTH + comment == bytes.len();
        found.then_some((record.u16(10)?, record.u32(16)?))
    })
}

/// Reads an entry of the directory, and the part of the archive that it points to.
fn member<'a>(
    bytes: &'a [u8],
    directory: &'a [u8],
) -> Result<(Member<'a>, &'a [u8]), RecordingError> {
    let entry = Fields(directory);
    if entry.u32(0) != Some(0x0201_4b50) {
        return Err(malformed("its directory is damaged"));
    }
    if entry.u16(28) > Some(MAX_NAME_BYTES) {
        return Err(malformed(format!(
            "the name of a member is longer than {MAX_NAME_BYTES} bytes"
        )));
    }
    let parse = || {
        let name_end = 46 + usize::from(entry.u16(28)?);
        let end = name_end + usize::from(entry.u16(30)?) + usize::from(entry.u16(32)?);
        let name = String::from_utf8_lossy(directory.get(46..name_end)?).into_owned();
        let local = Fields(bytes.get(entry.u32(42)? as usize..)?);
        let start = 30 + usize::from(local.u16(26)?) + usize::from(local.u16(28)?);
        let packed = local.0.get(start..)?.get(..entry.u32(20)? as usize)?;
        let member = Member {
            name,
            method: entry.u16(10)?,
            checksum: entry.u32(16)?,
            size: entry.u32(24)?,
            packed,
        };
        Some((member, directory.get(end..)?, entry.u16(8)?))
    };
    let (member, rest, flags) = parse().ok_or_else(cut)?;
    if flags & 1 != 0 {
        return Err(RecordingError::Unsupported(format!(
            "{} is encrypted, which is not supported: save it without encryption",
            member.name
        )));
    }
    Ok((member, rest))
}

/// Little-endian numbers at offsets of a record.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn u16(&self, at: usize) -> Option<u16> {
        self.0.get(at..)?.first_chunk().map(|&bytes| u16::from_le_bytes(bytes))
    }

    fn u32(&self, at: usize) -> Option<u32> {
        self.0.get(at..)?.first_chunk().map(|&bytes| u32::from_le_bytes(bytes))
    }
}

fn cut() -> RecordingError {
    malformed("it ends before its directory, or the directory points beyond it: it was truncated")
}

fn malformed(reason: impl Into<String>) -> RecordingError {
    RecordingError::malformed(RecordingFormat::Npz, reason)
}
