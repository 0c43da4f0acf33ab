//! The first lines of a table, split by each separator; the best one is kept.

use std::cmp::Reverse;

use super::{
    cells::{Cell, number, split_exponent},
    clock::seconds,
    numbers::Numbers,
    separator::{Ascii, Separator},
};

/// Signs before a number.
pub(super) const SIGNS: [char; 3] = ['-', '+', '\u{2212}'];

/// How a separator splits the lines.
#[derive(Debug)]
pub(super) struct Grid<'a> {
    pub(super) separator: Separator,
    /// Cells of most rows.
    pub(super) cells: usize,
    /// The position of the first row.
    pub(super) first_row: usize,
    /// The cells of all lines, one after the other, and where those of each line end; comments and
    /// blank lines have none.
    all: Vec<Cell<'a>>,
    ends: Vec<usize>,
    /// Columns that have numbers in most rows.
    core: Vec<usize>,
}

/// Whether a line is a comment, or has only blanks.
pub(super) fn is_blank_or_comment(line: &str) -> bool {
    line.trim_start().is_empty() || is_comment(line)
}

/// Whether a line is a comment.
pub(super) fn is_comment(line: &str) -> bool {
    let text = line.trim_start();
    match text.as_bytes() {
        [b'#', rest @ ..] => !is_error_value(rest),
        [b'%', next, ..] => matches!(next, b' ' | b'%'),
        [b'/', b'/', ..] => true,
        _ => false,
    }
}

/// Whether what follows `#` is a value that a spreadsheet could not compute: `#N/A`, `#DIV/0!`.
fn is_error_value(rest: &[u8]) -> bool {
    let is_of_word = |byte: &u8| byte.is_ascii_uppercase() || matches!(byte, b'/' | b'0');
    let length = rest.iter().position(|byte| !is_of_word(byte)).unwrap_or(rest.len());
    let (word, after) = rest.split_at(length);
    matches!(word, b"N/A" | b"NV") || length > 1 && matches!(after, [b'!' | b'?', ..])
}

impl<'a> Grid<'a> {
    /// The grid in which the most lines are rows, with the fewest columns of text.
    pub(super) fn best(lines: &[&'a str], declared: Option<Separator>) -> Option<Self> {
        if let Some(declared) = declared {
            return Self::of(lines, declared, true);
        }
        let characters = Ascii::of(lines.iter().copied());
        let several = Separator::USUAL.into_iter().filter(|s| s.is_in(lines, characters));
        let several: Vec<Self> =
            several.filter_map(|separator| Self::of(lines, separator, false)).collect();
        let score = |grid: &Self| {
            (grid.rows(), Reverse(grid.torn_columns()), Reverse(grid.columns_of_text()))
        };
        // Of equals the first wins, and `max_by_key` would take the last.
        match several.into_iter().rev().max_by_key(score) {
            None => Self::of(lines, Separator::Nothing, false),
            Some(best) => Some(best.with_decimal_commas(lines).unwrap_or(best)),
        }
    }

    /// The lines as this separator splits them; `None` if there are no rows.
    pub(super) fn of(lines: &[&'a str], separator: Separator, is_declared: bool) -> Option<Self> {
        // One column of what other separators split is none.
        let is_single = separator == Separator::Nothing || is_declared;
        let (mut all, mut ends) = (Vec::new(), Vec::with_capacity(lines.len()));
        for line in lines {
            if !is_blank_or_comment(line) {
                all.extend(separator.split(line).map(Cell::from));
            }
            ends.push(all.len());
        }
        let mut grid = Self { separator, cells: 0, first_row: 0, all, ends, core: Vec::new() };
        let has_number = |cells: &&[Cell<'_>]| cells.iter().any(Cell::is_number);
        let mut rows: Vec<&[Cell<'_>]> = grid.lines_from(0).filter(has_number).collect();
        // What precedes the table may have numbers, too, but fewer of them.
        if rows.len() > 8 {
            rows.drain(..rows.len() / 2);
        } else if let Some(last) = rows.last().map(|row| count_numbers(row)) {
            let is_table = |row: &&[Cell<'_>]| {
                let has_text = |cell: &Cell<'_>| !cell.is_empty() && !cell.is_number();
                // A first cell without a name is above row numbers.
                let is_of_numbers = !row[0].is_empty() && !row.iter().any(has_text);
                is_of_numbers || count_numbers(row) >= last
            };
            let table = rows.iter().position(is_table);
            rows.drain(..table.unwrap_or_default());
        }
        let cells = most_frequent(rows.iter().map(|row| row.len()))?;
        rows.retain(|row| row.len() == cells);
        let is_core = |&column: &usize| {
            let numbers = rows.iter().filter(|row| row[column].is_number()).count();
            4 * numbers >= 3 * rows.len()
        };
        grid.core = (0..cells).filter(is_core).collect();
        grid.cells = cells;
        grid.first_row = (0..grid.ends.len()).find(|&line| grid.is_row(line))?;
        ((is_single || cells > 1) && !grid.core.is_empty()).then_some(grid)
    }

    /// Whether a line has numbers where most rows have them.
    fn is_row(&self, line: usize) -> bool {
        let cells = self.row(line);
        cells.len() == self.cells && self.core.iter().all(|&column| cells[column].is_number())
    }

    /// The cells of a line.
    pub(super) fn row(&self, line: usize) -> &[Cell<'a>] {
        self.lines_from(line).next().unwrap_or_default()
    }

    /// The cells of each line from one on.
    fn lines_from(&self, first: usize) -> impl Iterator<Item = &[Cell<'a>]> {
        let mut begin =
            first.checked_sub(1).and_then(|above| self.ends.get(above)).map_or(0, |&end| end);
        self.ends.iter().skip(first).map(move |&end| {
            let cells = self.all.get(begin..end).unwrap_or_default();
            begin = end;
            cells
        })
    }

    /// Their texts.
    pub(super) fn texts(&self, line: usize) -> Vec<&'a str> {
        self.row(line).iter().map(|cell| cell.text).collect()
    }

    pub(super) fn rows(&self) -> usize {
        (self.first_row..self.ends.len()).filter(|&line| self.is_row(line)).count()
    }

    pub(super) fn rows_from(&self, first: usize) -> impl Iterator<Item = &[Cell<'a>]> {
        self.lines_from(first).filter(|row| row.len() == self.cells)
    }

    fn columns_of_text(&self) -> usize {
        let is_text = |&column: &usize| {
            self.rows_from(self.first_row).any(|row| !row[column].is_empty())
                && !self.rows_from(self.first_row).any(|row| row[column].is_number())
        };
        (0..self.cells).filter(is_text).count()
    }

    /// Columns with cells that begin like a number, and are none: a wrong separator tears numbers.
    fn torn_columns(&self) -> usize {
        let has_torn =
            |&column: &usize| self.rows_from(self.first_row).any(|row| is_torn(&row[column]));
        (0..self.cells).filter(has_torn).count()
    }

    /// Columns without those at the end that are empty in all rows.
    pub(super) fn columns(&self, first_row: usize) -> usize {
        let is_used =
            |&column: &usize| self.rows_from(first_row).any(|row| !row[column].is_empty());
        (0..self.cells).rev().find(is_used).map_or(1, |last| last + 1)
    }

    /// The numbers of a column from a row on.
    pub(super) fn numbers(&self, column: usize, first_row: usize) -> Numbers {
        let cells = || self.rows_from(first_row).map(move |row| row[column]);
        let digits = |cell: &str| {
            let (mantissa, exponent) = split_exponent(cell);
            let mark = mantissa.bytes().position(|byte| matches!(byte, b'.' | b','));
            let decimals = mark.map_or(0, |mark| mantissa.len() - mark - 1);
            let exponent = exponent.and_then(|exponent| exponent.parse::<i32>().ok());
            (decimals as i32).saturating_sub(exponent.unwrap_or_default()).clamp(-400, 400)
        };
        let decimals = cells().filter(Cell::is_number).map(|cell| digits(cell.text)).max();
        Numbers {
            values: cells().filter_map(|cell| Some(cell.number?.value)).collect(),
            rounding: 0.5 * 10_f64.powi(-decimals.unwrap_or_default()),
            is_blank: cells().all(|cell| cell.is_empty()),
        }
    }

    pub(super) fn has_number(cells: &[&str]) -> bool {
        cells.iter().any(|cell| number(cell).is_some())
    }

    /// Whether cells where most rows have numbers are numbers that nobody would choose as names.
    pub(super) fn has_measured_rows(&self, cells: &[&str]) -> bool {
        let at = |&column: &usize| cells.get(column).copied();
        Self::has_measured(&self.core.iter().filter_map(at).collect::<Vec<_>>())
    }

    /// Whether a cell is a number that nobody would choose as a name.
    pub(super) fn has_measured(cells: &[&str]) -> bool {
        cells.iter().any(|cell| number(cell).is_some() && !cell.bytes().all(|b| b.is_ascii_digit()))
    }

    /// Whether the cells of a row are 0, 1, 2 and so on.
    pub(super) fn is_numbered_from_zero(&self, line: usize) -> bool {
        let row = self.row(line);
        !row.is_empty()
            && row.iter().enumerate().all(|(index, cell)| cell.text == index.to_string())
    }

    /// Whether the rows below a line have numbers that are written with a fraction. `3,5e+01` has none to
    /// the right of its comma.
    pub(super) fn has_fractions_below(&self, line: usize) -> bool {
        let has_fraction =
            |cell: &Cell<'_>| cell.is_number() && !is_whole(split_exponent(cell.text).0);
        self.rows_from(line + 1).flatten().any(has_fraction)
    }

    /// Whether the numbers of some rows from a line on are written in another way than those below: all
    /// of them whole above fractions or the reverse, or, of one row, one with other digits after the point
    /// than all below it have. Names of columns may be numbers.
    pub(super) fn first_rows_differ(&self, line: usize, rows: usize) -> bool {
        let below =
            |column: usize| self.rows_from(line).skip(rows).map(move |row| row[column].text);
        let differs = |(column, cell): (usize, &Cell<'_>)| {
            below(column).all(|other| is_whole(other) != is_whole(cell.text))
        };
        let is_of_fixed_digits = |(column, cell): (usize, &Cell<'_>)| {
            let mut forms = below(column).map(form);
            forms.next().is_some_and(|first| {
                first != (0, false) && first != form(cell.text) && forms.all(|other| other == first)
            })
        };
        let above = || self.rows_from(line).take(rows);
        self.rows_from(line).nth(rows + 1).is_some()
            && (above().all(|row| row.iter().enumerate().all(differs))
                || rows == 1
                    && above().flat_map(|row| row.iter().enumerate()).any(is_of_fixed_digits))
    }

    /// Whether there are rows below a line and all their numbers are written like that.
    pub(super) fn has_only_fractions_below(&self, line: usize) -> bool {
        let mut numbers = self.rows_from(line + 1).flatten().filter(|cell| cell.is_number());
        let mut any = false;
        numbers.all(|cell| {
            any = true;
            !is_whole(cell.text)
        }) && any
    }
}

/// Whether a cell begins like a number and is none, and no date or time.
pub(super) fn is_torn(cell: &Cell<'_>) -> bool {
    if cell.is_number() {
        return false;
    }
    let cell = cell.text;
    let begins = cell.trim_start_matches(SIGNS).trim_start_matches('.');
    let is_date = cell.contains(':') || begins.contains(['-', '/']);
    begins.starts_with(|c: char| c.is_ascii_digit()) && !is_date && seconds(cell).is_none()
}

/// Whether a number is written without a fraction and an exponent.
pub(super) fn is_whole(cell: &str) -> bool {
    cell.trim_start_matches(SIGNS).bytes().all(|b| b.is_ascii_digit())
}

/// How a number is written: the digits after the point, and whether it has an exponent.
fn form(cell: &str) -> (usize, bool) {
    let (mantissa, exponent) = split_exponent(cell);
    let decimals = mantissa.split_once(['.', ',']).map_or(0, |(_, decimals)| decimals.len());
    (decimals, exponent.is_some())
}

fn count_numbers(cells: &[Cell<'_>]) -> usize {
    cells.iter().filter(|cell| cell.is_number()).count()
}

/// The most frequent of some counts; of equally frequent ones the first.
fn most_frequent(counts: impl Iterator<Item = usize>) -> Option<usize> {
    let mut tally: Vec<(usize, usize)> = Vec::new();
    for count in counts {
        match tally.iter_mut().find(|(known, _)| *known == count) {
            Some((_, times)) => *times += 1,
            None => tally.push((count, 1)),
        }
    }
    let most = tally.iter().map(|(_, times)| *times).max()?;
    tally.into_iter().find(|(_, times)| *times == most).map(|(count, _)| count)
}
