//! The separator and the columns of a table, detected from its first lines.

use super::clock;
use crate::{RecordingError, limits::check_channels};

/// Names of time columns, in any case. So is `t`, while `T` is a temperature unless its unit is one
/// of time.
const TIME: [&str; 5] = ["time", "timestamp", "zeit", "index", "sample"];

/// The separator of cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Separator {
    Tab,
    Semicolon,
    Comma,
    /// One or more blanks.
    Blanks,
    /// There is only one column.
    Nothing,
}

/// The layout of a table.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) separator: Separator,
    pub(super) columns: usize,
    /// Whether the first line names the columns.
    pub(super) header: bool,
    /// Those names; empty without a header.
    pub(super) names: Vec<String>,
    /// The time columns.
    pub(super) time: Vec<usize>,
}

impl Separator {
    /// The cells of a line, without surrounding blanks and quotes.
    pub(super) fn split(self, line: &str) -> impl Iterator<Item = &str> {
        let mut rest = Some(if self == Self::Blanks { line.trim() } else { line });
        std::iter::from_fn(move || {
            let text = rest?;
            let mut quoted = false;
            let end = text.find(|c: char| {
                quoted ^= c == '"';
                !quoted && self.is(c)
            });
            let (cell, after) = match end {
                None => (text, None),
                Some(end) => (text.get(..end)?, text.get(end + 1..)),
            };
            rest = if self == Self::Blanks { after.map(str::trim_start) } else { after };
            let cell = cell.trim();
            Some(cell.strip_prefix('"').and_then(|c| c.strip_suffix('"')).unwrap_or(cell))
        })
    }

    fn is(self, c: char) -> bool {
        match self {
            Self::Tab => c == '\t',
            Self::Semicolon => c == ';',
            Self::Comma => c == ',',
            Self::Blanks => c == ' ' || c == '\t',
            Self::Nothing => false,
        }
    }
}

/// The number in a cell. A comma is the decimal point if it cannot be the separator.
pub(super) fn number(cell: &str, separator: Separator) -> Option<f64> {
    if matches!(separator, Separator::Semicolon | Separator::Tab) && cell.contains(',') {
        // A number with a point or further commas too has grouped digits, and is not parsed.
        return if cell.contains('.') { None } else { cell.replace(',', ".").parse().ok() };
    }
    cell.parse().ok()
}

impl Shape {
    /// Detects the layout from the first lines, of which the first may be a header.
    pub(super) fn of(lines: &[&str]) -> Result<Self, RecordingError> {
        let Some(first) = lines.first() else { return Err(RecordingError::Empty) };
        let separator = separator(lines);
        let columns = separator.split(first).count();
        check_channels(columns as u64)?;
        let cells: Vec<&str> = separator.split(first).collect();
        let time = |cell: &str| {
            let name = without_unit(cell);
            let is_t = name == "t" || name == "T" && clock::unit(cell).is_some();
            is_t || TIME.contains(&name.to_lowercase().as_str())
        };
        // A number among other cells makes it a row with a mistake, unless a cell names a time
        // column.
        let header = cells.iter().all(|cell| number(cell, separator).is_none())
            || cells.iter().any(|cell| time(cell));
        if !header {
            return Ok(Self { separator, columns, header, names: Vec::new(), time: Vec::new() });
        }
        let names = cells.iter().map(|&cell| cell.to_owned()).collect();
        // pandas leaves the name of its index column empty.
        let numbers_rows = |i: usize, cell: &str| i == 0 && columns > 1 && cell.is_empty();
        let is_time =
            |&i: &usize| cells.get(i).is_some_and(|cell| time(cell) || numbers_rows(i, cell));
        let time = (0..columns).filter(is_time).collect();
        Ok(Self { separator, columns, header, names, time })
    }
}

/// The separator that splits the most lines into at least two cells, at least half of them numbers.
fn separator(lines: &[&str]) -> Separator {
    let score = |separator: Separator| {
        let is_row = |line: &&&str| {
            let cells = separator.split(line).count();
            let numbers = separator.split(line).filter_map(|cell| number(cell, separator)).count();
            // A column may hold dates, and a row may end with a separator or contain a mistake.
            cells >= 2 && numbers * 2 >= cells
        };
        lines.iter().filter(is_row).count()
    };
    // Of equals the first wins: a comma may be part of a number, and a blank may be anywhere.
    let mut best = (Separator::Nothing, 0);
    for separator in [Separator::Tab, Separator::Semicolon, Separator::Comma, Separator::Blanks] {
        let score = score(separator);
        if score > best.1 {
            best = (separator, score);
        }
    }
    best.0
}

/// A column's name without its unit in brackets.
fn without_unit(name: &str) -> &str {
    name.split(['[', '(']).next().unwrap_or(name).trim()
}
