//! Running decoders of other crates on hostile bytes: a panic in one is a damaged file, and one
//! that reads does not read on after the deadline.

use std::{
    borrow::Cow,
    cell::Cell,
    io::{self, BufRead, Cursor, Read, Seek, SeekFrom},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, OnceLock},
    time::Instant,
};

thread_local! {
    static IS_DECODING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is in a decoder whose panic is caught and answered as a damaged file. A
/// panic hook can stay silent then.
pub fn is_decoding() -> bool {
    IS_DECODING.get()
}

/// Runs a decoder; `None` if it panics. What it has changed until then must not be used.
pub(super) fn contained<T>(run: impl FnOnce() -> T) -> Option<T> {
    let before = IS_DECODING.replace(true);
    let result = catch_unwind(AssertUnwindSafe(run));
    IS_DECODING.set(before);
    result.ok()
}

/// When decoding must end: nothing until it is set, which is once the header was read.
pub(super) type Deadline = Arc<OnceLock<Instant>>;

/// Whether the deadline is set and has passed.
pub(super) fn has_passed(deadline: &Deadline) -> bool {
    deadline.get().is_some_and(|&deadline| Instant::now() >= deadline)
}

/// The bytes of a file, as long as the deadline has not passed.
pub(super) struct TimedReader<'a> {
    bytes: Cursor<Cow<'a, [u8]>>,
    deadline: Deadline,
    /// Bytes that are still read without a look at the clock.
    unchecked: usize,
}

impl<'a> TimedReader<'a> {
    /// Bytes between two looks at the clock: a compressed byte may stand for a thousand.
    const STRIDE: usize = 1 << 10;

    pub(super) fn new(bytes: Cow<'a, [u8]>, deadline: Deadline) -> Self {
        Self { bytes: Cursor::new(bytes), deadline, unchecked: 0 }
    }

    fn check(&mut self) -> io::Result<()> {
        if self.unchecked == 0 {
            if has_passed(&self.deadline) {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.unchecked = Self::STRIDE;
        }
        Ok(())
    }
}

impl Read for TimedReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.check()?;
        let read = self.bytes.read(buffer)?;
        self.unchecked = self.unchecked.saturating_sub(read);
        Ok(read)
    }
}

impl BufRead for TimedReader<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.check()?;
        let rest = self.bytes.fill_buf()?;
        Ok(rest.get(..Self::STRIDE).unwrap_or(rest))
    }

    fn consume(&mut self, bytes: usize) {
        self.unchecked = self.unchecked.saturating_sub(bytes);
        self.bytes.consume(bytes);
    }
}

impl Seek for TimedReader<'_> {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        // A decoder that seeks back could read the same bytes again and again.
        self.unchecked = 0;
        self.bytes.seek(position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_stops_at_its_deadline_and_not_before_it_has_one() {
        let bytes = vec![0; 10_000];
        let deadline = Deadline::default();
        let mut reader = TimedReader::new(Cow::Borrowed(&bytes), deadline.clone());
        assert_eq!(reader.read(&mut [0; 3000]).unwrap(), 3000);
        deadline.set(Instant::now()).unwrap();
        let error = io::copy(&mut reader, &mut io::sink()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn a_panic_is_contained_and_known_to_be_one_of_a_decoder() {
        assert_eq!(contained(is_decoding), Some(true));
        let panicked: Option<()> = contained(|| std::panic::resume_unwind(Box::new(1)));
        assert_eq!(panicked, None);
        assert!(!is_decoding());
    }
}
