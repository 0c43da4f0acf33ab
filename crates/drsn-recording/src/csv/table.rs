//! The rows of a table, read one at a time.

use ndarray::ArrayView1;

use super::{
    cells::number,
    clock::Clock,
    decimals::Decimals,
    grid::is_blank_or_comment,
    layout::{Layout, Role},
    shown,
};
use crate::{
    ChannelId, Limits, Notice, NoticeCode, RateSource, Recording, RecordingError, Selection,
    select::{check_finite, stack},
};

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
    notices: Vec<Notice>,
    limits: Limits,
}

impl Table {
    pub(super) fn new(
        mut layout: Layout,
        selection: &Selection,
        limits: &Limits,
    ) -> Result<Self, RecordingError> {
        adopt_named(&mut layout, selection);
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
        let clock = clock(&layout);
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
            limits: *limits,
        })
    }

    /// Rows so far.
    pub(super) fn rows(&self) -> usize {
        self.rows as usize
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
        if is_blank_or_comment(text) {
            self.skip(line);
            return Ok(());
        }
        match self.row(line, text) {
            // Spreadsheets write rows of separators alone.
            Err(_) if self.layout.separator.is_blank(text) => {
                self.drop_row();
                self.skip(line);
                Ok(())
            }
            Err(error) if !is_whole => self.cut(error),
            read => read,
        }
    }

    /// Counts a line that is no row.
    fn skip(&mut self, line: u64) {
        self.blank = (self.blank.0 + 1, if self.blank.0 == 0 { line } else { self.blank.1 });
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
        if self.blank.0 > 0 {
            let first = if self.skipped.0 == 0 { self.blank.1 } else { self.skipped.1 };
            // Blank lines above the first row belong to the header.
            if self.rows > 1 {
                self.skipped = (self.skipped.0 + self.blank.0, first);
            }
            self.blank = (0, 0);
        }
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
                    self.decimals.add(cell, number);
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

    pub(super) fn finish(mut self) -> Result<Recording, RecordingError> {
        if self.rows == 0 {
            return Err(RecordingError::Empty);
        }
        self.decimals.check(self.layout.separator)?;
        for (channel, &source) in self.channels.iter().zip(&self.sources) {
            check_finite(source, 0, &ArrayView1::from(channel))?;
        }
        if let (count @ 1.., first) = self.skipped {
            let lines = if count == 1 { "line" } else { "lines" };
            self.notices.push(NoticeCode::LinesSkipped.because(format!(
                "{count} blank or commented {lines} between the rows, from line {first} on, were left out"
            )));
        }
        let rate = self.rate();
        Ok(Recording {
            samples: stack(self.channels),
            names: self.names,
            sample_rate_hz: rate.map(|(rate, _)| rate),
            rate_source: rate.map_or(RateSource::Stated, |(_, source)| source),
            variable: None,
            notices: self.notices,
        })
    }

    /// The sample rate: of the column of times, or else as stated above the table.
    fn rate(&mut self) -> Option<(f64, RateSource)> {
        let stated = self.layout.stated_rate.map(|rate| (rate, RateSource::Stated));
        let Some(clock) = &self.clock else { return stated };
        let reading = clock.reading(&self.layout.columns[clock.column].name);
        self.notices.extend(reading.notice);
        match (reading.rate, stated) {
            (None, stated) => stated,
            // The statement tells the unit of the times, too.
            (Some((_, RateSource::ClockWithoutUnit)), Some(stated)) => Some(stated),
            (Some((rate, source)), Some((stated, _))) if (rate - stated).abs() > 0.01 * rate => {
                self.notices.push(NoticeCode::UnevenClock.because(format!(
                    "the lines before the table state {stated} Hz, and its times say {rate} Hz, which was taken"
                )));
                Some((rate, source))
            }
            (Some((_, RateSource::Clock)), Some(stated)) => Some(stated),
            (told, _) => told,
        }
    }
}

/// Makes columns signals that were taken for something else by their content, if the selection
/// names them, and columns without numbers if there are no others: their first cell is the mistake.
fn adopt_named(layout: &mut Layout, selection: &Selection) {
    let has_signals = layout.columns.iter().any(|column| column.role == Role::Signal);
    for column in &mut layout.columns {
        let is_named = |id: &ChannelId| matches!(id, ChannelId::Name(name) if *name == column.name);
        if column.is_by_content()
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

/// The column of times: the first one whose unit is known, or else the first.
fn clock(layout: &Layout) -> Option<Clock> {
    let times = || {
        layout.columns.iter().enumerate().filter_map(|(index, column)| match column.role {
            Role::Time { unit } => Some((index, unit)),
            Role::Signal | Role::Counter | Role::NoNumbers => None,
        })
    };
    let (column, unit) = times().find(|(_, unit)| unit.is_some()).or_else(|| times().next())?;
    Some(Clock::new(column, unit))
}
