//! Tables in text: a row for each moment, a column for each channel.
//!
//! Lines are read one at a time. The parser is our own: the crate csv knows neither decimal commas nor columns that blanks
//! separate, and lets a record grow without a limit.

mod clock;
mod lines;
mod shape;

use std::io::BufRead;

use self::{
    clock::Clock,
    lines::Lines,
    shape::{Shape, number},
};
use super::{
    Channel, Limits, Recording, RecordingError, RecordingFormat, Selection, select::check_finite,
};

/// Lines from which separator and header are told.
const LOOKED_AT: usize = 20;

pub(super) fn read(
    reader: impl BufRead,
    selection: &Selection,
    limits: &Limits,
) -> Result<Recording, RecordingError> {
    let mut lines = Lines::new(reader, limits);
    let mut first = Vec::new();
    while first.len() < LOOKED_AT
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

/// What has been read of a table.
struct Table {
    shape: Shape,
    /// For each column the places among the channels that take its cells.
    takers: Vec<Vec<usize>>,
    channels: Vec<Channel>,
    /// The channels' columns, without those of time.
    sources: Vec<usize>,
    /// The first column of time that says its unit.
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
        let mut takers = vec![Vec::new(); shape.columns];
        let mut channels = Vec::new();
        for (place, &source) in sources.iter().enumerate() {
            let column = signals.get(source).and_then(|&column| takers.get_mut(column));
            if let Some(takers) = column {
                takers.push(place);
            }
            let name = names.get(source).filter(|name| !name.is_empty()).cloned();
            channels.push(Channel { name, samples: Vec::new() });
        }
        let clock =
            shape.time.iter().find_map(|&column| Clock::of(column, shape.names.get(column)?));
        Ok(Self { shape, takers, channels, sources, clock, rows: 0, limits: *limits })
    }

    fn row(&mut self, line: u64, text: &str) -> Result<(), RecordingError> {
        self.rows += 1;
        self.limits.check_shape([self.rows, self.shape.columns as u64])?;
        let ragged = |found| RecordingError::Ragged { line, found, expected: self.shape.columns };
        let mut found = 0;
        for cell in self.shape.separator.split(text) {
            let Some(takers) = self.takers.get(found) else {
                return Err(ragged(self.shape.separator.split(text).count()));
            };
            found += 1;
            // A column of time can hold dates and the like.
            if takers.is_empty() && self.shape.time.contains(&(found - 1)) {
                if let Some(clock) = self.clock.as_mut().filter(|clock| clock.column == found - 1) {
                    clock.tick(number(cell, self.shape.separator));
                }
                continue;
            }
            let value = number(cell, self.shape.separator).ok_or_else(|| {
                RecordingError::NotNumeric { line, column: found, cell: beginning(cell) }
            })?;
            for &place in takers {
                if let Some(channel) = self.channels.get_mut(place) {
                    channel.samples.push(value as f32);
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
            check_finite(source, 0, &channel.samples)?;
        }
        let sample_rate_hz = self.clock.and_then(|clock| clock.rate());
        Ok(Recording { channels: self.channels, sample_rate_hz })
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
