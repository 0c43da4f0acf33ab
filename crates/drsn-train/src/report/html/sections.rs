//! The sections of one bundle's report.

use drsn_bundle::{AccuracyByStatistics, Architecture, Training, Unit};

use super::page::Page;
use crate::report::{
    curve::noise_name,
    error::ReportError,
    evaluation::{EvaluationReport, ModelFacts},
    plot,
    text::{Table, percent},
};

/// The main scores as large numbers.
pub(super) fn summary(page: &mut Page, report: &EvaluationReport) {
    let Some(first) = report.results.first() else {
        page.paragraph("Nothing was evaluated.");
        return;
    };
    let [low, high] = first.scores.interval;
    page.tiles(&[
        (percent(first.scores.accuracy), "accuracy"),
        (format!("{:.2} to {}", 100.0 * low, percent(high)), "95 % interval of the accuracy"),
        (format!("{:.4}", first.scores.macro_f1), "macro F1"),
        (percent(first.scores.calibration_error), "calibration error"),
        (
            format!("{} of {}", first.scores.right, first.scores.inputs),
            "inputs classified correctly",
        ),
    ]);
    if let Some(noise) = &first.noise {
        page.paragraph(&format!("These scores are for inputs with the noise {noise}."));
    }
}

pub(super) fn facts(page: &mut Page, model: &ModelFacts) {
    page.heading("Model");
    fact_list(page, model);
}

/// Facts from the manifest as a list.
pub(super) fn fact_list(page: &mut Page, model: &ModelFacts) {
    let mut facts = vec![
        ("network", architecture(&model.architecture)),
        ("trainable parameters", model.architecture.parameters.to_string()),
        ("input", format!("{}, {}", model.input.kind(), model.input.shape_in_words())),
        ("classes", classes(&model.classes)),
    ];
    if let Some(training) = &model.training {
        facts.extend(story(training));
    }
    page.facts(&facts);
}

fn architecture(architecture: &Architecture) -> String {
    let unit = match architecture.unit {
        Unit::Cw => "DRSN with a threshold for each channel (CW)",
        Unit::Cs => "DRSN with a threshold shared by all channels (CS)",
        Unit::Se => "squeeze and excitation",
        Unit::Resnet => "plain residual network",
    };
    let stages: Vec<String> = architecture
        .stages
        .iter()
        .map(|stage| format!("{} x {} channels", stage.blocks, stage.channels))
        .collect();
    format!("{unit}; units: {}; kernel size {}", stages.join(", "), architecture.kernel)
}

/// The number of classes and the first labels.
fn classes(classes: &[String]) -> String {
    const SHOWN: usize = 20;
    let shown = classes.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    match classes.len().checked_sub(SHOWN) {
        Some(more) if more > 0 => format!("{}: {shown} and {more} more", classes.len()),
        _ => format!("{}: {shown}", classes.len()),
    }
}

fn story(training: &Training) -> Vec<(&'static str, String)> {
    let notes = training.data_notes.iter().map(|note| ("noticed in the data", note.clone()));
    let facts = [
        (
            "inputs",
            format!(
                "{} trained on, {} held out",
                training.training_inputs, training.held_out_inputs
            ),
        ),
        ("training", format!("{} epochs, seed {}", training.epochs, training.seed)),
        ("made by", training.tool.clone()),
    ];
    [("trained on", training.data.clone())].into_iter().chain(notes).chain(facts).collect()
}

/// Scores by class, confusion matrix and calibration under the first noise.
pub(super) fn scores(page: &mut Page, report: &EvaluationReport) -> Result<(), ReportError> {
    let Some(first) = report.results.first() else {
        return Ok(());
    };
    let noise = noise_name(first.noise.as_ref());
    page.heading(&format!("Classes ({noise})"));
    page.table(&first.scores.class_table());
    page.figure(plot::per_class(&first.scores, &format!("F1 by class ({noise})")))?;
    page.heading(&format!("Confusion matrix ({noise})"));
    page.figure(plot::confusion(&first.scores, &format!("Confusion matrix ({noise})")))?;
    page.heading(&format!("Calibration ({noise})"));
    page.figure(plot::reliability(&first.scores, &format!("Reliability ({noise})")))
}

/// Curves of the training and accuracies by statistics, if known.
pub(super) fn training(page: &mut Page, report: &EvaluationReport) -> Result<(), ReportError> {
    let Some(training) = &report.model.training else { return Ok(()) };
    if !training.history.is_empty() {
        page.heading("Training");
        page.figure(plot::history(&training.history, &format!("Training of {}", report.name())))?;
    }
    if let Some(story) = &training.held_out_accuracy {
        page.heading("Batch normalization statistics");
        page.table(&statistics(story));
    }
    Ok(())
}

fn statistics(story: &AccuracyByStatistics) -> Table {
    let mut table = Table::new("statistics");
    table.columns(["accuracy on held-out inputs".to_owned()]);
    table.row("running, from training", [percent(story.running)]);
    table.row("exact, in the exported model", [percent(story.exact)]);
    table.row("of each batch", [percent(story.batch)]);
    table
}
