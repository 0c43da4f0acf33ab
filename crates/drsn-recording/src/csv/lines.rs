//! The lines of a text, one at a time, whatever ends them, and in whatever of the usual encodings.

use std::{
    borrow::Cow,
    io::{BufRead, ErrorKind, Read as _, Take},
};

use memchr::{memchr, memrchr};

use super::{malformed, utf_16::Utf8};
use crate::{Limits, RecordingError};

/// Longest line, in bytes: enough for a thousand columns.
const MAX_LINE_BYTES: u64 = 1 << 16;

/// Bytes from the start in which the ends of lines are looked for.
const LOOKED_AT: usize = 1 << 16;

/// Most bytes of whole lines that are taken at once.
const MAX_BLOCK_BYTES: u64 = 1 << 14;

/// Lines that are read one by one after some that were not plain, before more are taken at once.
const LINES_ONE_BY_ONE: u32 = 64;

/// Bytes between two looks at the clock: less than a millisecond of usual ones.
const BYTES_PER_LOOK: usize = 1 << 15;

/// Windows-1252 from 0x80 to 0x9F; the other bytes are their own code points.
const WINDOWS_1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}',
    '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// A line of the text, with its number.
pub(super) type Line<'a> = (u64, Cow<'a, str>);

/// A text's lines.
pub(super) struct Lines<R> {
    reader: Take<Utf8<R>>,
    limits: Limits,
    /// `\n`, or `\r` in texts that have nothing else.
    end: u8,
    /// Plain lines with their ends, and where the next one begins. Nearly all lines are plain: see
    /// [`is_plain`].
    block: String,
    next: usize,
    /// How many lines have to be read one by one now.
    one_by_one: u32,
    /// Another line: what was read up to such an end, and where the next line begins and the last one ends in it: it
    /// has several if they end in different ways.
    bytes: Vec<u8>,
    begin: usize,
    stop: usize,
    text: String,
    number: u64,
    /// Bytes since the last look at the clock; enough for one at the start.
    unchecked: usize,
    /// Longest line, in bytes, and why none is longer.
    longest: (u64, &'static str),
    /// Whether the last line has its end, too.
    is_ended: bool,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(reader: R, limits: &Limits) -> Self {
        Self {
            // One more byte distinguishes the limit from the end of the file.
            reader: Utf8::new(reader).take(limits.max_bytes.saturating_add(1)),
            limits: *limits,
            end: b'\n',
            block: String::new(),
            next: 0,
            one_by_one: 0,
            bytes: Vec::new(),
            begin: 0,
            stop: 0,
            text: String::new(),
            number: 0,
            unchecked: BYTES_PER_LOOK,
            longest: (
                MAX_LINE_BYTES,
                "a row holds one sample of each channel: write one moment a line",
            ),
            is_ended: true,
        }
    }

    /// The same text, whose rows are whole inputs of up to `longest` bytes.
    pub(super) fn of_rows(self, longest: u64) -> Self {
        Self { longest: (longest, "a row holds one input"), ..self }
    }

    /// Whether the line that was read last is a whole one, and not where the file was cut.
    pub(super) fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// The next line with its number, from 1: without its end, and without the bytes that some
    /// programs put after the end of a text (NUL and Ctrl-Z).
    pub(super) fn next(&mut self) -> Result<Option<(u64, &str)>, RecordingError> {
        if self.unchecked >= BYTES_PER_LOOK {
            self.limits.check_time()?;
            self.unchecked = 0;
        }
        if self.number == 0 {
            self.begin()?;
        }
        if self.begin >= self.stop {
            if self.next < self.block.len() || self.fill_block()? {
                return Ok(Some(self.next_plain()));
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
        self.number += 1;
        let rest = self.bytes.get(self.begin..self.stop).unwrap_or_default();
        let other = if self.end == b'\n' { b'\r' } else { b'\n' };
        let length = memchr(other, rest);
        self.is_ended = length.is_some() || self.bytes.last() == Some(&self.end);
        let line = rest.get(..length.unwrap_or(rest.len())).unwrap_or_default();
        decode(line, &mut self.text);
        self.begin += line.len() + 1;
        Ok(Some((self.number, &self.text)))
    }

    /// The next line of the block.
    fn next_plain(&mut self) -> (u64, &str) {
        let rest = self.block.get(self.next..).unwrap_or_default();
        let end = memchr(self.end, rest.as_bytes());
        let line = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        self.next += line.len() + 1;
        self.number += 1;
        self.is_ended = true;
        (self.number, line.strip_suffix('\r').unwrap_or(line))
    }

    /// Takes the whole lines that the reader holds, if they are plain and within all limits; false if
    /// the next line has to be read by itself.
    fn fill_block(&mut self) -> Result<bool, RecordingError> {
        if self.one_by_one > 0 {
            self.one_by_one -= 1;
            return Ok(false);
        }
        self.block.clear();
        self.next = 0;
        let most = MAX_BLOCK_BYTES.min(self.longest.0).min(self.reader.limit().saturating_sub(1));
        let text = match self.reader.fill_buf() {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(false),
            text => text?,
        };
        let text = text.get(..most as usize).unwrap_or(text);
        let Some(end) = memrchr(self.end, text) else { return Ok(false) };
        let lines = text.get(..=end).unwrap_or_default();
        if !is_plain(lines, self.end) {
            self.one_by_one = LINES_ONE_BY_ONE;
            return Ok(false);
        }
        // They are ASCII.
        self.block.push_str(str::from_utf8(lines).unwrap_or_default());
        self.reader.consume(end + 1);
        self.unchecked += end + 1;
        Ok(true)
    }

    /// Reads up to the next end of a line; false if there is nothing more.
    fn fill(&mut self) -> Result<bool, RecordingError> {
        self.bytes.clear();
        let (longest, why) = self.longest;
        self.read_line(longest + 1)?;
        if self.reader.limit() == 0 {
            let bytes = self.limits.max_bytes.saturating_add(1);
            return Err(RecordingError::TooLarge { bytes, limit: self.limits.max_bytes });
        }
        if self.bytes.is_empty() {
            return Ok(false);
        }
        self.unchecked += self.bytes.len();
        if self.bytes.len() as u64 > longest {
            return Err(malformed(format!(
                "line {} is longer than {longest} bytes: {why}",
                self.number + 1
            )));
        }
        let after = |byte: &u8| matches!(byte, b'\r' | b'\n' | b'\0' | b'\x1a');
        self.stop = self.bytes.iter().rposition(|byte| !after(byte)).map_or(0, |last| last + 1);
        // The second half of the end before it.
        self.begin = usize::from(self.stop > 0 && self.bytes.first() == Some(&b'\n'));
        Ok(true)
    }

    /// Reads up to and with the next end of a line, or as many bytes. As `read_until`, which is slower.
    fn read_line(&mut self, most: u64) -> Result<(), RecordingError> {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        while self.bytes.len() < most {
            let text = match self.reader.fill_buf() {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                text => text?,
            };
            let text = text.get(..most - self.bytes.len()).unwrap_or(text);
            let end = memchr(self.end, text);
            let text = end.and_then(|end| text.get(..=end)).unwrap_or(text);
            let read = text.len();
            self.bytes.extend_from_slice(text);
            self.reader.consume(read);
            if end.is_some() || read == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Looks at the first bytes: a mark of the encoding, and what ends the lines.
    fn begin(&mut self) -> Result<(), RecordingError> {
        let start = self.reader.fill_buf()?;
        let is_marked = start.starts_with(b"\xef\xbb\xbf");
        let looked_at = start.get(..LOOKED_AT).unwrap_or(start);
        let ends = looked_at.windows(2).map(|two| match two {
            [b'\r', next] if *next != b'\n' => 1,
            [b'\n', _] => -1,
            _ => 0,
        });
        let ended_by_cr = memchr(b'\r', looked_at).is_some() && ends.sum::<i32>() > 0;
        if ended_by_cr {
            self.end = b'\r';
        }
        if is_marked {
            self.reader.consume(3);
        }
        Ok(())
    }
}

/// Whether lines are of printable ASCII and tabs, and all end with `end`, or with `\r\n` if that is
/// `\n`.
fn is_plain(lines: &[u8], end: u8) -> bool {
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~' | b'\t') || byte == end;
    // Without an early end many bytes are looked at at once.
    let before_ends = || lines.iter().zip(lines.iter().skip(1));
    lines.iter().fold(true, |all, &byte| all & is_plain(byte))
        || end == b'\n'
            && before_ends().fold(true, |all, (&byte, &next)| {
                all & (is_plain(byte) || byte == b'\r' && next == b'\n')
            })
}

/// UTF-8, or else Windows-1252, in which older programs write `µ` and `°`.
fn decode(bytes: &[u8], text: &mut String) {
    text.clear();
    match str::from_utf8(bytes) {
        Ok(utf_8) => text.push_str(utf_8),
        Err(_) => text.extend(bytes.iter().map(|&byte| {
            let index = usize::from(byte).checked_sub(0x80);
            index.and_then(|index| WINDOWS_1252.get(index)).copied().unwrap_or(char::from(byte))
        })),
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use proptest::prelude::*;

    use super::*;

    /// The lines of a text with their numbers, and whether the last one is whole.
    fn lines(text: &[u8], capacity: usize) -> (Vec<(u64, String)>, bool) {
        let reader = BufReader::with_capacity(capacity, text);
        let mut lines = Lines::new(reader, &Limits::new(1 << 20, 1));
        let mut read = Vec::new();
        while let Some((number, line)) = lines.next().unwrap() {
            read.push((number, line.to_owned()));
        }
        (read, lines.is_ended())
    }

    proptest! {
        /// A reader of few bytes holds no whole lines, which then are read one by one.
        #[test]
        fn lines_that_are_taken_at_once_are_those_read_one_by_one(
            pieces in prop::collection::vec(
                prop_oneof![
                    6 => Just("1.25,2\n"), 3 => Just("-7\r\n"), 1 => Just("\n"), 1 => Just("\r"), 1 => Just("3\r\r\n"),
                    1 => Just("µ\n"), 1 => Just("\0"), 1 => Just("\x1a"), 1 => Just("4\r5\n"), 1 => Just("6"),
                ],
                0..120,
            ),
            marked in any::<bool>(),
            capacity in 20_usize..400,
        ) {
            // The first bytes tell what ends the lines, and have to be the same for both.
            let mark = if marked { "\u{feff}" } else { "" };
            let text = format!("{mark}1\r\n2\r\n3\n4\n5\n{}", pieces.concat());
            prop_assert_eq!(lines(text.as_bytes(), capacity), lines(text.as_bytes(), 12), "{:?}", &text);
        }
    }

    #[test]
    fn limits_hold_for_lines_that_are_taken_at_once() {
        let text = "1\n".repeat(100);
        let read = |max_bytes| {
            let mut lines = Lines::new(text.as_bytes(), &Limits::new(max_bytes, 1));
            let mut count = 0;
            while lines.next()?.is_some() {
                count += 1;
            }
            Ok::<_, RecordingError>(count)
        };
        assert_eq!(read(200).unwrap(), 100);
        assert!(matches!(read(199), Err(RecordingError::TooLarge { limit: 199, .. })));
    }
}
