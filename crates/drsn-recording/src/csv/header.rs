//! The names and units above a table.

use super::{
    cells::number,
    clock::time_of_day,
    grid::{Grid, is_blank_or_comment, is_comment},
    lines::Line,
    names::{Meaning, are_units, meaning},
    preamble::rate,
};
use crate::{Notice, NoticeCode, RecordingError};

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
            let names: Vec<_> = grid
                .separator
                .split(lines[line].trim_start_matches(['#', '%', '/', ' ']))
                .collect();
            let fits = names.len() > 1 && names.len() == grid.columns(first_row);
            if fits && !Grid::has_number(&names) {
                header = Self { names, top: line, ..header };
            }
            return Ok(header.or_numbers(grid));
        }
        let cells: Vec<_> = grid.separator.split(lines[line]).collect();
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
            && let Some(named) = grid.names(grid.separator.split(lines[higher]).collect())
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
            self.doubt = grid.differs_from_rows_below(self.first_row).then(|| {
                format!(
                    "the first row, `{}`, is written otherwise than the numbers below it, and was read as samples; if it names the columns, leave it out with skip_lines",
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
    pub(super) fn notices(&self, lines: &[Line]) -> Vec<Notice> {
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

/// Whether a name is made of digits and what may stand between them.
fn is_of_digits(name: &str) -> bool {
    name.contains(|c: char| c.is_ascii_digit()) && !name.contains(char::is_alphabetic)
        || number(name).is_some()
}
