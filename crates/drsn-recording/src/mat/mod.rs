//! MATLAB's MAT-file, versions 4 and 5, after the document "MAT-File Format" by `MathWorks`.
//!
//! Arrays of numbers are read, whatever type their numbers are stored as, also those in structures
//! and cells. Each has a path: the names of the fields, after points, and the positions in an array
//! of structures or in a cell, in square brackets from 0 and one column after another, as in
//! `run.Y[6].Data`. Text, truth values, objects and sparse matrices are passed over.
//!
//! * [`level4`], [`level5`]: walking through a file of either version.
//! * [`element`]: the parts of a matrix of version 5, each with a [`tag`], from a [`source`] of bytes.
//! * [`variables`]: the variables of a file, with numbers, truth values and texts.
//! * [`wanted`]: the array that is meant, and its sample rate; [`path`]: how they are written.
//!
//! A file is walked through once. Of the arrays that pass by, the best one so far is read, and one
//! that is better replaces it.

mod element;
mod level4;
mod level5;
mod path;
mod source;
mod tag;
mod variables;
mod wanted;

use self::wanted::Wanted;
pub(crate) use self::{element::Class, variables::Variable, wanted::Kind};
use crate::{Limits, Recording, RecordingError, RecordingFormat, Selection, number::ByteOrder};

const HEADER: usize = 128;
const HDF5: &[u8] = b"\x89HDF\r\n\x1a\n";

/// Whether the bytes start like a MAT-file of version 4 or 5, or of version 7.3, which is
/// recognized to be rejected with a reason.
pub(super) fn is_mat(bytes: &[u8]) -> bool {
    byte_order(bytes).is_some() || is_hdf5(bytes) || level4::is_level_4(bytes)
}

pub(super) fn read(
    bytes: &[u8],
    selection: &Selection,
    limits: &Limits,
) -> Result<Recording, RecordingError> {
    let mut wanted = Wanted::new(selection, limits);
    match Version::of(bytes)? {
        Version::Four => level4::search(bytes, &mut wanted)?,
        Version::Five(order) => level5::search(bytes, order, &mut wanted)?,
    }
    wanted.finish()
}

/// All variables of a file, whatever they are, outside of structures and cells.
pub(super) fn variables<'a>(
    bytes: &'a [u8],
    limits: &Limits,
) -> Result<Vec<Variable<'a>>, RecordingError> {
    match Version::of(bytes)? {
        Version::Four => level4::variables(bytes, limits),
        Version::Five(order) => level5::variables(bytes, order, limits),
    }
}

/// The version of a file.
enum Version {
    Four,
    Five(ByteOrder),
}

impl Version {
    fn of(bytes: &[u8]) -> Result<Self, RecordingError> {
        // Version 5 begins with a text, and version 4 with a number that has a byte of zero.
        if level4::starts(bytes) {
            return Ok(Self::Four);
        }
        if is_hdf5(bytes) {
            return Err(RecordingError::Unsupported(
                "it is a MAT-file of version 7.3 (HDF5), which is not supported: save it with `-v7`"
                    .to_owned(),
            ));
        }
        byte_order(bytes).map(Self::Five).ok_or_else(|| {
            malformed(
                "its header is not that of version 4 or 5: \
                 save it with MATLAB's `-v7` or SciPy's savemat",
            )
        })
    }
}

/// Version 7.3 is HDF5, usually after a 512-byte block of MATLAB's.
fn is_hdf5(bytes: &[u8]) -> bool {
    bytes.starts_with(HDF5) || bytes.get(512..).is_some_and(|rest| rest.starts_with(HDF5))
}

/// Bytes 124 to 127 are a version and the letters `MI`, both as 16-bit numbers in the file's byte
/// order.
fn byte_order(bytes: &[u8]) -> Option<ByteOrder> {
    match bytes.get(124..HEADER)? {
        [0, 1, b'I', b'M'] => Some(ByteOrder::Little),
        [1, 0, b'M', b'I'] => Some(ByteOrder::Big),
        _ => None,
    }
}

fn malformed(reason: impl Into<String>) -> RecordingError {
    RecordingError::malformed(RecordingFormat::Mat, reason)
}
