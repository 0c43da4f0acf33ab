//! The rows of a table, read one at a time.

mod finish;

use super::{
    cells::number,
    clock::Clock,
    clocks,
    decimals::Decimals,
    grid::is_blank_or_comment,
    layout::{Column, Layout, Role},
    segments::{Segments, is_footer},
    shown,
};
use crate::{Limits, Notice, NoticeCode, RecordingError, Selection};

/// What Octave writes above each variable in its text format.
const OCTAVE_VARIABLE: &str = "# name: ";

/// What is read of a column.
#[derive(Debug, Clone, PartialEq)]
enum Use {
    Nothing,
    Clock,
    /// Positions among the selected channels that its cells belong to.
    Channels(Vec<usize>),
}

/// The part of a table read so far.
pub(super) struct Table {
    layout: Layout,
    uses: Vec<Use>,
    /// Samples of each selected channel.
    channels: Vec<Vec<f32>>,
    names: Vec<Option<String>>,
    /// Positions of the selected channels among the signals.
    sources: Vec<usize>,
    clock: Option<Clock>,
    decimals: Decimals,
    rows: u64,
    /// The number of blank lines since the last row, and the first one.
    blank: (u64, u64),
    /// The same of blank lines and comments between rows.
    skipped: (u64, u64),
    segments: Segments,
    /// What is wrong with the first line below the rows, unless they end there.
    footer: Option<RecordingError>,
    notices: Vec<Notice>,
    limits: Limits,
}

impl Table {
    pub(super) fn new(
        mut layout: Layout,
        segments: Segments,
        selection: &Selection,
        limits: &Limits,
    ) -> Result<Self, RecordingError> {
        layout.adopt_named(selection);
        let with = |role: fn(&Role) -> bool| {
            let columns = layout.columns.iter().enumerate();
            columns.filter(move |(_, column)| role(&column.role)).map(|(index, _)| index)
        };
        let signals: Vec<usize> = with(|role| *role == Role::Signal).collect();
        if signals.is_empty() {
            return Err(RecordingError::Empty);
        }
        let name = |&column: &usize| layout.columns[column].name.clone();
        let mut names: Vec<String> = signals.iter().map(name).collect();
        if names.iter().all(String::is_empty) {
            names.clear();
        }
        let sources = selection.channels(signals.len(), &names)?;
        let mut uses = vec![Use::Nothing; layout.columns.len()];
        for (position, &source) in sources.iter().enumerate() {
            match &mut uses[signals[source]] {
                Use::Channels(positions) => positions.push(position),
                unused @ (Use::Nothing | Use::Clock) => *unused = Use::Channels(vec![position]),
            }
        }
        let columns: Vec<usize> = sources.iter().map(|&source| signals[source]).collect();
        let clock = clocks::clock(&layout, &columns)?;
        if let Some(clock) = &clock {
            uses[clock.column] = Use::Clock;
        }
        // A name that several columns have names none of them: by it, another would be read.
        let is_unique = |name: &&String| names.iter().filter(|other| other == name).count() == 1;
        let name = |&source: &usize| {
            names.get(source).filter(|name| !name.is_empty()).filter(is_unique).cloned()
        };
        Ok(Self {
            channels: vec![Vec::new(); sources.len()],
            names: sources.iter().map(name).collect(),
            notices: std::mem::take(&mut layout.notices),
            layout,
            uses,
            sources,
            clock,
            decimals: Decimals::default(),
            rows: 0,
            blank: (0, 0),
            skipped: (0, 0),
            segments,
            footer: None,
            limits: *limits,
        })
    }

    /// Rows so far.
    pub(super) fn rows(&self) -> usize {
        self.rows as usize
    }

    /// Whether a line is a row of numbers, wherever it stands.
    pub(super) fn is_row(&self, text: &str) -> bool {
        let cells: Vec<&str> = self.layout.separator.split(text).collect();
        let columns = self.layout.columns.iter().zip(&self.uses);
        let is_read = |((column, used), cell): ((&Column, &Use), &&str)| match used {
            Use::Channels(_) => number(cell).is_some(),
            Use::Nothing | Use::Clock => !column.is_blank || cell.is_empty(),
        };
        cells.len() >= self.uses.len() && columns.zip(&cells).all(is_read)
    }

    /// Whether its lines may be channels.
    pub(super) fn is_wide(&self) -> bool {
        self.layout.is_wide()
    }

    /// Whether its columns have names.
    pub(super) fn is_named(&self) -> bool {
        self.layout.columns.iter().any(|column| !column.name.is_empty())
    }

    /// Whether it begins with the first line, beyond doubt.
    pub(super) fn is_clear(&self) -> bool {
        let is_doubt = |notice: &Notice| {
            matches!(notice.code, NoticeCode::LinesSkipped | NoticeCode::HeaderAssumed)
        };
        !self.notices.iter().any(is_doubt)
    }

    /// Reads a line; `is_whole` is false for one at which the file may have been cut.
    pub(super) fn line(
        &mut self,
        line: u64,
        text: &str,
        is_whole: bool,
    ) -> Result<(), RecordingError> {
        if self.rows > 0 && text.starts_with(OCTAVE_VARIABLE) {
            return Err(RecordingError::Unsupported(format!(
                "it has several variables of Octave, the second one in line {line}: save the signal alone, or with `save -v7`"
            )));
        }
        if is_blank_or_comment(text) || self.segments.is_header(text) {
            self.skip(line);
            return Ok(());
        }
        if self.rows > 2 && self.is_labelled(text) {
            self.skip(line);
            let cell = shown(self.layout.separator.split(text).next().unwrap_or_default());
            self.footer.get_or_insert(RecordingError::NotNumeric { line, column: 1, cell });
            return Ok(());
        }
        match self.row(line, text) {
            Ok(()) => {
                self.skip_blank();
                self.footer.take().map_or(Ok(()), Err)
            }
            // Spreadsheets write rows of separators alone.
            Err(_) if self.layout.separator.is_blank(text) => {
                self.drop_row();
                self.skip(line);
                Ok(())
            }
            Err(error) if self.rows > 2 && self.is_footer(text) => {
                self.drop_row();
                self.skip(line);
                self.footer.get_or_insert(error);
                Ok(())
            }
            Err(error) if !is_whole => self.cut(error),
            Err(error) => Err(error),
        }
    }

    fn is_footer(&self, text: &str) -> bool {
        is_footer(text, self.layout.separator.split(text).count(), self.layout.columns.len())
    }

    /// Whether a line has a word where all rows have their numbers or times, before the signals: `Mean`
    /// below a table.
    fn is_labelled(&self, text: &str) -> bool {
        let numbers_rows = |column: &Column| {
            column.step.is_some() && matches!(column.role, Role::Counter | Role::Time { .. })
        };
        // Most lines begin with a digit.
        !text.as_bytes().first().is_some_and(u8::is_ascii_digit)
            && self.layout.columns.first().is_some_and(numbers_rows)
            && self.layout.separator.split(text).next().is_some_and(|cell| {
                !cell.is_empty() && !cell.bytes().any(|byte| byte.is_ascii_digit())
            })
    }

    /// Counts a line that is no row.
    fn skip(&mut self, line: u64) {
        self.blank = (self.blank.0 + 1, if self.blank.0 == 0 { line } else { self.blank.1 });
    }

    /// Takes the blank lines above a row to be between rows. Those above the first one belong to the
    /// header.
    fn skip_blank(&mut self) {
        let (count, line) = std::mem::take(&mut self.blank);
        if count > 0 && self.rows > 1 {
            let first = if self.skipped.0 == 0 { line } else { self.skipped.1 };
            self.skipped = (self.skipped.0 + count, first);
        }
    }

    /// Drops the cells of a row that could not be read to its end.
    fn drop_row(&mut self) {
        self.rows -= 1;
        let rows = self.rows as usize;
        self.channels.iter_mut().for_each(|channel| channel.truncate(rows));
    }

    /// Takes the end of a file that was cut within its last row, whose cells are dropped.
    pub(super) fn cut(&mut self, error: RecordingError) -> Result<(), RecordingError> {
        let is_cut =
            matches!(error, RecordingError::Ragged { .. } | RecordingError::NotNumeric { .. });
        if !is_cut || self.rows < 2 {
            return Err(error);
        }
        self.drop_row();
        let rows = self.rows;
        self.notices.push(NoticeCode::Truncated.because(format!(
            "the file ends within a row ({error}); the {rows} rows before it were read"
        )));
        Ok(())
    }

    fn row(&mut self, line: u64, text: &str) -> Result<(), RecordingError> {
        self.rows += 1;
        self.limits.check_shape([self.rows, self.layout.columns.len() as u64])?;
        let (mut found, mut time) = (0, None);
        for cell in self.layout.separator.split(text) {
            let column = found;
            found += 1;
            match self.uses.get(column) {
                Some(Use::Nothing) => {}
                None if cell.is_empty() => {}
                None => return Err(self.ragged(line, text)),
                Some(Use::Clock) => time = Some(cell),
                Some(Use::Channels(positions)) => {
                    let number = number(cell).ok_or_else(|| RecordingError::NotNumeric {
                        line,
                        column: found,
                        cell: shown(cell),
                    })?;
                    self.decimals.add(column, cell, number);
                    for &position in positions {
                        if let Some(samples) = self.channels.get_mut(position) {
                            samples.push(number.value as f32);
                        }
                    }
                }
            }
        }
        if found < self.layout.columns.len() {
            return Err(self.ragged(line, text));
        }
        // Only of a whole row: the file may be cut within the time.
        if let (Some(clock), Some(time)) = (&mut self.clock, time) {
            clock.tick(time, line);
        }
        Ok(())
    }

    fn ragged(&self, line: u64, text: &str) -> RecordingError {
        let found = self.layout.separator.split(text).count();
        RecordingError::Ragged { line, found, expected: self.layout.columns.len() }
    }
}
