//! Version 4: one matrix after another, each a header of five 32-bit numbers, a name and the
//! numbers, with nothing else before, between or after them.

use std::io;

use super::{
    element::Class,
    malformed,
    variables::{Contents, Variable},
    wanted::{Array, Kind, Numbers, Wanted},
};
use crate::{
    Limits, RecordingError,
    limits::MAX_VARIABLES,
    number::{ByteOrder, NumberKind},
};

const HEADER: usize = 20;
/// Longest name of a variable, in bytes, with the zero at its end; MATLAB writes at most 64.
const MAX_NAME_BYTES: u32 = 256;
/// Whole files up to this length are known from their beginnings.
const KNOWN: usize = crate::MARK_BYTES as usize;

/// How a machine stores numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Machine {
    Ieee(ByteOrder),
    /// VAX or Cray.
    Other(&'static str),
}

/// The description of a matrix.
struct Header<'a> {
    machine: Machine,
    kind: NumberKind,
    /// What it is, if it is no array of numbers.
    other: Option<Kind>,
    rows: u32,
    columns: u32,
    complex: bool,
    name: &'a str,
    /// The rest of the file.
    rest: &'a [u8],
}

/// Whether the bytes start like a file of version 4, which has no mark: every field of the first
/// header must be possible, and its numbers must fit a file so short that these are all its bytes.
pub(super) fn is_level_4(bytes: &[u8]) -> bool {
    Header::parse(bytes).is_some_and(|header| {
        bytes.len() >= KNOWN || header.bytes().is_some_and(|bytes| bytes <= header.rest.len())
    })
}

/// Whether the first header is one of version 4, whatever follows.
pub(super) fn starts(bytes: &[u8]) -> bool {
    Header::parse(bytes).is_some()
}

/// A matrix of a file.
struct Matrix<'a> {
    header: Header<'a>,
    order: ByteOrder,
    /// Its numbers, of both parts if they are complex.
    numbers: &'a [u8],
}

/// The matrices of a file, one after another.
fn matrices<'a>(
    bytes: &'a [u8],
    limits: &Limits,
    mut each: impl FnMut(Matrix<'a>) -> Result<(), RecordingError>,
) -> Result<(), RecordingError> {
    let mut rest = bytes;
    let mut count = 0;
    while !rest.is_empty() {
        count += 1;
        if count > MAX_VARIABLES {
            return Err(malformed(format!("it has more than {MAX_VARIABLES} variables")));
        }
        limits.check_time()?;
        let header = Header::parse(rest).ok_or_else(|| {
            malformed(format!(
                "it is of version 4, and the header of variable {count} is damaged or cut off"
            ))
        })?;
        let order = match header.machine {
            Machine::Ieee(order) => order,
            Machine::Other(name) => {
                return Err(RecordingError::Unsupported(format!(
                    "its numbers are those of a {name}, which is not supported: save it on another \
                     machine, with `-v7`"
                )));
            }
        };
        let numbers = header.bytes().and_then(|bytes| header.rest.split_at_checked(bytes));
        let (numbers, after) =
            numbers.ok_or_else(|| malformed("it ends within a variable: it was truncated"))?;
        rest = after;
        each(Matrix { header, order, numbers })?;
    }
    Ok(())
}

/// Looks for what is wanted in all variables of a file.
pub(super) fn search(bytes: &[u8], wanted: &mut Wanted<'_>) -> Result<(), RecordingError> {
    let limits = wanted.limits;
    matrices(bytes, limits, |Matrix { header, order, numbers }| {
        let Header { name: path, complex, kind, .. } = header;
        wanted.begin(path)?;
        if let Some(other) = header.other {
            wanted.pass(path, true, other);
            return Ok(());
        }
        let sizes = [u64::from(header.rows), u64::from(header.columns)];
        let array = Array { path, sizes: &sizes, complex, is_outer: true };
        let bytes = numbers.len() as u64;
        wanted.offer(array, || {
            let reader = Box::new(numbers);
            Ok(Numbers { kind, order, bytes, reader, broken: io::Error::into })
        })?;
        Ok(())
    })
}

/// All variables of a file.
pub(super) fn variables<'a>(
    bytes: &'a [u8],
    limits: &Limits,
) -> Result<Vec<Variable<'a>>, RecordingError> {
    let mut variables = Vec::new();
    matrices(bytes, limits, |Matrix { header, order, numbers }| {
        let class = header.other.map_or(Class::Numbers, Class::Other);
        variables.push(Variable {
            name: header.name.to_owned(),
            sizes: vec![u64::from(header.rows), u64::from(header.columns)],
            complex: header.complex,
            class,
            contents: Contents::Four { numbers, kind: header.kind, order },
        });
        Ok(())
    })?;
    Ok(variables)
}

impl<'a> Header<'a> {
    /// Splits a header off; `None` if a field of it is impossible.
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (header, rest) = bytes.split_first_chunk::<HEADER>()?;
        [ByteOrder::Little, ByteOrder::Big].into_iter().find_map(|order| {
            let (fields, _) = header.as_chunks();
            let fields: Vec<u32> = fields.iter().map(|&field| order.u32(field)).collect();
            let [kind, rows, columns, imaginary, length] = fields[..] else { return None };
            let digit = |place: u32| kind / place % 10;
            let machine = match (kind / 1000, order) {
                (0, ByteOrder::Little) | (1, ByteOrder::Big) => Machine::Ieee(order),
                (2 | 3, ByteOrder::Little) => Machine::Other("VAX"),
                (4, ByteOrder::Big) => Machine::Other("Cray"),
                _ => return None,
            };
            let is_possible = digit(100) == 0
                && i32::try_from(rows.max(columns)).is_ok()
                && imaginary <= 1
                && (2..=MAX_NAME_BYTES).contains(&length);
            let (name, rest) = rest.split_at_checked(length as usize).filter(|_| is_possible)?;
            Some(Self {
                machine,
                kind: number(digit(10))?,
                other: match digit(1) {
                    0 => None,
                    1 => Some(Kind::Text),
                    2 => Some(Kind::Sparse),
                    _ => return None,
                },
                rows,
                columns,
                complex: imaginary == 1,
                name: self::name(name)?,
                rest,
            })
        })
    }

    /// Bytes of the numbers, of both parts if they are complex.
    fn bytes(&self) -> Option<usize> {
        let parts = if self.complex { 2 } else { 1 };
        [self.columns as usize, self.kind.size(), parts]
            .into_iter()
            .try_fold(self.rows as usize, usize::checked_mul)
    }
}

fn number(digit: u32) -> Option<NumberKind> {
    Some(match digit {
        0 => NumberKind::F64,
        1 => NumberKind::F32,
        2 => NumberKind::I32,
        3 => NumberKind::I16,
        4 => NumberKind::U16,
        5 => NumberKind::U8,
        _ => return None,
    })
}

/// A name of printable characters, which ends at its first zero and has one at its end.
fn name(bytes: &[u8]) -> Option<&str> {
    let (0, name) = bytes.split_last()? else { return None };
    let name = name.split(|&byte| byte == 0).next()?;
    let is_printable = name.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ');
    str::from_utf8(name).ok().filter(|name| is_printable && !name.trim().is_empty())
}
