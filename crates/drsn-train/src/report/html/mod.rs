//! Reports as one HTML file without scripts or external resources, with plots as inline SVG.

mod page;
mod sections;

use super::{
    comparison::Comparison, error::ReportError, evaluation::EvaluationReport, plot, study::Study,
};
use page::Page;
pub(super) use page::Rendered;

/// The report of one bundle.
pub(super) fn evaluation(report: &EvaluationReport) -> Result<Rendered, ReportError> {
    let mut page = Page::new(&report.name());
    page.paragraph(&format!(
        "Evaluated on {} with noise seed {} by {}.",
        report.data, report.seed, report.tool
    ));
    page.list(&report.notes);
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

/// The comparison of several bundles.
pub(super) fn comparison(comparison: &Comparison) -> Result<Rendered, ReportError> {
    let mut page = Page::new("Comparison of models");
    if let Some(first) = comparison.reports().first() {
        page.paragraph(&format!("Evaluated on {} with noise seed {}.", first.data, first.seed));
        page.list(&first.notes);
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

/// The comparison of several kinds of network.
pub(super) fn study(study: &Study) -> Result<Rendered, ReportError> {
    let mut page = Page::new(&study.title);
    page.paragraph(&study.data);
    if let Some(table) = study.held_out_table() {
        page.table(&table);
    }
    page.table(&study.table());
    page.paragraph(&study.legend());
    let bars = "bars: mean ± sample standard deviation over the trainings";
    page.figure(plot::curves(&study.curves(), "Accuracy under noise", bars))?;
    Ok(page.finish())
}

const INTERVALS: &str = "bars: 95 % intervals (Wilson)";
const INTERVAL_NOTE: &str = "Intervals are Wilson's 95 % score intervals for other inputs of the \
    same kind. They do not cover the variation between training seeds.";
const F1_NOTE: &str = "F1 is the harmonic mean of precision and recall. Macro F1 is its mean over \
    the classes that occur as labels or predictions.";
const CALIBRATION_NOTE: &str = "The calibration error is the mean distance between confidence (the \
    largest probability) and accuracy in 15 bins of equal width: C. Guo et al., On Calibration of \
    Modern Neural Networks, ICML 2017.";

#[cfg(test)]
mod tests;
