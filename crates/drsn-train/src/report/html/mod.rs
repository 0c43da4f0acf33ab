//! Reports as one HTML file without scripts or external resources, with plots as inline SVG.

mod page;
mod sections;

use super::{comparison::Comparison, evaluation::EvaluationReport, plot, study::Study};
use page::Page;
pub(super) use page::Rendered;

/// The report of one bundle.
pub(super) fn evaluation(report: &EvaluationReport) -> Rendered {
    let mut page = Page::new(&report.name());
    page.paragraph(&format!(
        "Evaluated on {} with noise seed {} by {}.",
        report.data, report.seed, report.tool
    ));
    page.list(&report.notes);
    sections::summary(&mut page, report);
    sections::noise(&mut page, report);
    sections::scores(&mut page, report);
    sections::recordings(&mut page, report);
    sections::alarms(&mut page, report);
    sections::thresholds(&mut page, report);
    sections::training(&mut page, report);
    sections::facts(&mut page, &report.model);
    page.notes(&[INTERVAL_NOTE, F1_NOTE, CALIBRATION_NOTE]);
    page.finish()
}

/// The comparison of several bundles.
pub(super) fn comparison(comparison: &Comparison) -> Rendered {
    let mut page = Page::new("Comparison of models");
    if let Some(first) = comparison.reports().first() {
        page.paragraph(&format!("Evaluated on {} with noise seed {}.", first.data, first.seed));
        page.list(&first.notes);
    }
    page.section("Accuracy");
    page.table(&comparison.table());
    page.paragraph(Comparison::LEGEND);
    page.section("Accuracy under noise");
    page.figure(plot::curves(&comparison.curves(), "Accuracy under noise", INTERVALS));
    for report in comparison.reports() {
        page.section(&report.name());
        page.findings(&report.findings());
        page.table(&report.noise_table());
        sections::fact_list(&mut page, &report.model);
    }
    page.notes(&[INTERVAL_NOTE, F1_NOTE, CALIBRATION_NOTE]);
    page.finish()
}

/// The comparison of several kinds of network.
pub(super) fn study(study: &Study) -> Rendered {
    let mut page = Page::new(&study.title);
    page.paragraph(&study.data);
    if let Some(table) = study.held_out_table() {
        page.section("Accuracy on held-out inputs");
        page.table(&table);
    }
    page.section("Accuracy");
    page.table(&study.table());
    page.paragraph(&format!("{}.", study.legend()));
    page.section("Accuracy under noise");
    let curves = study.curves();
    let has_bars = curves.iter().flat_map(|curve| &curve.points).any(|point| point.bar.is_some());
    let bars = if has_bars { DEVIATIONS } else { ALONE };
    page.figure(plot::curves(&curves, "Accuracy under noise", bars));
    page.finish()
}

const INTERVALS: &str = "bars: 95 % intervals; a line joins the strengths of one kind of noise, and clean inputs stand \
     alone";
const DEVIATIONS: &str = "bars: mean ± sample standard deviation over the trainings; a line joins the \
    strengths of one kind of noise";
const ALONE: &str = "one training each, so without error bars; a line joins the strengths of one kind \
    of noise";
const INTERVAL_NOTE: &str = "Intervals are of 95 %, for the accuracy on other inputs, files or groups of \
    the same kind: Wilson's of single inputs, and those of a beta-binomial model where windows of one \
    file or group belong together. They do not cover the variation between training seeds.";
const F1_NOTE: &str = "Macro recall is the mean recall of the classes that occur. F1 is the harmonic mean of precision and recall. Macro F1 is its mean over \
    the classes that occur as labels or predictions.";
const CALIBRATION_NOTE: &str = "The calibration error is the mean distance between confidence (the \
    largest probability) and accuracy in 15 bins of equal width: C. Guo et al., On Calibration of \
    Modern Neural Networks, ICML 2017.";

#[cfg(test)]
mod browser;
#[cfg(test)]
mod tests;
