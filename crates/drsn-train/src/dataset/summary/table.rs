//! A table in plain text.

/// The most rows that are shown of a table; those in its middle are counted.
const SHOWN: usize = 40;
/// Rows that are shown at the end of a longer table.
const LAST: usize = 4;

/// Aligns rows of equally many cells: the first column to the left, the others to the right.
pub(super) fn table(rows: &[Vec<String>]) -> Vec<String> {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let line = |row: &Vec<String>| {
        let cells = row.iter().enumerate().map(|(column, cell)| match (column, width(column)) {
            (0, width) => format!("{cell:<width$}"),
            (_, width) => format!("{cell:>width$}"),
        });
        cells.collect::<Vec<_>>().join("  ")
    };
    if rows.len() <= SHOWN {
        return rows.iter().map(line).collect();
    }
    let (first, rest) = rows.split_at(SHOWN - LAST);
    let (left_out, last) = rest.split_at(rest.len() - LAST);
    let more = format!("… {} more classes", left_out.len());
    first.iter().map(line).chain([more]).chain(last.iter().map(line)).collect()
}
