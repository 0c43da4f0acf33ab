//! What a table is after its last row.

use ndarray::ArrayView1;

use super::Table;
use crate::{
    Notice, NoticeCode, RateSource, Recording, RecordingError,
    csv::marks,
    select::{check_finite, stack},
};

impl Table {
    /// The recording, after the last row.
    pub(in crate::csv) fn finish(mut self) -> Result<Recording, RecordingError> {
        if self.rows == 0 {
            return Err(RecordingError::Empty);
        }
        self.decimals.check(self.layout.separator)?;
        for (channel, &source) in self.channels.iter().zip(&self.sources) {
            check_finite(source, 0, &ArrayView1::from(channel))?;
        }
        self.notices.extend(marks::notice(&self.channels));
        self.notices.extend(self.count_above());
        if self.footer.is_some() {
            let first = self.blank.1;
            self.notices.push(
                NoticeCode::LinesSkipped.because(format!(
                    "the text below the table, from line {first} on, was left out"
                )),
            );
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

    /// Tells that the first number of a single column without a name may be the count of those below.
    fn count_above(&self) -> Option<Notice> {
        let [channel] = &self.channels[..] else { return None };
        let is_told = self.notices.iter().any(|notice| notice.code == NoticeCode::HeaderAssumed);
        let is_count = self.layout.columns.len() == 1
            && !self.is_named()
            && channel.first().is_some_and(|&first| {
                f64::from(first).total_cmp(&((self.rows - 1) as f64)).is_eq()
            });
        (is_count && !is_told && self.rows > 2).then(|| {
            NoticeCode::HeaderAssumed.because(format!(
                "the first number, {}, is the count of those below it, and was read as a sample; if it is none, leave it out with skip_lines",
                self.rows - 1
            ))
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
