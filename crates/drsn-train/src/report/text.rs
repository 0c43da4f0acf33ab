//! Tables for terminals and HTML reports.

use crate::evaluation::Scores;

/// A table: the first column is left-aligned, the others are right-aligned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Table {
    /// Headings of the columns.
    pub(super) head: Vec<String>,
    /// Cells of each row.
    pub(super) rows: Vec<Vec<String>>,
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

    /// The table as text, with aligned columns and one line for each row.
    pub(super) fn text(&self) -> String {
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

/// Replaces control characters: names are user input, and terminals execute escape sequences.
pub(super) fn plain(cell: &str) -> String {
    cell.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Escapes text for an element or a quoted attribute.
pub(super) fn escape(text: &str) -> String {
    plain(text)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

/// Formats a share in percent with two decimals.
pub(super) fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}

/// Formats a share in percent, or `None` as a dash.
pub(super) fn share(share: Option<f64>) -> String {
    share.map_or_else(|| "–".to_owned(), percent)
}

/// Formats a number with three decimals, or `None` as a dash.
pub(super) fn decimal(number: Option<f64>) -> String {
    number.map_or_else(|| "–".to_owned(), |number| format!("{number:.3}"))
}

/// Formats the bounds of an interval in percent.
pub(super) fn bounds([low, high]: [f64; 2]) -> String {
    format!("{:.2} to {}", 100.0 * low, percent(high))
}

/// Formats the interval of a calibration error.
pub(super) fn error_bounds(interval: Option<[f64; 2]>) -> String {
    interval.map_or_else(|| "–".to_owned(), bounds)
}

/// Formats the interval of an accuracy, or says why there is none.
pub(super) fn interval(scores: &Scores) -> String {
    let unit = scores.independent.map(|of| of.unit).unwrap_or_default();
    scores.interval.map_or_else(|| format!("too few {}", unit.plural()), bounds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_by_characters_and_escape_sequences_are_replaced() {
        let mut table = Table::new("name");
        table.columns(["a".to_owned(), "long".to_owned()]);
        table.row("Ärger\u{1b}[31m", ["1".to_owned(), "–".to_owned()]);
        assert_eq!(table.text(), "name        a  long\nÄrger\u{fffd}[31m  1     –\n");
    }
}
