//! Columns of a table that are no signals, although they have no name to tell it: notes beside the
//! first rows, and times that are written as text.

use super::{clock::seconds, grid::Grid};

/// Rows beside which notes may stand, at most, and the share of the rows that have none.
const MOST_ROWS: usize = 32;
const SHARE: usize = 4;

impl Grid<'_> {
    /// Whether a column has cells in the first rows only: scopes write their settings and
    /// spreadsheets their sums beside the samples.
    ///
    /// A note has a label and a value in columns of their own: labels alone stand before the values
    /// of a line above the table.
    pub(super) fn is_margin(&self, column: usize, first_row: usize) -> bool {
        let beside = [column.checked_sub(1), Some(column + 1).filter(|&c| c < self.cells)];
        self.ends_early(column, first_row)
            && beside.into_iter().flatten().any(|column| self.ends_early(column, first_row))
    }

    /// Whether a column has cells in the first rows only.
    fn ends_early(&self, column: usize, first_row: usize) -> bool {
        let (mut rows, mut used) = (0, 0);
        for row in self.rows_from(first_row) {
            rows += 1;
            if !row[column].is_empty() {
                used = rows;
            }
        }
        (1..=MOST_ROWS).contains(&used) && SHARE * used <= rows
    }

    /// The first column, from 1, whose cells are all signs, of which some are minus.
    pub(super) fn column_of_signs(&self, first_row: usize) -> Option<usize> {
        let cells = |column: usize| {
            self.rows_from(first_row)
                .map(move |row| row[column].text)
                .filter(|text| !text.is_empty())
        };
        let is_minus = |cell: &str| matches!(cell, "-" | "\u{2212}");
        let is_of_signs = |&column: &usize| {
            cells(column).any(is_minus) && cells(column).all(|cell| cell == "+" || is_minus(cell))
        };
        (0..self.cells).find(is_of_signs).map(|column| column + 1)
    }

    /// Whether all cells of a column are times of day, or numbers with a unit of time.
    pub(super) fn has_times(&self, column: usize, first_row: usize) -> bool {
        let mut cells = self.rows_from(first_row).map(|row| row[column].text).peekable();
        cells.peek().is_some() && cells.all(|cell| seconds(cell).is_some())
    }
}
