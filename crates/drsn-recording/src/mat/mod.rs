//! MATLAB's MAT-file, version 5, after the document "MAT-File Format" by `MathWorks`.
//!
//! A header of 128 bytes is followed by elements, each with a tag of type and length. A variable is
//! an element of type matrix, or a zlib-compressed element that contains one. Numeric arrays are
//! read, whatever type their numbers are stored as; text, cells, structures, objects and sparse
//! arrays are skipped.
//!
//! A first pass reads the description of each variable, which decompresses a few hundred bytes of a
//! compressed one. A second pass reads the numbers of the selected one.

mod element;

use std::io::Read;

use flate2::read::ZlibDecoder;
use ndarray::{Array2, ShapeBuilder as _};

use self::element::{COMPRESSED, Header, MATRIX, Source, Tag};
use crate::{
    Limits, Recording, RecordingError, RecordingFormat, Selection, limits::MAX_VARIABLES,
    number::ByteOrder, select::is_likely,
};

const HEADER: usize = 128;
const HDF5: &[u8] = b"\x89HDF\r\n\x1a\n";

/// A numeric variable and its bytes.
struct Variable<'a> {
    header: Header,
    compressed: bool,
    bytes: &'a [u8],
}

/// Whether the bytes start like a MAT-file of version 5, or of version 7.3, which is recognized to
/// be rejected with a reason.
pub(super) fn is_mat(bytes: &[u8]) -> bool {
    byte_order(bytes).is_some() || is_hdf5(bytes)
}

pub(super) fn read(
    bytes: &[u8],
    selection: &Selection,
    limits: &Limits,
) -> Result<Recording, RecordingError> {
    if is_hdf5(bytes) {
        return Err(RecordingError::Unsupported(
            "it is a MAT-file of version 7.3 (HDF5), which is not supported: save it with `-v7`"
                .to_owned(),
        ));
    }
    let order = byte_order(bytes).ok_or_else(|| {
        malformed(
            "its header is not that of version 5: save it with MATLAB's `-v7` or SciPy's savemat",
        )
    })?;
    let variables = variables(bytes, order, limits)?;
    let variable =
        selection.variable(&variables, |v| &v.header.name, |v| is_likely(&v.header.sizes))?;
    let samples = variable.samples(order, limits)?;
    Recording::from_array(samples, Some(variable.header.name.clone()), selection)
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

/// The numeric variables of a file.
fn variables<'a>(
    bytes: &'a [u8],
    order: ByteOrder,
    limits: &Limits,
) -> Result<Vec<Variable<'a>>, RecordingError> {
    let mut rest = bytes.get(HEADER..).unwrap_or_default();
    let mut variables = Vec::new();
    let mut elements = 0;
    while !rest.is_empty() {
        elements += 1;
        if elements > MAX_VARIABLES {
            return Err(malformed(format!("it has more than {MAX_VARIABLES} variables")));
        }
        limits.check_time()?;
        let (tag, body) = Tag::split(rest, order)?;
        let (body, after) = body
            .split_at_checked(tag.bytes as usize)
            .ok_or_else(|| malformed("it ends within a variable: it was truncated"))?;
        rest = after;
        let compressed = tag.kind == COMPRESSED;
        if !(compressed || tag.kind == MATRIX) {
            continue;
        }
        let mut source = open(body, compressed, order)?;
        if let Some(header) = source.header()?.filter(Header::is_numeric) {
            variables.push(Variable { header, compressed, bytes: body });
        }
    }
    Ok(variables)
}

/// The contents of a variable's element, decompressed if necessary.
fn open(
    body: &[u8],
    compressed: bool,
    order: ByteOrder,
) -> Result<Source<Box<dyn Read + '_>>, RecordingError> {
    if !compressed {
        return Ok(Source::new(Box::new(body), order, body.len() as u64));
    }
    let mut source = Source::<Box<dyn Read>>::new(
        Box::new(ZlibDecoder::new(body)),
        order,
        u64::from(u32::MAX) + 8,
    );
    let tag = source.tag()?;
    if tag.kind != MATRIX {
        return Err(malformed("a compressed element contains no variable"));
    }
    source.narrow(u64::from(tag.bytes));
    Ok(source)
}

impl Variable<'_> {
    /// Rows and columns. The longer axis is time.
    fn shape(&self) -> Result<[usize; 2], RecordingError> {
        match self.header.sizes[..] {
            [rows, columns] => Ok([rows as usize, columns as usize]),
            _ => Err(self.unsupported("has more than two axes: save it as samples x channels")),
        }
    }

    /// Its samples, `[C, T]`.
    fn samples(&self, order: ByteOrder, limits: &Limits) -> Result<Array2<f32>, RecordingError> {
        if self.header.complex {
            return Err(self.unsupported("has complex numbers: save their real part or magnitude"));
        }
        let count = limits.check_shape(self.header.sizes.iter().copied())?;
        let [rows, columns] = self.shape()?;
        let numbers = self.numbers(order, limits, count)?;
        // MATLAB stores one column after another.
        let matrix = Array2::from_shape_vec((rows, columns).f(), numbers)
            .map_err(|_| malformed("the numbers of a variable do not fill its shape"))?;
        Ok(if rows >= columns { matrix.reversed_axes() } else { matrix })
    }

    fn numbers(
        &self,
        order: ByteOrder,
        limits: &Limits,
        count: usize,
    ) -> Result<Vec<f32>, RecordingError> {
        let mut source = open(self.bytes, self.compressed, order)?;
        source.header()?;
        let name = &self.header.name;
        let tag = source.tag()?;
        let kind = tag.number().ok_or_else(|| {
            malformed(format!(
                "the numbers of the variable {name} have the unknown type {}",
                tag.kind
            ))
        })?;
        limits.check_bytes(u64::from(tag.bytes))?;
        if count.checked_mul(kind.size()) != Some(tag.bytes as usize) {
            return Err(malformed(format!(
                "the variable {name} has {} bytes, and its {count} numbers need {}",
                tag.bytes,
                count.saturating_mul(kind.size())
            )));
        }
        source.numbers(&tag, kind, count, limits.deadline)
    }

    fn unsupported(&self, what: &str) -> RecordingError {
        RecordingError::Unsupported(format!("the variable {} {what}", self.header.name))
    }
}

fn malformed(reason: impl Into<String>) -> RecordingError {
    RecordingError::malformed(RecordingFormat::Mat, reason)
}
