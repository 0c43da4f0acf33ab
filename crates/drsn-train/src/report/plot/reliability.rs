//! Reliability diagram: does the accuracy of a model match its confidence?

use super::{
    LEFT, WIDTH,
    figure::Figure,
    panel::Panel,
    style::{BLUE, GREEN, Ink, VERMILLION},
};
use crate::evaluation::{ReliabilityBin, Scores};

/// Width of both panels.
const BREADTH: f64 = WIDTH - LEFT - 24.0;

/// Draws accuracy against confidence, and below it the distribution of the confidence.
pub(crate) fn reliability(scores: &Scores, title: &str) -> Figure {
    let mut figure = Figure::new("reliability", title, (WIDTH, 500.0));
    let error = 100.0 * scores.calibration_error;
    figure.description = format!("Reliability diagram; expected calibration error {error:.2} %");
    figure.caption = format!(
        "expected calibration error {error:.2} %; thick line: accuracy of the inputs of a bin; dashed: \
         accuracy equal to confidence"
    );
    let panel = Panel {
        left: LEFT,
        top: 32.0,
        width: BREADTH,
        height: 300.0,
        x: (0.0, 1.0),
        y: (0.0, 1.0),
    };
    panel.y_axis(&mut figure, "accuracy", |value| format!("{:.0} %", 100.0 * value));
    for bin in scores.reliability.iter().filter(|bin| bin.inputs > 0) {
        draw(&mut figure, &panel, bin);
    }
    figure.dashed(panel.at(0.0, 0.0), panel.at(1.0, 1.0), Ink::Text);
    panel.frame(&mut figure);
    let key = [(VERMILLION.at(0.5), "overconfident"), (GREEN.at(0.5), "underconfident")];
    figure.key((LEFT, 14.0), &key);
    inputs(&mut figure, scores);
    figure
}

/// Draws one bin: what accuracy and confidence have in common, and above it the difference.
fn draw(figure: &mut Figure, panel: &Panel, bin: &ReliabilityBin) {
    let (accuracy, confidence) = (bin.accuracy, bin.confidence);
    let mut bar = |from: f64, to: f64, fill| {
        let ((left, low), (right, high)) = (panel.at(bin.from, from), panel.at(bin.to, to));
        figure.rect((left + 1.0, high), (right - 1.0, low), fill);
    };
    bar(0.0, accuracy.min(confidence), BLUE.at(0.45));
    if confidence > accuracy {
        bar(accuracy, confidence, VERMILLION.at(0.5));
    } else {
        bar(confidence, accuracy, GREEN.at(0.5));
    }
    let ((left, y), (right, _)) = (panel.at(bin.from, accuracy), panel.at(bin.to, accuracy));
    figure.line(vec![(left + 1.0, y), (right - 1.0, y)], Ink::Text, 2.5);
}

/// Draws the share of inputs in each bin.
fn inputs(figure: &mut Figure, scores: &Scores) {
    let most = scores.reliability.iter().map(|bin| bin.inputs).max().unwrap_or_default();
    let top = most as f64 / scores.inputs.max(1) as f64;
    let panel = Panel {
        left: LEFT,
        top: 358.0,
        width: BREADTH,
        height: 90.0,
        x: (0.0, 1.0),
        y: (0.0, top.max(0.01)),
    };
    let decimals = usize::from(top < 0.1);
    panel.y_axis(figure, "inputs", |value| format!("{:.decimals$} %", 100.0 * value));
    for bin in &scores.reliability {
        let share = bin.inputs as f64 / scores.inputs.max(1) as f64;
        let ((left, low), (right, high)) = (panel.at(bin.from, 0.0), panel.at(bin.to, share));
        figure.rect((left + 1.0, high), (right - 1.0, low), Ink::Faint);
    }
    panel.x_axis(figure, "confidence: the largest probability", |value| {
        format!("{:.0} %", 100.0 * value)
    });
    panel.frame(figure);
}
