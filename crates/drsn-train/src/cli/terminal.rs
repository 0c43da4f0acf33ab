//! Progress on standard error: a line for each epoch and step, and on terminals a bar.

use std::{io::Write as _, time::Duration};

use drsn_train::training::{BatchReport, EpochRecord, Progress, StepReport};
use indicatif::{HumanDuration, ProgressBar, ProgressStyle};

/// Layout of the bar. Without indicatif's estimate of the remaining time, which is wrong after a
/// resume.
const LAYOUT: &str = "{prefix} {wide_bar} {pos}/{len} {msg}";
/// Layout of a step whose length is not known, or not yet.
const UNKNOWN_LENGTH: &str = "{spinner} {prefix} ({elapsed})";
/// How often the time is shown anew.
const TICK: Duration = Duration::from_millis(200);

/// Shows the progress of a training.
pub(crate) struct Terminal {
    bar: ProgressBar,
    /// The summary of the data that was shown last: the trainings of a comparison have the same.
    summary: Vec<String>,
}

impl Terminal {
    pub(crate) fn new() -> Self {
        Self { bar: ProgressBar::no_length(), summary: Vec::new() }
    }

    fn layout(&self, layout: &str) {
        if let Ok(style) = ProgressStyle::with_template(layout) {
            self.bar.set_style(style);
        }
    }

    /// Shows how much of what is done.
    fn show(&self, [done, total]: [usize; 2], message: String) {
        self.layout(LAYOUT);
        self.bar.set_length(total as u64);
        self.bar.set_position(done as u64);
        self.bar.set_message(message);
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
        self.bar.set_prefix(format!("epoch {}/{}", report.epoch + 1, report.epochs));
        self.show([report.batch, report.batches], describe(report));
    }

    fn epoch(&mut self, epoch: usize, epochs: usize, record: &EpochRecord) {
        self.line(&format!(
            "epoch {}/{epochs}: loss {:.4}, accuracy {:.2} %, held-out accuracy {:.2} %, macro \
             recall {:.2} %, learning rate {:.2e}, {:.0} inputs/s",
            epoch + 1,
            record.epoch.loss,
            100.0 * record.epoch.accuracy,
            100.0 * record.epoch.held_out_accuracy,
            100.0 * record.held_out_macro_recall,
            record.epoch.learning_rate,
            record.inputs as f64 / record.seconds.max(1e-9),
        ));
    }

    fn step(&mut self, message: &str) {
        self.line(message);
        self.bar.reset();
        self.layout(UNKNOWN_LENGTH);
        self.bar.set_prefix(message.to_owned());
        self.bar.enable_steady_tick(TICK);
    }

    fn data(&mut self, summary: &[String]) {
        if self.summary != summary {
            self.summary = summary.to_vec();
            for line in summary {
                self.line(line);
            }
        }
    }

    fn part(&mut self, report: &StepReport) {
        let StepReport { done, total, left } = *report;
        self.show([done, total], remaining(left));
    }

    fn note(&mut self, message: &str) {
        self.line(message);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// The remaining time is first, because narrow terminals cut the end off.
fn describe(report: &BatchReport) -> String {
    format!(
        "{}, loss {:.4}, accuracy {:.2} %, {:.0} inputs/s",
        remaining(report.left),
        report.loss,
        100.0 * report.accuracy,
        report.rate
    )
}

/// The time until everything is done; an estimate.
fn remaining(left: Duration) -> String {
    format!("about {} left", HumanDuration(left))
}
