//! Packed bytes, handed to a decoder piece by piece with a look at the clock before each.
//!
//! A decoder reads on until something comes out, and blocks without content let it read a whole
//! file: looking at the clock between its results is not enough.

use std::{
    error::Error,
    fmt,
    io::{self, BufRead, Read},
    time::Instant,
};

/// Bytes that are handed on at once: a decoder needs less than a millisecond for the worst ones.
const PIECE: usize = 4 << 10;

/// Packed bytes, until the deadline: then every read fails, and [`is_time_up`] knows the error.
#[derive(Debug, Clone)]
pub struct Paced<'a> {
    rest: &'a [u8],
    deadline: Option<Instant>,
}

/// The deadline has passed.
#[derive(Debug)]
struct TimeUp;

impl fmt::Display for TimeUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time was up before it was unpacked")
    }
}

impl Error for TimeUp {}

/// Whether a read of [`Paced`] failed because its deadline had passed.
pub fn is_time_up(error: &io::Error) -> bool {
    error.get_ref().is_some_and(<dyn Error + Send + Sync>::is::<TimeUp>)
}

impl<'a> Paced<'a> {
    /// All of `bytes`, until the deadline if there is one.
    pub const fn new(bytes: &'a [u8], deadline: Option<Instant>) -> Self {
        Self { rest: bytes, deadline }
    }
}

impl BufRead for Paced<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Err(io::Error::new(io::ErrorKind::TimedOut, TimeUp));
        }
        Ok(self.rest.get(..PIECE).unwrap_or(self.rest))
    }

    fn consume(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }
}

impl Read for Paced<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn all_bytes_come_out_until_the_deadline_and_none_after_it() {
        let bytes: Vec<u8> = (0..10_000_u32).map(|n| n as u8).collect();
        let read = |deadline| {
            let mut found = Vec::new();
            Paced::new(&bytes, deadline).read_to_end(&mut found).map(|_| found)
        };
        assert_eq!(read(None).unwrap(), bytes);
        assert_eq!(read(Some(Instant::now() + Duration::from_mins(1))).unwrap(), bytes);
        assert!(is_time_up(&read(Some(Instant::now())).unwrap_err()));
        assert!(!is_time_up(&io::ErrorKind::TimedOut.into()));
    }
}
