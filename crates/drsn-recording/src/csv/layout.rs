//! The layout of a table, found in its first lines: the separator, the lines before the table, the
//! names and units of its columns, and what each column is.

use super::{
    grid::{Grid, is_blank_or_comment},
    header::Header,
    lines::Line,
    malformed,
    names::{Meaning, meaning, mentions_time, named_unit},
    numbers::Numbers,
    preamble::stated_rate,
    separator::Separator,
};
use crate::{ChannelId, Notice, NoticeCode, RecordingError, Selection, error::Names};

/// Columns of a table whose lines may be its channels: more than there are channels elsewhere, and as
/// many as a line can hold.
const LEAST_WIDE: usize = 65;
const MOST_WIDE: usize = 8192;

/// What a column is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Role {
    /// The samples of a channel.
    Signal,
    /// The time of each row, in a unit of so many seconds if that is known.
    Time { unit: Option<f64> },
    /// The number of each row.
    Counter,
    /// Text, or nothing.
    NoNumbers,
    /// Notes beside the first rows.
    Margin,
}

/// A column.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Column {
    /// Its name, which may be empty.
    pub(super) name: String,
    pub(super) role: Role,
    is_by_content: bool,
    /// Whether it has neither a name nor a cell that is not empty.
    pub(super) is_blank: bool,
    /// The mean step between its numbers, if it has any.
    pub(super) step: Option<f64>,
}

/// The layout of a table.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) separator: Separator,
    /// The columns, without those at the end that are empty in all rows.
    pub(super) columns: Vec<Column>,
    /// The position of the first row among the inspected lines.
    pub(super) first_row: usize,
    /// Rows among the inspected lines.
    rows: usize,
    /// The sample rate that the lines before the table state.
    pub(super) stated_rate: Option<f64>,
    pub(super) notices: Vec<Notice>,
}

impl Layout {
    /// Finds the layout in the first lines, blank ones and comments among them.
    pub(super) fn of(
        lines: &[Line<'_>],
        declared: Option<Separator>,
    ) -> Result<Self, RecordingError> {
        let texts: Vec<&str> = lines.iter().map(|(_, text)| &text[..]).collect();
        let grid = Grid::best(&texts, declared);
        let grid = grid.ok_or_else(|| no_table(&texts))?;
        let header = Header::above(&texts, &grid)?;
        let columns = columns(&grid, &header);
        if let Some(column) = grid.column_of_fractions().filter(|_| header.names.is_empty()) {
            return Err(malformed(format!(
                "its commas seem to separate columns and to mark decimals: column {column} has numbers that begin with zero; write decimal points, or separate columns by semicolons"
            )));
        }
        if let Some(column) = grid.column_of_signs(header.first_row) {
            return Err(malformed(format!(
                "column {column} has nothing but signs, which belong to the numbers beside them: write each sign and its number as one cell"
            )));
        }
        let mut notices = header.notices(lines);
        let is_named = |name: &&str| !name.is_empty();
        let all_named = !header.names.is_empty() && header.names.iter().skip(1).all(is_named);
        let is_doubtful = !all_named || grid.column_of_fractions().is_some();
        if is_doubtful && grid.has_only_whole_numbers_between_commas() {
            notices.push(NoticeCode::CommasAssumed.because(
                "its commas were taken to separate columns of whole numbers; a line of names, decimal points, or semicolons between the columns would leave no doubt",
            ));
        }
        notices.extend(skipped(&columns));
        notices.extend(may_be_a_clock(&grid, &header, &columns));
        let has_margin = columns.iter().any(|column| column.role == Role::Margin);
        Ok(Self {
            separator: grid.separator,
            columns,
            first_row: header.first_row,
            rows: grid.rows_from(header.first_row).count(),
            stated_rate: stated_rate(&texts[..header.first_row])
                .or_else(|| has_margin.then(|| stated_rate(&texts))?),
            notices,
        })
    }

    /// Makes columns signals that were taken for something else by their content, if the selection
    /// names them, and columns without numbers if there are no others: their first cell is the mistake.
    pub(super) fn adopt_named(&mut self, selection: &Selection) {
        let has_signals = self.columns.iter().any(|column| column.role == Role::Signal);
        for column in &mut self.columns {
            let is_named =
                |id: &ChannelId| matches!(id, ChannelId::Name(name) if *name == column.name);
            if column.is_by_content
                && !column.name.is_empty()
                && selection.channel.iter().any(is_named)
            {
                column.role = Role::Signal;
            }
            if !has_signals && column.role == Role::NoNumbers {
                column.role = Role::Signal;
            }
        }
    }

    /// Whether its lines may be channels and its columns moments: far more columns than rows, all of
    /// them numbers without names.
    pub(super) fn is_wide(&self) -> bool {
        let columns = self.columns.len();
        let has_few_rows = columns >= LEAST_WIDE || columns > 8 && 8 * self.rows <= columns;
        has_few_rows
            && self.rows < columns.min(LEAST_WIDE)
            && columns <= MOST_WIDE
            && self.columns.iter().all(|c| c.name.is_empty() && c.role == Role::Signal)
    }
}

/// The columns and what they are.
fn columns(grid: &Grid<'_>, header: &Header<'_>) -> Vec<Column> {
    let count = grid.columns(header.first_row).max(header.names.len());
    let mut columns: Vec<Column> = Vec::with_capacity(count);
    let mut is_before = true;
    let mut times: Vec<(&str, Vec<f64>)> = Vec::new();
    for index in 0..count {
        let name = &plain(header.names.get(index).copied().unwrap_or_default());
        let unit = header.units.get(index).copied();
        let numbers = grid.numbers(index, header.first_row);
        let meaning = if header.names.is_empty() { Meaning::Other } else { meaning(name, unit) };
        // Without a name, only the columns before the first signal may be times or numbers of rows.
        let is_named = meaning == Meaning::Counter && !name.is_empty();
        // The same times before each channel.
        let again = |(known, values): &(&str, Vec<f64>)| {
            !name.is_empty() && known == name || *values == numbers.values
        };
        let is_again = !numbers.is_empty() && times.iter().any(again);
        let may_be_clock = count > 1 && (is_named || is_before || is_again || mentions_time(name));
        // Texts without a name may be names of rows, and what a wrong separator has torn off.
        let meaning = if name.is_empty() && numbers.is_empty() { Meaning::Other } else { meaning };
        let (role, is_by_content) = match role(meaning, &numbers, may_be_clock) {
            (Role::NoNumbers, _) if count > 1 && grid.has_times(index, header.first_row) => {
                (Role::Time { unit: None }, true)
            }
            (Role::Signal | Role::NoNumbers, _) if grid.is_margin(index, header.first_row) => {
                (Role::Margin, true)
            }
            (Role::Time { unit: None }, true) => {
                (Role::Time { unit: named_unit(name, unit) }, true)
            }
            decided => decided,
        };
        is_before &= role != Role::Signal;
        let is_blank = name.is_empty() && numbers.is_blank;
        let step = numbers.mean_step();
        if matches!(role, Role::Time { .. }) {
            times.push((header.names.get(index).copied().unwrap_or_default(), numbers.values));
        }
        columns.push(Column { name: name.to_owned(), role, is_by_content, is_blank, step });
    }
    // The last one is the signal, whatever it looks like, unless it is called the time of another.
    let has_signal = columns.iter().any(|column| column.role == Role::Signal);
    if let Some(last) = columns.last_mut()
        && last.is_by_content
        && last.step.is_some()
        && last.role != Role::Margin
        && !(has_signal && mentions_time(&last.name))
    {
        *last = Column { role: Role::Signal, is_by_content: false, ..last.clone() };
    }
    columns
}

/// A name without the apostrophes around it, and with one quote for two.
fn plain(name: &str) -> String {
    let inner = name.strip_prefix('\'').and_then(|name| name.strip_suffix('\''));
    inner.unwrap_or(name).replace("\"\"", "\"")
}

/// Tells that the first column may count the rows or be their time, if there are too few to know.
fn may_be_a_clock(grid: &Grid<'_>, header: &Header<'_>, columns: &[Column]) -> Option<Notice> {
    let is_doubtful = columns.len() > 1
        && header.names.is_empty()
        && columns.first().is_some_and(|first| first.role == Role::Signal)
        && grid.numbers(0, header.first_row).may_count_or_advance();
    is_doubtful.then(|| {
        NoticeCode::HeaderAssumed.because(
            "the first column may number the rows or tell their time, and was read as a channel; a line of names would leave no doubt",
        )
    })
}

/// What a column is, by what its name means and the `numbers` in it, and whether the latter decide.
fn role(meaning: Meaning, numbers: &Numbers, may_be_clock: bool) -> (Role, bool) {
    match meaning {
        Meaning::Time { unit } if !numbers.oscillate() => (Role::Time { unit }, false),
        Meaning::Counter if numbers.is_empty() || may_be_clock && numbers.count() => {
            (Role::Counter, false)
        }
        _ if numbers.is_empty() => (Role::NoNumbers, true),
        _ if may_be_clock && numbers.are_enough() && numbers.count() => (Role::Counter, true),
        _ if may_be_clock && numbers.advance_evenly() => (Role::Time { unit: None }, true),
        Meaning::Time { .. } | Meaning::Counter | Meaning::Other => (Role::Signal, false),
    }
}

/// Tells which columns were left out for what is in them.
fn skipped(columns: &[Column]) -> Option<Notice> {
    let reasons: Vec<String> = (1..)
        .zip(columns)
        .filter(|(_, column)| column.is_by_content)
        .filter(|(_, column)| !column.is_blank)
        .map(|(number, Column { name, role, .. })| {
            let what = match role {
                Role::Counter => "numbers the rows",
                Role::Time { .. } => "advances evenly, like time",
                Role::Margin => "has cells beside the first rows only",
                Role::Signal | Role::NoNumbers => "has no numbers",
            };
            if name.is_empty() {
                format!("column {number} {what}")
            } else {
                format!("{name} {what}")
            }
        })
        .collect();
    let begin = match reasons.len() {
        0 => return None,
        1 => "a column was left out",
        _ => "columns were left out",
    };
    let reasons: Names = reasons.into_iter().collect();
    Some(NoticeCode::ColumnsSkipped.because(format!("{begin}: {reasons}")))
}

fn no_table(lines: &[&str]) -> RecordingError {
    if lines.iter().all(|line| is_blank_or_comment(line)) {
        return RecordingError::Empty;
    }
    let shown = lines.iter().find(|line| !line.trim().is_empty()).copied().unwrap_or_default();
    let reason = format!(
        "its first {} lines have no rows of numbers (the first one is `{}`)",
        lines.len(),
        super::shown(shown)
    );
    RecordingError::NoTable { reason, skip_lines: None }
}
