//! The variables of a file with what they hold: numbers, truth values or texts.

use std::io;

use super::{
    element::{Class, Header},
    malformed,
    source::Source,
    tag::MATRIX,
    wanted::{Kind, Numbers},
};
use crate::{
    Limits, RecordingError, Value,
    number::{ByteOrder, NumberKind, blocks},
};

/// A variable that is in no other one.
pub(crate) struct Variable<'a> {
    pub(crate) name: String,
    /// Sizes of its axes, the fastest-varying first.
    pub(crate) sizes: Vec<u64>,
    pub(crate) complex: bool,
    pub(crate) class: Class,
    pub(super) contents: Contents<'a>,
}

/// Where the contents of a variable are.
pub(super) enum Contents<'a> {
    Four { numbers: &'a [u8], kind: NumberKind, order: ByteOrder },
    Five { body: &'a [u8], is_packed: bool, order: ByteOrder },
}

impl Variable<'_> {
    /// Hands on the bytes of its numbers in blocks, one column after another, with how they are
    /// stored.
    pub(crate) fn numbers<E: From<RecordingError>>(
        &self,
        limits: &Limits,
        mut take: impl FnMut(NumberKind, ByteOrder, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let count = limits.check_shape(self.sizes.iter().copied())?;
        match self.contents {
            Contents::Four { numbers, kind, order } => {
                let size = kind.size();
                let broken = |error: io::Error| error.into();
                blocks(size, count, limits.deadline, numbers, broken, |part| {
                    take(kind, order, part)
                })
            }
            Contents::Five { body, is_packed, order } => {
                let mut source = Source::open(body, is_packed, order, limits.deadline)?;
                source.header()?;
                {
                    let numbers = source.numbers(&self.name)?;
                    numbers.check(&self.name, count)?;
                    let Numbers { kind, order, reader, broken, .. } = numbers;
                    blocks(kind.size(), count, limits.deadline, reader, broken, |part| {
                        take(kind, order, part)
                    })?;
                }
                Ok(source.finish()?)
            }
        }
    }

    /// Hands on the texts: the rows of a matrix of characters, or the elements of a cell, which may
    /// be single numbers as well.
    pub(crate) fn texts(
        &self,
        limits: &Limits,
        take: &mut dyn FnMut(Value) -> Result<(), RecordingError>,
    ) -> Result<(), RecordingError> {
        let count = limits.check_shape(self.sizes.iter().copied())?;
        let rows = self.sizes.first().map_or(0, |&rows| rows as usize);
        if count == 0 {
            // Any number of rows without characters costs no bytes.
            return Ok(());
        }
        match self.contents {
            Contents::Four { kind, order, .. } => {
                let mut codes = Vec::new();
                self.numbers(limits, |_, _, part| {
                    kind.decode(order, part, &mut codes);
                    limits.check_time()
                })?;
                let character = |&code: &f32| char::from_u32(code as u32).unwrap_or('\u{fffd}');
                let characters: Vec<char> = codes.iter().map(character).collect();
                each_row(&characters, rows, take)
            }
            Contents::Five { body, is_packed, order } => {
                let mut source = Source::open(body, is_packed, order, limits.deadline)?;
                limits.check_bytes(source.left)?;
                source.header()?;
                if self.class == Class::Cells {
                    for index in 0..count {
                        limits.check_time()?;
                        take(self.element(&mut source, index)?)?;
                    }
                } else {
                    each_row(&source.characters(count)?, rows, take)?;
                }
                source.finish()
            }
        }
    }

    /// The next element of a cell: a text, or a single number.
    fn element(&self, source: &mut Source<'_>, index: usize) -> Result<Value, RecordingError> {
        let other = || {
            RecordingError::Unsupported(format!(
                "element {} of the cell {} is neither a text in one line nor a single number",
                index + 1,
                self.name
            ))
        };
        let tag = source.tag()?;
        if tag.kind != MATRIX {
            return Err(malformed("a part of a cell is not a variable"));
        }
        let mut value = Value::Text(String::new());
        source.within(&tag, |source| {
            let Some(Header { sizes, class, complex, .. }) = source.header()? else {
                return Ok(());
            };
            let count = sizes.iter().copied().fold(1, u64::saturating_mul);
            match class {
                _ if count == 0 => {}
                Class::Other(Kind::Text)
                    if sizes.first() == Some(&1) && count <= MAX_CHARACTERS =>
                {
                    value = Value::Text(text(source.characters(count as usize)?.into_iter()));
                }
                Class::Numbers if count == 1 && !complex => {
                    value = Value::Number(source.numbers(&self.name)?.one(&self.name)?);
                }
                Class::Numbers | Class::Cells | Class::Structures | Class::Other(_) => {
                    return Err(other());
                }
            }
            Ok(())
        })?;
        Ok(value)
    }
}

/// Most characters of a text in a cell.
const MAX_CHARACTERS: u64 = 1 << 16;

/// Hands on the rows of a matrix of characters, which is stored one column after another.
fn each_row(
    characters: &[char],
    rows: usize,
    take: &mut dyn FnMut(Value) -> Result<(), RecordingError>,
) -> Result<(), RecordingError> {
    for row in 0..rows {
        let of_row = characters.iter().skip(row).step_by(rows.max(1)).copied();
        take(Value::Text(text(of_row)))?;
    }
    Ok(())
}

/// A text without the blanks and zeros that fill it up.
fn text(characters: impl Iterator<Item = char>) -> String {
    let text: String = characters.collect();
    text.trim_matches(|c: char| c == '\0' || c.is_whitespace()).to_owned()
}
