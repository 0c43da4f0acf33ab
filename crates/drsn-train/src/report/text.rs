//! Tables for a terminal, which the HTML report shows too.

/// A table: the first column is left-aligned text, the others are right-aligned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    /// Heads of the columns.
    pub head: Vec<String>,
    /// Cells, row by row.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(first: &str) -> Self {
        Self { head: vec![first.to_owned()], rows: Vec::new() }
    }

    pub(super) fn columns(&mut self, names: impl IntoIterator<Item = String>) {
        self.head.extend(names);
    }

    pub(super) fn row(&mut self, name: &str, cells: impl IntoIterator<Item = String>) {
        self.rows.push(std::iter::once(name.to_owned()).chain(cells).collect());
    }

    /// The table with its columns aligned, one line a row, a line feed at the end.
    pub fn text(&self) -> String {
        let lines = || std::iter::once(&self.head).chain(&self.rows);
        let width = |column: usize| {
            lines()
                .filter_map(|line| line.get(column))
                .map(|cell| plain(cell).chars().count())
                .max()
        };
        let widths: Vec<usize> =
            (0..self.head.len()).map(|column| width(column).unwrap_or_default()).collect();
        let line = |cells: &Vec<String>| {
            let mut text = String::new();
            for (column, (cell, width)) in cells.iter().zip(&widths).enumerate() {
                let cell = plain(cell);
                let padding = " ".repeat(width.saturating_sub(cell.chars().count()));
                if column == 0 {
                    text.extend([cell.as_str(), &padding]);
                } else {
                    text.extend(["  ", &padding, &cell]);
                }
            }
            text.truncate(text.trim_end().len());
            text + "\n"
        };
        lines().map(line).collect()
    }
}

/// A cell without control characters: names are what somebody typed, and a terminal obeys escape sequences.
pub(super) fn plain(cell: &str) -> String {
    cell.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// A share as percent with two decimals.
pub(super) fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}

/// A share with four decimals, or a dash.
pub(super) fn share(share: Option<f64>) -> String {
    share.map_or_else(|| "–".to_owned(), |share| format!("{share:.4}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_by_characters_and_escape_sequences_are_shown() {
        let mut table = Table::new("name");
        table.columns(["a".to_owned(), "long".to_owned()]);
        table.row("Ärger\u{1b}[31m", ["1".to_owned(), "–".to_owned()]);
        assert_eq!(table.text(), "name        a  long\nÄrger\u{fffd}[31m  1     –\n");
    }
}
