//! Text tables: a row for each moment, a column for each channel.
//!
//! The layout is found in the first lines ([`layout`]): what separates the cells, where the table
//! begins, and which columns are signals. The rows are then read one at a time. The parser is our
//! own: the crate csv supports neither decimal commas nor columns separated by blanks, and does not
//! limit the length of a record.

mod beginning;
mod cells;
mod clock;
mod clocks;
mod commas;
mod decimals;
mod grid;
mod header;
mod layout;
mod lines;
mod margin;
mod marks;
mod names;
mod numbers;
mod preamble;
pub(super) mod rows;
mod segments;
mod separator;
mod table;
mod utf_16;
mod wide;

use std::{borrow::Cow, io::BufRead};

use self::{
    layout::Layout,
    lines::{Line, Lines},
    segments::Segments,
    separator::Separator,
    table::Table,
};
use crate::{
    Limits, Recording, RecordingError, RecordingFormat, Selection, limits::check_channels,
};

/// Lines in which the layout is found, and the limit of their bytes.
const INSPECTED_LINES: usize = 256;
const INSPECTED_BYTES: usize = 1 << 18;

pub(super) fn read(
    reader: impl BufRead,
    selection: &Selection,
    limits: &Limits,
) -> Result<Recording, RecordingError> {
    let mut lines = Lines::new(reader, limits);
    for skipped in 0..selection.skip_lines {
        if lines.next()?.is_none() {
            return Err(malformed(format!(
                "it has only {skipped} lines, and skip_lines is {}",
                selection.skip_lines
            )));
        }
    }
    let text = inspected(&mut lines)?;
    let mut first = text.lines();
    check_text(&first)?;
    let segments = Segments::of(&mut first);
    let mut table = match open(&first, segments, selection, limits, lines.is_ended()) {
        Ok(table) => table,
        Err(error) => return Err(beginning::advised(error, first, lines, limits)),
    };
    drop(text);
    while let Some((number, line)) = lines.next()? {
        // The borrow of the line ends before the reader is asked about it.
        let read = table.line(number, line, true);
        if let Err(error) = read {
            if lines.is_ended() {
                return Err(error);
            }
            table.cut(error)?;
        }
    }
    let is_wide = table.is_wide();
    let recording = table.finish()?;
    if is_wide { wide::recording(recording, selection) } else { Ok(recording) }
}

/// The first lines, one after the other.
#[derive(Default)]
struct Inspected {
    text: String,
    /// The number of each line, and where it ends.
    ends: Vec<(u64, usize)>,
}

impl Inspected {
    fn lines(&self) -> Vec<Line<'_>> {
        let mut begin = 0;
        let line = |&(number, end): &(u64, usize)| {
            let line = self.text.get(begin..end).unwrap_or_default();
            begin = end;
            (number, Cow::Borrowed(line))
        };
        self.ends.iter().map(line).collect()
    }
}

fn inspected(lines: &mut Lines<impl BufRead>) -> Result<Inspected, RecordingError> {
    let mut first = Inspected::default();
    while first.ends.len() < INSPECTED_LINES
        && first.text.len() < INSPECTED_BYTES
        && let Some((number, line)) = lines.next()?
    {
        first.text.push_str(line);
        first.ends.push((number, first.text.len()));
    }
    Ok(first)
}

/// Refuses what is no text but is named like a table: hardly any character of a text is a control
/// character. Zeros do not count, since loggers fill what they do not use with them, and a few kinds
/// do not, since devices put them around each line.
fn check_text(first: &[Line<'_>]) -> Result<(), RecordingError> {
    const MOST: f64 = 0.05;
    const KINDS: u32 = 4;
    let is_control = |c: &char| c.is_ascii_control() && !matches!(c, '\0' | '\t' | '\r' | '\x0c');
    let may_be_control = |byte: u8| byte < b' ' && byte != b'\t' || byte == b'\x7f';
    // Without an early end many bytes are looked at at once.
    let any = |line: &str| line.bytes().fold(false, |any, byte| any | may_be_control(byte));
    if !first.iter().any(|(_, line)| any(line)) {
        return Ok(());
    }
    let characters = || first.iter().flat_map(|(_, line)| line.chars());
    let (mut count, mut kinds) = (0_usize, 0_u32);
    for control in characters().filter(is_control) {
        count += 1;
        kinds |= 1_u32.checked_shl(control.into()).unwrap_or(0);
    }
    if kinds.count_ones() <= KINDS {
        return Ok(());
    }
    let all = characters().count();
    if count as f64 <= MOST * all as f64 {
        return Ok(());
    }
    Err(malformed(format!(
        "it is not text, because {count} of its first {all} characters are control characters: name or \
         declare it as what it is"
    )))
}

/// The table that begins in the first lines, after reading those of its rows that are among them.
/// `is_whole` is false if the file may have been cut in the last one.
fn open(
    first: &[Line<'_>],
    segments: Segments,
    selection: &Selection,
    limits: &Limits,
    is_whole: bool,
) -> Result<Table, RecordingError> {
    let declared = first.first().and_then(|(_, line)| Separator::declared(line));
    let layout = if declared.is_some() {
        let mut first = first.to_vec();
        first.iter_mut().take(1).for_each(|(_, line)| line.to_mut().clear());
        Layout::of(&first, declared)?
    } else {
        Layout::of(first, None)?
    };
    let first_row = layout.first_row;
    let all = Selection::default();
    let mut table = if layout.is_wide() {
        Table::new(layout, segments, &all, limits)?
    } else {
        check_channels(layout.columns.len() as u64)?;
        Table::new(layout, segments, selection, limits)?
    };
    for (index, (number, line)) in first.iter().enumerate().skip(first_row) {
        table.line(*number, line, is_whole || index + 1 < first.len())?;
    }
    Ok(table)
}

/// Enough of a cell to find it.
fn shown(cell: &str) -> String {
    const SHOWN: usize = 30;
    match cell.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", cell.get(..end).unwrap_or_default()),
        None => cell.to_owned(),
    }
}

fn malformed(reason: impl Into<String>) -> RecordingError {
    RecordingError::malformed(RecordingFormat::Csv, reason)
}

#[cfg(test)]
mod doubts;
#[cfg(test)]
mod tests;
