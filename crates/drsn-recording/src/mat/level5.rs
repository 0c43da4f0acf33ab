//! Version 5: a header of 128 bytes, then elements, each with a tag of type and length. A variable
//! is an element of type matrix, or a zlib-compressed element that contains one. A structure or a
//! cell is a matrix whose contents are matrices, one column after another, for a structure one for
//! each field of each element.
//!
//! The variables that are arrays come first: of a compressed one, the description is decompressed,
//! which is a few hundred bytes, and its numbers if it is the best one so far. Structures and cells
//! are searched after that, unless they cannot matter, because they are decompressed as a whole.

use super::{
    HEADER,
    element::{Class, Fields, Header},
    malformed,
    source::Source,
    tag::{COMPRESSED, MATRIX, Tag},
    variables::{Contents, Variable},
    wanted::{Array, Kind, Wanted},
};
use crate::{Limits, RecordingError, limits::MAX_VARIABLES, number::ByteOrder};

/// Most structures and cells in each other that are searched.
const MAX_DEPTH: usize = 8;

/// The elements of a file that contain a variable, and whether each is compressed.
fn elements<'a>(
    bytes: &'a [u8],
    order: ByteOrder,
    limits: &Limits,
    mut each: impl FnMut(&'a [u8], bool) -> Result<(), RecordingError>,
) -> Result<(), RecordingError> {
    let mut rest = bytes.get(HEADER..).unwrap_or_default();
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
        let is_packed = tag.kind == COMPRESSED;
        if is_packed || tag.kind == MATRIX {
            each(body, is_packed)?;
        }
    }
    Ok(())
}

/// Looks for what is wanted in all variables of a file.
pub(super) fn search(
    bytes: &[u8],
    order: ByteOrder,
    wanted: &mut Wanted<'_>,
) -> Result<(), RecordingError> {
    let mut containers = Vec::new();
    let limits = wanted.limits;
    elements(bytes, order, limits, |body, is_packed| {
        if is_container(body, is_packed, order, wanted)? {
            containers.push((body, is_packed));
        }
        Ok(())
    })?;
    for (body, is_packed) in containers {
        if wanted.is_over() {
            break;
        }
        match variable(body, is_packed, order, wanted) {
            Err(error) if matches!(error, RecordingError::TimeUp) || !wanted.is_outside() => {
                return Err(error);
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

/// All variables of a file that have a name, whatever they are.
pub(super) fn variables<'a>(
    bytes: &'a [u8],
    order: ByteOrder,
    limits: &Limits,
) -> Result<Vec<Variable<'a>>, RecordingError> {
    let mut variables = Vec::new();
    elements(bytes, order, limits, |body, is_packed| {
        let mut source = Source::open(body, is_packed, order, limits.deadline)?;
        // Unnamed ones are MATLAB's own.
        if let Some(Header { name, sizes, complex, class }) = source.header()?
            && !name.is_empty()
        {
            let contents = Contents::Five { body, is_packed, order };
            variables.push(Variable { name, sizes, complex, class, contents });
        }
        Ok(())
    })?;
    Ok(variables)
}

/// Whether a variable is a structure or a cell. Any other one is offered or passed over.
fn is_container(
    body: &[u8],
    is_packed: bool,
    order: ByteOrder,
    wanted: &mut Wanted<'_>,
) -> Result<bool, RecordingError> {
    let mut source = Source::open(body, is_packed, order, wanted.limits.deadline)?;
    let Some(header) = source.header()? else { return Ok(false) };
    wanted.begin(&header.name)?;
    match header.class {
        Class::Cells | Class::Structures => return Ok(true),
        // Unnamed ones are MATLAB's own.
        Class::Numbers if header.name.is_empty() => {}
        Class::Numbers => {
            if array(&mut source, &header.name, true, &header, wanted)? {
                source.finish()?;
            }
        }
        Class::Other(kind) => wanted.pass(&header.name, true, kind),
    }
    Ok(false)
}

/// Searches a variable that is a structure or a cell.
fn variable(
    body: &[u8],
    is_packed: bool,
    order: ByteOrder,
    wanted: &mut Wanted<'_>,
) -> Result<(), RecordingError> {
    let mut source = Source::open(body, is_packed, order, wanted.limits.deadline)?;
    wanted.limits.check_bytes(source.left)?;
    if let Some(header) = source.header()? {
        let mut path = header.name.clone();
        container(&mut source, &mut path, &header, 1, wanted)?;
    }
    source.finish()
}

/// Searches the parts of a structure or a cell.
fn container(
    source: &mut Source<'_>,
    path: &mut String,
    header: &Header,
    depth: usize,
    wanted: &mut Wanted<'_>,
) -> Result<(), RecordingError> {
    let is_outer = depth == 1;
    if depth > MAX_DEPTH {
        wanted.pass(path, is_outer, Kind::Deep);
        return Ok(());
    }
    let count = header.sizes.iter().copied().fold(1, u64::saturating_mul);
    let is_cell = header.class == Class::Cells;
    let fields = if is_cell { None } else { Some(source.fields()?) };
    let held = fields.as_ref().map_or(0, Fields::bytes);
    if count == 0 || fields.as_ref().is_some_and(Fields::is_empty) {
        wanted.pass(path, is_outer, Kind::EmptyStructure);
        source.names_left += held;
        return Ok(());
    }
    let outer = path.len();
    for index in 0..count {
        // A structure is usually the only one of its array, and a cell has others beside it.
        if is_cell || count > 1 {
            path.extend(["[", &index.to_string(), "]"]);
        }
        match &fields {
            None => part(source, path, depth, wanted)?,
            Some(fields) => {
                let element = path.len();
                for field in fields.iter() {
                    path.extend([".", &field]);
                    part(source, path, depth, wanted)?;
                    path.truncate(element);
                }
            }
        }
        path.truncate(outer);
    }
    source.names_left += held;
    Ok(())
}

/// Searches the next matrix of a structure or a cell.
fn part(
    source: &mut Source<'_>,
    path: &mut String,
    depth: usize,
    wanted: &mut Wanted<'_>,
) -> Result<(), RecordingError> {
    wanted.limits.check_time()?;
    let tag = source.tag()?;
    if tag.kind != MATRIX {
        return Err(malformed(format!(
            "a part of a structure or cell is an element of type {}, and not a variable",
            tag.kind
        )));
    }
    source.within(&tag, |source| {
        let Some(header) = source.header()? else {
            wanted.pass(path, false, Kind::EmptyArray);
            return Ok(());
        };
        match header.class {
            Class::Cells | Class::Structures => container(source, path, &header, depth + 1, wanted),
            Class::Numbers => array(source, path, false, &header, wanted).map(drop),
            Class::Other(kind) => {
                wanted.pass(path, false, kind);
                Ok(())
            }
        }
    })
}

/// Offers an array whose description was read. Whether its numbers were read too.
fn array(
    source: &mut Source<'_>,
    path: &str,
    is_outer: bool,
    header: &Header,
    wanted: &mut Wanted<'_>,
) -> Result<bool, RecordingError> {
    let array = Array { path, sizes: &header.sizes, complex: header.complex, is_outer };
    wanted.offer(array, || source.numbers(path))
}
