//! What separates the cells of a table, and what its columns are, told from its first lines.

use super::clock;
use crate::{MOST_CHANNELS, RecordingError};

/// Names of columns that hold time and not a signal, in any letters. A small `t` is one, too; a large one is a temperature,
/// unless its unit is one of time.
const TIME: [&str; 5] = ["time", "timestamp", "zeit", "index", "sample"];

/// What stands between cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Separator {
    Tab,
    Semicolon,
    Comma,
    /// One or more blanks.
    Blanks,
    /// The only column needs none.
    Nothing,
}

/// What a table looks like.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) separator: Separator,
    pub(super) columns: usize,
    /// Whether the first line names the columns.
    pub(super) header: bool,
    /// Those names, or none.
    pub(super) names: Vec<String>,
    /// The columns of time.
    pub(super) time: Vec<usize>,
}

impl Separator {
    /// The cells of a line, without blanks and quotes around them.
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

/// The number in a cell; a comma is its decimal point where the separator cannot be meant by it.
pub(super) fn number(cell: &str, separator: Separator) -> Option<f64> {
    if matches!(separator, Separator::Semicolon | Separator::Tab) && cell.contains(',') {
        // One such comma: a number with points or further commas as well is written in groups, and fails here.
        return if cell.contains('.') { None } else { cell.replace(',', ".").parse().ok() };
    }
    cell.parse().ok()
}

impl Shape {
    /// Tells the shape from the first lines; the first may be a header.
    pub(super) fn of(lines: &[&str]) -> Result<Self, RecordingError> {
        let Some(first) = lines.first() else { return Err(RecordingError::Empty) };
        let separator = separator(lines);
        let columns = separator.split(first).count();
        if columns > MOST_CHANNELS {
            return Err(RecordingError::too_many_channels(columns as u64));
        }
        let cells: Vec<&str> = separator.split(first).collect();
        let time = |cell: &str| {
            let name = without_unit(cell);
            let is_t = name == "t" || name == "T" && clock::unit(cell).is_some();
            is_t || TIME.contains(&name.to_lowercase().as_str())
        };
        // One number among other cells is a row with a mistake, unless a column of time is named.
        let header = cells.iter().all(|cell| number(cell, separator).is_none())
            || cells.iter().any(|cell| time(cell));
        if !header {
            return Ok(Self { separator, columns, header, names: Vec::new(), time: Vec::new() });
        }
        let names = cells.iter().map(|&cell| cell.to_owned()).collect();
        // pandas gives no name to the column in which it numbers the rows.
        let numbers_rows = |i: usize, cell: &str| i == 0 && columns > 1 && cell.is_empty();
        let is_time =
            |&i: &usize| cells.get(i).is_some_and(|cell| time(cell) || numbers_rows(i, cell));
        let time = (0..columns).filter(is_time).collect();
        Ok(Self { separator, columns, header, names, time })
    }
}

/// The separator that cuts the most lines into at least two cells of which at least one is a number.
fn separator(lines: &[&str]) -> Separator {
    let score = |separator: Separator| {
        let is_row = |line: &&&str| {
            let cells = separator.split(line).count();
            let numbers = separator.split(line).filter_map(|cell| number(cell, separator)).count();
            // A column can hold dates, and a row can end with a separator or hold a mistake.
            cells >= 2 && numbers * 2 >= cells
        };
        lines.iter().filter(is_row).count()
    };
    // Where two cut as many, the one that comes first here is taken: a comma can stand in a number, and a blank anywhere.
    let mut best = (Separator::Nothing, 0);
    for separator in [Separator::Tab, Separator::Semicolon, Separator::Comma, Separator::Blanks] {
        let score = score(separator);
        if score > best.1 {
            best = (separator, score);
        }
    }
    best.0
}

/// A column's name without a unit in brackets.
fn without_unit(name: &str) -> &str {
    name.split(['[', '(']).next().unwrap_or(name).trim()
}
