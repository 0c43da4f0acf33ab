//! Text tables: a row for each moment, a column for each channel.
//!
//! Lines are read one at a time. The parser is our own: the crate csv supports neither decimal
//! commas nor columns separated by blanks, and does not limit the length of a record.

mod clock;
mod lines;
mod shape;

use std::io::BufRead;

use ndarray::ArrayView1;

use self::{
    clock::Clock,
    lines::Lines,
    shape::{Shape, number},
};
use crate::{
    Limits, Recording, RecordingError, RecordingFormat, Selection,
    select::{check_finite, stack},
};

/// Lines from which separator and header are detected.
const INSPECTED_LINES: usize = 20;

pub(super) fn read(
    reader: impl BufRead,
    selection: &Selection,
    limits: &Limits,
) -> Result<Recording, RecordingError> {
    let mut lines = Lines::new(reader, limits);
    let mut first = Vec::new();
    while first.len() < INSPECTED_LINES
        && let Some((number, line)) = lines.next()?
    {
        first.push((number, line.to_owned()));
    }
    let texts: Vec<&str> = first.iter().map(|(_, line)| line.as_str()).collect();
    let shape = Shape::of(&texts)?;
    let mut table = Table::new(shape, selection, limits)?;
    for (number, line) in first.iter().skip(usize::from(table.shape.header)) {
        table.row(*number, line)?;
    }
    while let Some((number, line)) = lines.next()? {
        table.row(number, line)?;
    }
    table.finish()
}

/// A column's use.
#[derive(Debug, Clone, Default)]
struct Column {
    /// Positions among the selected channels that its cells belong to.
    targets: Vec<usize>,
    is_time: bool,
}

/// The part of a table read so far.
struct Table {
    shape: Shape,
    columns: Vec<Column>,
    /// Samples of each selected channel.
    channels: Vec<Vec<f32>>,
    names: Vec<Option<String>>,
    /// Positions of the selected channels among the columns that are not time columns.
    sources: Vec<usize>,
    /// The first time column whose name has a unit.
    clock: Option<Clock>,
    rows: u64,
    limits: Limits,
}

impl Table {
    fn new(shape: Shape, selection: &Selection, limits: &Limits) -> Result<Self, RecordingError> {
        let signals: Vec<usize> =
            (0..shape.columns).filter(|column| !shape.time.contains(column)).collect();
        if signals.is_empty() {
            return Err(RecordingError::Empty);
        }
        let names: Vec<String> =
            signals.iter().filter_map(|&column| shape.names.get(column).cloned()).collect();
        let sources = selection.channels(signals.len(), &names)?;
        let mut columns = vec![Column::default(); shape.columns];
        for &time in &shape.time {
            if let Some(column) = columns.get_mut(time) {
                column.is_time = true;
            }
        }
        for (position, &source) in sources.iter().enumerate() {
            let column = signals.get(source).and_then(|&column| columns.get_mut(column));
            if let Some(column) = column {
                column.targets.push(position);
            }
        }
        let name = |&source: &usize| names.get(source).filter(|name| !name.is_empty()).cloned();
        let names = sources.iter().map(name).collect();
        let channels = vec![Vec::new(); sources.len()];
        let clock =
            shape.time.iter().find_map(|&column| Clock::of(column, shape.names.get(column)?));
        Ok(Self { shape, columns, channels, names, sources, clock, rows: 0, limits: *limits })
    }

    fn row(&mut self, line: u64, text: &str) -> Result<(), RecordingError> {
        self.rows += 1;
        self.limits.check_shape([self.rows, self.shape.columns as u64])?;
        let ragged = |found| RecordingError::Ragged { line, found, expected: self.shape.columns };
        let mut found = 0;
        for cell in self.shape.separator.split(text) {
            let Some(column) = self.columns.get(found) else {
                return Err(ragged(self.shape.separator.split(text).count()));
            };
            found += 1;
            // A time column may hold dates and the like.
            if column.is_time {
                if let Some(clock) = self.clock.as_mut().filter(|clock| clock.column == found - 1) {
                    clock.tick(number(cell, self.shape.separator));
                }
                continue;
            }
            let value = number(cell, self.shape.separator).ok_or_else(|| {
                RecordingError::NotNumeric { line, column: found, cell: beginning(cell) }
            })?;
            for &position in &column.targets {
                if let Some(samples) = self.channels.get_mut(position) {
                    samples.push(value as f32);
                }
            }
        }
        if found < self.shape.columns { Err(ragged(found)) } else { Ok(()) }
    }

    fn finish(self) -> Result<Recording, RecordingError> {
        if self.rows == 0 {
            return Err(RecordingError::Empty);
        }
        for (channel, &source) in self.channels.iter().zip(&self.sources) {
            check_finite(source, 0, &ArrayView1::from(channel))?;
        }
        let sample_rate_hz = self.clock.and_then(|clock| clock.rate());
        Ok(Recording {
            samples: stack(self.channels),
            names: self.names,
            sample_rate_hz,
            variable: None,
            notices: Vec::new(),
        })
    }
}

/// Enough of a cell to find it.
fn beginning(cell: &str) -> String {
    const SHOWN: usize = 30;
    match cell.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", cell.get(..end).unwrap_or_default()),
        None => cell.to_owned(),
    }
}

fn malformed(reason: impl Into<String>) -> RecordingError {
    RecordingError::malformed(RecordingFormat::Csv, reason)
}

#[cfg(test)]
mod tests;
