//! Progress on standard error: a bar on terminals, and a line for each epoch.

use std::{fmt::Write as _, io::Write as _};

use drsn_train::training::{BatchReport, EpochRecord, Progress};
use indicatif::{HumanDuration, ProgressBar, ProgressStyle};

/// Layout of the bar. Without indicatif's estimate of the remaining time, which is wrong after a
/// resume.
const LAYOUT: &str = "{prefix} {wide_bar} {pos}/{len} {msg}";

/// Shows the progress of a training.
pub(crate) struct Terminal {
    bar: ProgressBar,
}

impl Terminal {
    pub(crate) fn new() -> Self {
        let bar = ProgressBar::no_length();
        if let Ok(style) = ProgressStyle::with_template(LAYOUT) {
            bar.set_style(style);
        }
        Self { bar }
    }

    /// Writes a line above the bar, or without a terminal, directly.
    fn line(&self, line: &str) {
        if self.bar.is_hidden() {
            let _ = writeln!(std::io::stderr(), "{line}");
        } else {
            self.bar.println(line);
        }
    }
}

impl Progress for Terminal {
    fn batch(&mut self, report: &BatchReport) {
        self.bar.set_length(report.batches as u64);
        self.bar.set_position(report.batch as u64);
        self.bar.set_prefix(format!("epoch {}/{}", report.epoch + 1, report.epochs));
        self.bar.set_message(describe(report));
    }

    fn epoch(&mut self, epoch: usize, epochs: usize, record: &EpochRecord) {
        self.line(&format!(
            "epoch {}/{epochs}: loss {:.4}, accuracy {:.2} %, held-out accuracy {:.2} %, learning \
             rate {:.2e}, {:.0} inputs/s",
            epoch + 1,
            record.epoch.loss,
            100.0 * record.epoch.accuracy,
            100.0 * record.epoch.held_out_accuracy,
            record.epoch.learning_rate,
            record.inputs as f64 / record.seconds.max(1e-9),
        ));
    }

    fn step(&mut self, message: &str) {
        self.bar.finish_and_clear();
        self.line(message);
    }
}

fn describe(report: &BatchReport) -> String {
    let mut text = format!(
        "loss {:.4}, accuracy {:.2} %, {:.0} inputs/s",
        report.loss,
        100.0 * report.accuracy,
        report.rate
    );
    if !report.left.is_zero() {
        // Writing to a string cannot fail.
        let _ = write!(text, ", {} left", HumanDuration(report.left));
    }
    text
}
