//! A line on the terminal: how much is done, and how much time is left.

use std::{
    io::{self, IsTerminal as _, Write as _},
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    time::{Duration, Instant},
};

/// Each file counts as so many bytes more than it has: to open it takes time, too.
const BYTES_OF_A_FILE: u64 = 16 << 10;
/// Nothing is shown before.
const SILENCE: Duration = Duration::from_millis(500);

/// How much was done; shared with the tasks that do it.
#[derive(Debug, Default)]
pub(super) struct Done {
    files: AtomicUsize,
    weight: AtomicU64,
}

impl Done {
    /// Counts a file of this many bytes.
    pub(super) fn add(&self, bytes: u64) {
        self.files.fetch_add(1, Ordering::Relaxed);
        self.weight.fetch_add(bytes + BYTES_OF_A_FILE, Ordering::Relaxed);
    }
}

/// The line on standard error, if that is a terminal.
#[derive(Debug)]
pub(super) struct Progress {
    files: usize,
    weight: u64,
    started: Instant,
    is_on_terminal: bool,
    is_shown: bool,
}

impl Progress {
    /// The progress of files with these lengths, in bytes.
    pub(super) fn new(lengths: impl Iterator<Item = u64>) -> Self {
        let (mut files, mut weight) = (0, 0);
        for length in lengths {
            files += 1;
            weight += length + BYTES_OF_A_FILE;
        }
        let is_on_terminal = io::stderr().is_terminal();
        Self { files, weight, started: Instant::now(), is_on_terminal, is_shown: false }
    }

    /// Shows the state.
    pub(super) fn show(&mut self, done: &Done) {
        if self.is_on_terminal && self.started.elapsed() > SILENCE {
            let files = done.files.load(Ordering::Relaxed);
            let weight = done.weight.load(Ordering::Relaxed);
            let line = self.line(files, weight, self.started.elapsed());
            // Who cannot see it misses nothing else.
            let _ = write!(io::stderr(), "\r\x1b[K{line}");
            self.is_shown = true;
        }
    }

    /// Clears the line, before something else is written.
    pub(super) fn clear(&mut self) {
        if std::mem::take(&mut self.is_shown) {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }

    fn line(&self, files: usize, weight: u64, elapsed: Duration) -> String {
        const CELLS: usize = 20;
        let share = weight as f64 / self.weight.max(1) as f64;
        let full = ((share * CELLS as f64) as usize).min(CELLS);
        let bar = format!("{}{}", "█".repeat(full), "░".repeat(CELLS - full));
        let rate = files as f64 / elapsed.as_secs_f64().max(1e-3);
        let left = if weight == 0 {
            String::new()
        } else {
            let seconds = (elapsed.as_secs_f64() * (1.0 / share - 1.0)).max(0.0);
            format!(", {} left", clock(seconds as u64))
        };
        format!("{bar} {files} of {} files, {rate:.0} a second{left}", self.files)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

/// `4:05`, or `1:00:00`.
fn clock(seconds: u64) -> String {
    let (minutes, seconds) = (seconds / 60, seconds % 60);
    match minutes / 60 {
        0 => format!("{minutes}:{seconds:02}"),
        hours => format!("{hours}:{:02}:{seconds:02}", minutes % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_tells_what_is_done_and_the_time_that_is_left() {
        let progress = Progress::new([0, 0, 0, 0].into_iter());
        let line = progress.line(1, BYTES_OF_A_FILE, Duration::from_secs(100));
        assert_eq!(line, "█████░░░░░░░░░░░░░░░ 1 of 4 files, 0 a second, 5:00 left");
        assert_eq!(clock(3723), "1:02:03");
    }
}
