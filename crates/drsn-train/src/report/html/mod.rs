//! Reports as one HTML file: no script, nothing from elsewhere, plots as SVG within it.

mod page;
mod sections;

use super::{
    Comparison, EvaluationReport, ReportError, Study,
    plot::{self, Figure},
    text::plain,
};
use page::Page;

/// Figures of a report in the order in which it shows them, and the page around them.
pub(super) struct Rendered {
    pub(super) html: String,
    pub(super) figures: Vec<Figure>,
}

/// The report of one bundle.
pub(super) fn evaluation(report: &EvaluationReport) -> Result<Rendered, ReportError> {
    let mut page = Page::new(&report.name());
    page.paragraph(&format!(
        "Evaluated on {}, noise of seed {}, by {}.",
        report.data, report.seed, report.tool
    ));
    sections::summary(&mut page, report);
    sections::facts(&mut page, &report.model);
    page.heading("Accuracy under noise");
    page.table(&report.noise_table());
    if report.results.len() > 1 {
        let title = format!("Accuracy of {} under noise", report.name());
        page.figure(plot::curves(&[report.curve()], &title, INTERVALS))?;
    }
    sections::scores(&mut page, report)?;
    sections::training(&mut page, report)?;
    page.notes(&[INTERVAL_NOTE, F1_NOTE, CALIBRATION_NOTE]);
    Ok(page.finish())
}

/// Several bundles side by side.
pub(super) fn comparison(comparison: &Comparison) -> Result<Rendered, ReportError> {
    let mut page = Page::new("Comparison of models");
    if let Some(first) = comparison.reports().first() {
        page.paragraph(&format!("Evaluated on {}, noise of seed {}.", first.data, first.seed));
    }
    page.table(&comparison.table());
    page.paragraph(Comparison::LEGEND);
    page.figure(plot::curves(&comparison.curves(), "Accuracy under noise", INTERVALS))?;
    for report in comparison.reports() {
        page.heading(&report.name());
        sections::fact_list(&mut page, &report.model);
        page.table(&report.noise_table());
    }
    page.notes(&[INTERVAL_NOTE, F1_NOTE, CALIBRATION_NOTE]);
    Ok(page.finish())
}

/// Several trainings of several kinds of network.
pub(super) fn study(study: &Study) -> Result<Rendered, ReportError> {
    let mut page = Page::new(&study.title);
    page.paragraph(&study.data);
    page.table(&study.table());
    page.paragraph("Accuracy, mean ± sample standard deviation over the seeds.");
    let bars = "bars: mean ± sample standard deviation over seeds";
    page.figure(plot::curves(&study.curves(), "Accuracy under noise", bars))?;
    Ok(page.finish())
}

const INTERVALS: &str = "bars: intervals of 95 % (Wilson)";
const INTERVAL_NOTE: &str = "Intervals are Wilson's score intervals of 95 %: what other inputs of the same kind would give. \
    They say nothing of other seeds of training.";
const F1_NOTE: &str = "F1 is the harmonic mean of precision and recall; macro F1 is its mean over the classes that occur as \
    labels or predictions.";
const CALIBRATION_NOTE: &str = "The calibration error is the mean distance between confidence (the largest probability) and \
    accuracy in 15 bins of equal width: C. Guo et al., On Calibration of Modern Neural Networks, ICML 2017.";

#[cfg(test)]
mod tests;
