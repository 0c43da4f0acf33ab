//! Takes the answers in the order of the files: writes them, counts them, and names what failed.

use std::io::{self, Write as _};

use super::{
    answers::Answered,
    arguments::Format,
    confusion::Confusion,
    files::{File, LeftOut},
    formats::{Lines, printable},
    model::Facts,
    output::Output,
    progress::{Done, Progress},
};

/// The answers so far.
#[derive(Debug)]
pub(super) struct Report {
    lines: Lines,
    output: Output,
    progress: Progress,
    /// Only in a table, and if the folders of all files say their class.
    confusion: Option<Confusion>,
    files: usize,
    failed: usize,
}

impl Report {
    /// Begins a report on these files.
    ///
    /// # Errors
    /// The error of the system if nothing can be written.
    pub(super) fn begin(
        format: Format,
        facts: &Facts,
        files: &[File],
        mut output: Output,
    ) -> io::Result<Self> {
        let is_known = files.iter().all(|file| file.truth.is_some());
        let has_matrix = format == Format::Table && is_known;
        let lines = Lines::new(format, facts, files);
        let progress = Progress::new(files.iter().map(|file| file.bytes));
        output.write(&lines.head())?;
        Ok(Self {
            lines,
            output,
            progress,
            confusion: has_matrix.then(|| Confusion::new(facts.classes.clone())),
            files: files.len(),
            failed: 0,
        })
    }

    /// Adds the answer for the next file.
    ///
    /// # Errors
    /// The error of the system if it cannot be written.
    pub(super) fn add(&mut self, file: &File, answer: &Result<Answered, String>) -> io::Result<()> {
        match answer {
            Ok(answered) => {
                let confusion = self.confusion.as_mut().zip(file.truth);
                if let Some((confusion, truth)) = confusion {
                    answered.rows.iter().for_each(|row| confusion.add(truth, &row.label));
                }
            }
            Err(reason) => {
                self.failed += 1;
                self.complain(&format!("{}: {reason}", file.shown()));
            }
        }
        let lines = self.lines.of(file, answer.as_ref().map_err(String::as_str));
        if !lines.is_empty() {
            self.progress.clear();
        }
        self.output.write(&lines)
    }

    /// Shows how far the files are, and passes on the lines so far.
    ///
    /// # Errors
    /// The error of the system if they cannot be written.
    pub(super) fn tick(&mut self, done: &Done) -> io::Result<()> {
        self.progress.show(done);
        self.output.flush()
    }

    /// Completes the output, and says what was left out. Returns how many files failed.
    ///
    /// # Errors
    /// The error of the system if it cannot be written.
    pub(super) fn finish(mut self, left_out: &LeftOut) -> io::Result<usize> {
        self.progress.clear();
        if let Some(confusion) = &self.confusion {
            self.output.write(&format!("\n{}", confusion.text()))?;
        }
        // Before the sentences about it, if both are shown on one terminal.
        self.output.flush()?;
        if let Some(sentence) = left_out.sentence() {
            self.complain(&sentence);
        }
        if self.failed > 0 {
            self.complain(&format!("{} of {} files failed", self.failed, self.files));
        }
        self.output.finish()?;
        Ok(self.failed)
    }

    /// Writes a sentence to standard error.
    fn complain(&mut self, sentence: &str) {
        self.progress.clear();
        // Nothing can be done if standard error is closed; the exit code tells it, too.
        let _ = writeln!(io::stderr(), "{}", printable(sentence));
    }
}
