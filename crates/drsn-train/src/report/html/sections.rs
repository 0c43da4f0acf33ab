//! The sections of one bundle's report.

use drsn_bundle::{AccuracyByStatistics, Architecture, Training, Unit};

use super::{INTERVALS, page::Page};
use crate::{
    evaluation::Scores,
    report::{
        curve::noise_name,
        evaluation::{EvaluationReport, ModelFacts},
        plot,
        text::{Table, interval, percent, share},
    },
};

/// Recordings that are listed.
const SHOWN: usize = 50;

/// The main scores as large numbers.
pub(super) fn summary(page: &mut Page, report: &EvaluationReport) {
    let Some(first) = report.results.first() else {
        page.paragraph("Nothing was evaluated.");
        return;
    };
    let scores = &first.scores;
    let under = first.noise.as_ref().map_or_else(String::new, |noise| format!(", {noise}"));
    let of = scores
        .independent
        .map_or_else(String::new, |of| format!(", over {}", of.unit.count(of.count)));
    let mut tiles = vec![
        (
            percent(scores.accuracy),
            format!("accuracy{under}: {} of {} inputs", scores.right, scores.inputs),
        ),
        (short_interval(scores), format!("95 % interval of the accuracy{of}")),
        (share(scores.macro_recall), "macro recall".to_owned()),
        (percent(scores.macro_f1), "macro F1".to_owned()),
    ];
    tiles.extend(scores.majority.as_ref().map(|most| {
        (percent(most.share), format!("share of the largest class, \"{}\"", most.class))
    }));
    tiles.extend(first.recordings.as_ref().map(|votes| {
        let count = votes.recordings.len();
        (format!("{} of {count}", votes.right), "whole recordings classified correctly".to_owned())
    }));
    tiles.push((percent(scores.calibration_error), "calibration error".to_owned()));
    page.tiles(&tiles);
    page.findings(&report.findings());
}

/// The interval in few letters.
fn short_interval(scores: &Scores) -> String {
    scores.interval.map_or_else(
        || interval(scores),
        |[low, high]| format!("{:.1}–{:.1} %", 100.0 * low, 100.0 * high),
    )
}

pub(super) fn facts(page: &mut Page, model: &ModelFacts) {
    page.section("Model");
    fact_list(page, model);
}

/// Facts from the manifest as a list.
pub(super) fn fact_list(page: &mut Page, model: &ModelFacts) {
    let mut facts = vec![
        ("network", network(model)),
        ("trainable parameters", model.parameters().to_string()),
        ("input", format!("{}, {}", model.input.kind(), model.input.shape_in_words())),
        ("classes", classes(&model.classes)),
    ];
    facts.extend(
        model
            .calibration
            .as_ref()
            .map(|found| ("temperature", format!("{:.3}; {}", found.temperature, found.reason))),
    );
    if let Some(training) = &model.training {
        facts.extend(story(training));
    }
    page.facts(&facts);
}

fn network(model: &ModelFacts) -> String {
    match (&model.architecture, &model.origin) {
        (Some(trained), _) => architecture(trained),
        (None, Some(origin)) if !origin.exporter.is_empty() => {
            format!("imported, exported by {}", origin.exporter)
        }
        (None, _) => "imported".to_owned(),
    }
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

/// Accuracy by noise.
pub(super) fn noise(page: &mut Page, report: &EvaluationReport) {
    page.section("Accuracy under noise");
    page.table(&report.noise_table());
    if report.results.len() > 1 {
        let title = format!("Accuracy of {} under noise", report.name());
        page.figure(plot::curves(&[report.curve()], &title, INTERVALS));
    }
}

/// Whole recordings: their scores, and those that are classified wrongly.
pub(super) fn recordings(page: &mut Page, report: &EvaluationReport) {
    let Some(table) = report.vote_table() else { return };
    page.section("Whole recordings");
    page.paragraph("Each recording is classified by the mean of its windows' probabilities.");
    page.table(&table);
    let Some(votes) = report.results.first().and_then(|first| first.recordings.as_ref()) else {
        return;
    };
    let wrong = votes.recordings.iter().filter(|vote| vote.class != vote.prediction);
    let count = wrong.clone().count();
    if count == 0 {
        return;
    }
    let mut table = Table::new("recording");
    table.columns(["truth", "prediction", "probability", "windows right"].map(str::to_owned));
    for vote in wrong.take(SHOWN) {
        let windows = format!("{} of {}", vote.right, vote.windows);
        let probability = percent(vote.probability);
        table.row(&vote.file, [vote.class.clone(), vote.prediction.clone(), probability, windows]);
    }
    let first =
        if count > SHOWN { format!(", the first {SHOWN} of {count}") } else { String::new() };
    page.paragraph(&format!("Classified wrongly without noise{first}:"));
    page.table(&table);
}

/// Alarms of the baseline and the distribution of the input shift.
pub(super) fn alarms(page: &mut Page, report: &EvaluationReport) {
    let Some(table) = report.alarm_table() else { return };
    page.section("Would a server notice?");
    page.paragraph(
        "Share of inputs that raise an alarm. The AUROC is the probability that a disturbed input \
         has a higher shift score than a clean one: 0.5 is chance, 1 is always.",
    );
    page.table(&table);
    if let Some(figure) = plot::shift(report, "Input shift") {
        page.figure(figure);
    }
}

/// What the thresholds do to inputs of each class.
pub(super) fn thresholds(page: &mut Page, report: &EvaluationReport) {
    let EvaluationReport { blocks, model, .. } = report;
    if blocks.is_empty() {
        return;
    }
    page.section("Thresholds");
    page.figure(plot::thresholds(blocks, &model.classes, "Thresholds by class and block"));
    page.section("Features set to zero");
    page.figure(plot::zeroed(blocks, &model.classes, "Features set to zero by class and block"));
}

/// Scores by class, confusion matrix and calibration under the first noise.
pub(super) fn scores(page: &mut Page, report: &EvaluationReport) {
    let Some(first) = report.results.first() else { return };
    let noise = noise_name(first.noise.as_ref());
    page.section(&format!("Classes ({noise})"));
    page.table(&first.scores.class_table());
    page.section(&format!("Confusion matrix ({noise})"));
    page.figure(plot::confusion(&first.scores, &format!("Confusion matrix ({noise})")));
    page.section(&format!("Calibration ({noise})"));
    page.figure(plot::reliability(&first.scores, &format!("Reliability ({noise})")));
}

/// Curves of the training and accuracies by statistics, if known.
pub(super) fn training(page: &mut Page, report: &EvaluationReport) {
    let Some(training) = &report.model.training else { return };
    if !training.history.is_empty() {
        page.section("Training");
        page.figure(plot::history(&training.history, &format!("Training of {}", report.name())));
    }
    if let Some(story) = &training.held_out_accuracy {
        page.section("Batch normalization statistics");
        page.table(&statistics(story));
    }
}

fn statistics(story: &AccuracyByStatistics) -> Table {
    let mut table = Table::new("statistics");
    table.columns(["accuracy on held-out inputs".to_owned()]);
    table.row("running, from training", [percent(story.running)]);
    table.row("exact, in the exported model", [percent(story.exact)]);
    table.row("of each batch", [percent(story.batch)]);
    table
}
