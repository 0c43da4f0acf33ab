//! Warnings and errors that come again and again, such as twenty a second while the process is out
//! of file descriptors, are written once in a while, with how often they came.

use std::{
    fmt::{self, Write as _},
    hash::{DefaultHasher, Hash as _, Hasher},
    mem,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tracing::{
    Event, Level,
    field::{Field, Visit},
};

/// How long a line that was written is held back when it comes again.
const PAUSE: Duration = Duration::from_secs(10);
/// Different lines that are remembered; more at once are not repetitions, and are all written.
const REMEMBERED: usize = 64;

/// The last warnings and errors.
#[derive(Debug, Default)]
pub(super) struct Repeats(Mutex<Vec<Seen>>);

#[derive(Debug)]
struct Seen {
    /// Hash of all that the line says.
    line: u64,
    written: Instant,
    held_back: u64,
}

impl Repeats {
    /// How often this event was held back since it was last written; `None` if it is held back now.
    /// Events below a warning never are.
    pub(super) fn held_back(&self, event: &Event<'_>, now: Instant) -> Option<u64> {
        if *event.metadata().level() > Level::WARN {
            return Some(0);
        }
        let mut line = HashedFields(DefaultHasher::new());
        event.metadata().callsite().hash(&mut line.0);
        event.record(&mut line);
        self.seen(line.0.finish(), now)
    }

    fn seen(&self, line: u64, now: Instant) -> Option<u64> {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seen) = lines.iter_mut().find(|seen| seen.line == line) {
            if now.saturating_duration_since(seen.written) < PAUSE {
                seen.held_back += 1;
                return None;
            }
            seen.written = now;
            return Some(mem::take(&mut seen.held_back));
        }
        if lines.len() == REMEMBERED {
            let oldest = lines.iter().enumerate().min_by_key(|(_, seen)| seen.written);
            if let Some((oldest, _)) = oldest {
                lines.swap_remove(oldest);
            }
        }
        lines.push(Seen { line, written: now, held_back: 0 });
        Some(0)
    }
}

struct HashedFields(DefaultHasher);

impl Visit for HashedFields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        field.name().hash(&mut self.0);
        // Writing to a hasher does not fail.
        let _ = write!(self, "{value:?}");
    }
}

impl fmt::Write for HashedFields {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_written_once_in_a_while_and_tells_how_often_it_was_held_back() {
        let (repeats, start) = (Repeats::default(), Instant::now());
        let at = |line, ms| repeats.seen(line, start + Duration::from_millis(ms));
        assert_eq!(at(1, 0), Some(0));
        assert_eq!((at(1, 50), at(2, 60), at(1, 9_999)), (None, Some(0), None));
        assert_eq!(at(1, 10_000), Some(2));
        assert_eq!((at(1, 10_050), at(2, 10_060), at(1, 30_000)), (None, Some(0), Some(1)));
    }

    #[test]
    fn as_many_different_lines_as_there_are_take_a_bounded_memory() {
        let (repeats, start) = (Repeats::default(), Instant::now());
        for line in 0..1000 {
            assert_eq!(repeats.seen(line, start + Duration::from_millis(line)), Some(0));
        }
        assert_eq!(repeats.seen(999, start + Duration::from_millis(1001)), None);
        assert_eq!(repeats.seen(0, start + Duration::from_millis(1002)), Some(0), "forgotten");
        assert_eq!(repeats.0.lock().unwrap().len(), REMEMBERED);
    }
}
