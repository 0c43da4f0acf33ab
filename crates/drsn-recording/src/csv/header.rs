//! The names and units above a table.

use super::{
    cells::number,
    clock::{seconds, time_of_day},
    grid::{Grid, SIGNS, is_blank_or_comment, is_comment, is_torn, is_whole},
    lines::Line,
    names::{Meaning, are_units, meaning},
    preamble::rate,
    separator::Separator,
};
use crate::{Notice, NoticeCode, RecordingError};

/// Most rows of numbers above a table that are looked at as no rows of it: a count, a rate and so on.
const MOST_ABOVE: usize = 4;

/// The names and units above a table.
#[derive(Debug, Default)]
pub(super) struct Header<'a> {
    pub(super) names: Vec<&'a str>,
    pub(super) units: Vec<&'a str>,
    /// The first of its lines, or else the first row.
    pub(super) top: usize,
    pub(super) first_row: usize,
    /// What is doubtful about it.
    pub(super) doubt: Option<String>,
}

impl<'a> Header<'a> {
    pub(super) fn above(lines: &[&'a str], grid: &Grid<'a>) -> Result<Self, RecordingError> {
        let first_row = grid.first_row;
        let is_empty = |line: &str| grid.separator.is_blank(line);
        let above = |line: usize| (0..line).rev().find(|&line| !is_empty(lines[line]));
        let mut header = Self { top: first_row, first_row, ..Self::default() };
        let Some(mut line) = above(first_row) else { return Ok(header.or_numbers(grid)) };
        if is_comment(lines[line]) {
            let names =
                grid.separator.split_names(lines[line].trim_start_matches(['#', '%', '/', ' ']));
            let fits = names.len() > 1 && names.len() == grid.columns(first_row);
            if fits && !Grid::has_number(&names) {
                header = Self { names, top: line, ..header };
            }
            return Ok(header.or_numbers(grid));
        }
        let cells = grid.separator.split_names(lines[line]);
        let Some(mut names) = grid.names(cells.clone()) else {
            let texts = cells.iter().filter(|cell| !cell.is_empty()).count();
            if texts > 1 && !Grid::has_number(&cells) {
                let reason = format!(
                    "the line above its rows (`{}`) has {texts} names, and the rows have {} columns",
                    super::shown(lines[line]),
                    grid.columns(first_row)
                );
                return Err(RecordingError::NoTable { reason, skip_lines: None });
            }
            return Ok(header.or_numbers(grid));
        };
        let is_preamble = names.iter().any(|name| time_of_day(name).is_some())
            || rate(lines[line]).is_some() && (names.len() == 1 || Grid::has_number(&names));
        if is_preamble {
            return Ok(header.or_numbers(grid));
        }
        if are_units(names.iter().copied())
            && let Some(higher) = above(line).filter(|&line| !is_comment(lines[line]))
            && let Some(named) = grid.names(grid.separator.split_names(lines[higher]))
        {
            header.units = std::mem::replace(&mut names, named);
            line = higher;
        }
        if grid.has_measured_rows(&names) {
            // Decimals are no names: it is a line of the preamble, or a row with a mistake.
            let first_row = if rate(lines[line]).is_some() { first_row } else { line };
            let doubt = (first_row == line)
                .then(|| format!("`{}` was read as a row of numbers", lines[line].trim()));
            return Ok(Self { top: first_row, first_row, doubt, ..header });
        }
        if header.units.is_empty()
            && names.iter().any(|name| is_of_digits(name))
            && !names
                .iter()
                .any(|name| matches!(meaning(name, None), Meaning::Time { .. } | Meaning::Counter))
        {
            header.doubt =
                Some(format!("`{}` was taken as the names of the columns", lines[line].trim()));
        }
        Ok(Self { names, top: line, ..header })
    }

    /// pandas numbers columns without names from 0. Then there is no number like that in the rows
    /// below.
    fn or_numbers(mut self, grid: &Grid<'a>) -> Self {
        if !self.names.is_empty() {
            return self;
        }
        if !grid.is_numbered_from_zero(self.first_row) {
            self.doubt = (1..=MOST_ABOVE).find(|&rows| grid.first_rows_differ(self.first_row, rows)).map(|rows| {
                let rows = if rows == 1 { "row".to_owned() } else { format!("{rows} rows") };
                format!(
                    "the first {rows}, from `{}` on, differ from the numbers below, and were read as samples; if they are no samples, leave them out with skip_lines",
                    grid.texts(self.first_row).join(", ")
                )
            });
            return self;
        }
        let names = grid.texts(self.first_row);
        let row = names.join(", ");
        self.doubt = Some(if grid.has_only_fractions_below(self.first_row) {
            self.names = names;
            self.first_row += 1;
            format!(
                "the first row, `{row}`, was taken as names of columns, as pandas writes them; a sample of zero is `0.0`"
            )
        } else {
            format!(
                "the first row, `{row}`, looks like names of columns that pandas writes, and was read as samples"
            )
        });
        self
    }

    /// What was skipped above it, and what is doubtful.
    pub(super) fn notices(&self, lines: &[Line<'_>]) -> Vec<Notice> {
        let above = lines.iter().take(self.top);
        let mut skipped = above.filter(|(_, text)| !is_blank_or_comment(text));
        let skipped = skipped.next().map(|(first, _)| {
            let count = skipped.count() + 1;
            let lines = if count == 1 { "line" } else { "lines" };
            NoticeCode::LinesSkipped.because(format!(
                "{count} {lines} before the table, from line {first} on, were left out"
            ))
        });
        let doubt = self.doubt.clone().map(|doubt| NoticeCode::HeaderAssumed.because(doubt));
        skipped.into_iter().chain(doubt).collect()
    }
}

impl<'a> Grid<'a> {
    /// The cells of a line above the table as names of the columns; `None` if they are too few or
    /// too many. One fewer than there are columns leaves the first one without a name, as in R.
    fn names(&self, mut names: Vec<&'a str>) -> Option<Vec<&'a str>> {
        let columns = self.columns(self.first_row);
        let is_none =
            |name: &str| name.is_empty() || is_statement(name) || Self::has_measured(&[name]);
        while names.len() > columns && names.last().is_some_and(|name| is_none(name)) {
            names.pop();
        }
        // R writes no name above the names of rows, not even an empty one.
        let lacks_one = names.len() + 1 == columns && names.iter().all(|name| !name.is_empty());
        if lacks_one && self.may_have_row_names() {
            names.insert(0, "");
        }
        // A named column may be empty so far.
        ((columns..=self.cells).contains(&names.len())
            && names.iter().any(|name| {
                !name.trim_matches('\'').is_empty() && number(name).is_none() && !is_missing(name)
            })
            || !lacks_one && self.is_numbered(&names))
        .then_some(names)
    }

    /// Whether the first column can be one without a name: it counts the rows or is text, and is not
    /// what a decimal comma or a wrong separator has torn off.
    fn may_have_row_names(&self) -> bool {
        let first = self.numbers(0, self.first_row);
        let begins_as_number =
            |cell: &str| cell.starts_with(|c: char| c.is_ascii_digit() || SIGNS.contains(&c));
        // Colons separate numbers, too, if it is no time.
        let has_colons =
            |cell: &str| begins_as_number(cell) && cell.contains(':') && seconds(cell).is_none();
        if self.rows_from(self.first_row).any(|row| is_torn(&row[0]) || has_colons(row[0].text)) {
            return false;
        }
        let commas = self.separator == Separator::Comma;
        (first.is_empty() || first.count()) && (!commas || self.has_fractions_below(self.first_row))
    }

    /// Whether all names but the first, which is empty, are numbers: an index without a name.
    fn is_numbered(&self, names: &[&str]) -> bool {
        names.len() > 1
            && names.len() == self.columns(self.first_row)
            && names[0].is_empty()
            && names[1..].iter().all(|name| !name.is_empty() && is_whole(name))
    }
}

/// Whether a cell of the header, after the names, states something of the samples: scopes and
/// `LabVIEW` write it beside them.
fn is_statement(cell: &str) -> bool {
    cell.contains('=')
        || ["start", "increment", "comment"].iter().any(|name| cell.eq_ignore_ascii_case(name))
}

/// Whether a cell is a word that programs write for a value that is missing. Alone above the rows it is
/// the first of them, and no name.
fn is_missing(cell: &str) -> bool {
    ["null", "na", "n/a", "#n/a", "none", "nil", "missing", "-", "--"]
        .iter()
        .any(|word| cell.eq_ignore_ascii_case(word))
}

/// Whether a name is made of digits and what may stand between them.
fn is_of_digits(name: &str) -> bool {
    name.contains(|c: char| c.is_ascii_digit()) && !name.contains(char::is_alphabetic)
        || number(name).is_some()
}
