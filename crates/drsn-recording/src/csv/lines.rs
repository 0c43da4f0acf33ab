//! The lines of a table, one at a time, without comments, blank lines at the end, byte-order marks
//! and carriage returns.

use std::io::{BufRead, Read as _, Take};

use super::malformed;
use crate::{Limits, RecordingError};

/// Longest line, in bytes: enough for a thousand columns.
const MAX_LINE_BYTES: u64 = 1 << 16;

/// Bytes between two looks at the clock: less than a millisecond of usual ones.
const BYTES_PER_LOOK: usize = 1 << 15;

/// The lines with cells.
pub(super) struct Lines<R> {
    reader: Take<R>,
    limits: Limits,
    bytes: Vec<u8>,
    text: String,
    number: u64,
    /// Bytes since the last look at the clock; enough for one at the start.
    unchecked: usize,
    /// Whether a line with cells was read.
    begun: bool,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(reader: R, limits: &Limits) -> Self {
        Self {
            // One more byte distinguishes the limit from the end of the file.
            reader: reader.take(limits.max_bytes.saturating_add(1)),
            limits: *limits,
            bytes: Vec::new(),
            text: String::new(),
            number: 0,
            unchecked: BYTES_PER_LOOK,
            begun: false,
        }
    }

    /// The next line with its number, from 1.
    pub(super) fn next(&mut self) -> Result<Option<(u64, &str)>, RecordingError> {
        let mut blank = None;
        loop {
            if !self.read()? {
                return Ok(None);
            }
            let comment = !self.begun && self.text.trim_start().starts_with('#');
            if self.text.trim().is_empty() {
                blank = blank.or(Some(self.number).filter(|_| self.begun));
            } else if !comment {
                break;
            }
        }
        if let Some(line) = blank {
            return Err(malformed(format!("line {line} is blank, and rows follow it: remove it")));
        }
        self.begun = true;
        Ok(Some((self.number, self.text.trim_end_matches(['\r', '\n']))))
    }

    /// Reads a line, if there is one.
    fn read(&mut self) -> Result<bool, RecordingError> {
        if self.unchecked >= BYTES_PER_LOOK {
            self.limits.check_time()?;
            self.unchecked = 0;
        }
        self.bytes.clear();
        self.reader.by_ref().take(MAX_LINE_BYTES + 1).read_until(b'\n', &mut self.bytes)?;
        if self.reader.limit() == 0 {
            let bytes = self.limits.max_bytes.saturating_add(1);
            return Err(RecordingError::TooLarge { bytes, limit: self.limits.max_bytes });
        }
        if self.bytes.is_empty() {
            return Ok(false);
        }
        self.number += 1;
        self.unchecked += self.bytes.len();
        if self.bytes.len() as u64 > MAX_LINE_BYTES {
            return Err(malformed(format!(
                "line {} is longer than {MAX_LINE_BYTES} bytes: a row holds one sample of each channel",
                self.number
            )));
        }
        let mut bytes = &self.bytes[..];
        if self.number == 1 {
            if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
                return Err(RecordingError::Unsupported(
                    "it is UTF-16 text, which is not supported: save it as UTF-8".to_owned(),
                ));
            }
            bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        }
        self.text.clear();
        // Numbers are ASCII; a header in another encoding is shown with replacement characters.
        self.text.push_str(&String::from_utf8_lossy(bytes));
        Ok(true)
    }
}
