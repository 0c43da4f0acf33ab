//! Tables with one input a row: its samples, and values such as its label in columns of their own.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read as _, Seek as _},
    path::Path,
};

use flate2::read::MultiGzDecoder;

use super::{
    cells::number,
    decimals::Decimals,
    grid::{Grid, is_comment},
    lines::Lines,
    malformed,
    separator::Separator,
    shown,
};
use crate::{Limits, MARK_BYTES, RecordingError, RecordingFormat, check_foreign, gzip};

/// Longest row, in bytes: several hundred thousand samples.
const MAX_ROW_BYTES: u64 = 1 << 24;
/// Most columns of a table.
const MAX_COLUMNS: usize = 1 << 22;

/// A table with one input a row, read row by row.
pub struct RowFile {
    lines: Lines<Box<dyn BufRead>>,
    separator: Separator,
    header: Option<Vec<String>>,
    is_header_assumed: bool,
    columns: usize,
    /// Rows that were looked at to find the layout, the next one last.
    waiting: Vec<(u64, String)>,
    decimals: Decimals,
}

/// What is read of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnUse {
    /// The next sample of the input.
    Sample,
    /// The value of this place, as text.
    Value(usize),
    /// Nothing.
    Nothing,
}

impl RowFile {
    /// Opens a table, packed with gzip or not. Its first line names the columns if a cell of it is
    /// one of `names` in any case, or if its cells count the columns from 0, as pandas names them, or
    /// if a cell of it stands above a number without being one and none is a number with a fraction.
    ///
    /// # Errors
    /// [`RecordingError`] if it cannot be read, is of another kind, or has no row with a number.
    pub fn open(path: &Path, names: &[&str], limits: &Limits) -> Result<Self, RecordingError> {
        let mut lines = Lines::new(reader(path)?, limits).of_rows(MAX_ROW_BYTES);
        let first = next_row(&mut lines)?;
        let declared = first.as_ref().and_then(|(_, line)| Separator::declared(line));
        let first = if declared.is_some() { next_row(&mut lines)? } else { first };
        let Some(first) = first else { return Err(RecordingError::Empty) };
        let second = next_row(&mut lines)?;
        let body = second.as_ref().map_or(&first.1, |(_, line)| line);
        let separator = declared.or_else(|| separator(body)).ok_or_else(|| {
            malformed(format!("a row of numbers was expected, and it has \"{}\"", shown(body)))
        })?;
        let above = cells(separator, &first.1)?;
        let below = second.as_ref().map(|(_, line)| cells(separator, line)).transpose()?;
        let below = below.unwrap_or_default();
        let (counts, has_measured) = (counts_columns(&above), Grid::has_measured(&above));
        let is_header =
            is_named(&above, names) || (stands_above(&above, &below) && !has_measured) || counts;
        let mut table = Self {
            separator,
            header: None,
            is_header_assumed: is_header && (counts || has_measured),
            columns: above.len().max(below.len()),
            waiting: second.iter().cloned().collect(),
            decimals: Decimals::default(),
            lines,
        };
        if is_header {
            let mut names: Vec<String> = above.into_iter().map(str::to_owned).collect();
            if names.len() + 1 == table.columns {
                // R leaves the names of the rows without a name.
                names.insert(0, String::new());
            }
            names.resize(table.columns, String::new());
            table.header = Some(names);
        } else {
            table.waiting.push(first);
        }
        Ok(table)
    }

    /// The names of the columns, if its first line has them.
    pub fn header(&self) -> Option<&[String]> {
        self.header.as_deref()
    }

    /// Whether its first line was taken for names although it may be a row: it counts the columns, or
    /// has numbers with fractions.
    pub fn is_header_assumed(&self) -> bool {
        self.is_header_assumed
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Reads the next row: the samples, which replace what is in `samples`, and the values.
    /// Returns the number of its line, from 1; `None` at the end. Blank lines and comments are left
    /// out.
    ///
    /// # Errors
    /// [`RecordingError::Ragged`] or [`RecordingError::NotNumeric`] if this row is wrong, after which
    /// the next one can be read; otherwise an error of the file.
    pub fn next_row(
        &mut self,
        uses: &[ColumnUse],
        samples: &mut Vec<f32>,
        values: &mut [String],
    ) -> Result<Option<u64>, RecordingError> {
        let row = match self.waiting.pop() {
            Some(row) => Some(row),
            None => next_row(&mut self.lines)?,
        };
        let Some((line, text)) = row else { return Ok(None) };
        samples.clear();
        values.iter_mut().for_each(String::clear);
        let mut found = 0;
        for cell in self.separator.split(&text) {
            let column = found;
            found += 1;
            match uses.get(column) {
                Some(ColumnUse::Nothing) => {}
                None if cell.is_empty() => {}
                None => return Err(self.ragged(line, &text)),
                Some(&ColumnUse::Value(place)) => {
                    values.iter_mut().skip(place).take(1).for_each(|value| value.push_str(cell));
                }
                Some(ColumnUse::Sample) => {
                    let read = number(cell).filter(|number| (number.value as f32).is_finite());
                    let number = read.ok_or_else(|| {
                        // A row that was cut in a cell is too short as well, which says more.
                        if self.separator.split(&text).count() < self.columns {
                            return self.ragged(line, &text);
                        }
                        let cell = shown(cell);
                        RecordingError::NotNumeric { line, column: found, cell }
                    })?;
                    // All columns are samples of one signal.
                    self.decimals.add(0, cell, number);
                    samples.push(number.value as f32);
                }
            }
        }
        if found < self.columns {
            return Err(self.ragged(line, &text));
        }
        Ok(Some(line))
    }

    /// Checks, after the last row, that the numbers can be understood in one way only.
    ///
    /// # Errors
    /// [`RecordingError::Malformed`] if commas may mark decimals or group digits.
    pub fn finish(self) -> Result<(), RecordingError> {
        self.decimals.check(self.separator)
    }

    fn ragged(&self, line: u64, text: &str) -> RecordingError {
        let found = self.separator.split(text).count();
        RecordingError::Ragged { line, found, expected: self.columns }
    }
}

/// The text of a file.
fn reader(path: &Path) -> Result<Box<dyn BufRead>, RecordingError> {
    const BUFFER: usize = 1 << 16;
    let mut file = File::open(path)?;
    let mut start = Vec::new();
    file.by_ref().take(MARK_BYTES).read_to_end(&mut start)?;
    file.rewind()?;
    if gzip::is_packed(&start) {
        let mut reader = BufReader::with_capacity(BUFFER, MultiGzDecoder::new(file));
        check_foreign(reader.fill_buf()?)?;
        return Ok(Box::new(reader));
    }
    check_foreign(&start)?;
    if let Some(other) = RecordingFormat::sniff(&start) {
        let reason = format!("it is a {other} file, and a table with one input a row is text");
        return Err(RecordingError::Unsupported(reason));
    }
    Ok(Box::new(BufReader::with_capacity(BUFFER, file)))
}

/// The next line that is neither blank nor a comment nor a row of separators alone.
fn next_row(lines: &mut Lines<Box<dyn BufRead>>) -> Result<Option<(u64, String)>, RecordingError> {
    let is_blank = |text: &str| text.chars().all(|c| c.is_whitespace() || matches!(c, ',' | ';'));
    while let Some((number, text)) = lines.next()? {
        if !is_blank(text) && !is_comment(text) {
            return Ok(Some((number, text.to_owned())));
        }
    }
    Ok(None)
}

/// The separator that splits a row into the most numbers; of equally good ones the first.
fn separator(row: &str) -> Option<Separator> {
    let numbers =
        |separator: &Separator| separator.split(row).filter(|cell| number(cell).is_some()).count();
    let best = Separator::USUAL.into_iter().rev().max_by_key(numbers)?;
    (numbers(&best) > 0).then_some(best)
}

/// The cells of a line without empty ones at its end.
fn cells(separator: Separator, line: &str) -> Result<Vec<&str>, RecordingError> {
    let mut cells: Vec<&str> = separator.split(line).take(MAX_COLUMNS + 1).collect();
    if cells.len() > MAX_COLUMNS {
        return Err(malformed(format!("a row has more than {MAX_COLUMNS} columns")));
    }
    while cells.last().is_some_and(|cell| cell.is_empty()) {
        cells.pop();
    }
    Ok(cells)
}

/// Whether a cell is one of the names.
fn is_named(cells: &[&str], names: &[&str]) -> bool {
    let is_name = |cell: &&str| names.iter().any(|name| name.eq_ignore_ascii_case(cell));
    cells.iter().any(is_name)
}

/// Whether a cell above a number is none.
fn stands_above(above: &[&str], below: &[&str]) -> bool {
    let shift = usize::from(above.len() + 1 == below.len());
    let pairs = above.iter().zip(below.iter().skip(shift));
    pairs
        .into_iter()
        .any(|(name, cell)| !name.is_empty() && number(name).is_none() && number(cell).is_some())
}

/// Whether the cells are 0, 1, 2 and so on, the first of which may be empty above row numbers.
fn counts_columns(cells: &[&str]) -> bool {
    let cells = cells.strip_prefix(&[""]).unwrap_or(cells);
    cells.len() > 2 && cells.iter().enumerate().all(|(place, cell)| *cell == place.to_string())
}
