//! Reliability diagram: does the accuracy of a model match its confidence?

use super::{
    figure::Figure,
    marks::Text,
    panel::Panel,
    style::{BLUE, FAINT, INK, SMALL, VERMILLION, shade},
};
use crate::evaluation::Scores;

/// Draws accuracy against confidence, and below it the distribution of the confidence.
pub(crate) fn reliability(scores: &Scores, title: &str) -> Figure {
    let description = format!(
        "Reliability diagram; expected calibration error {:.2} %",
        100.0 * scores.calibration_error
    );
    let mut figure = Figure::new("reliability", description, (560.0, 668.0));
    figure.title(title);
    figure.subtitle(&format!(
        "expected calibration error {:.2} %, {} bins, {} inputs",
        100.0 * scores.calibration_error,
        scores.reliability.len(),
        scores.inputs
    ));
    let panel =
        Panel { left: 90.0, top: 94.0, width: 440.0, height: 380.0, x: (0.0, 1.0), y: (0.0, 1.0) };
    let share = |value: f64| format!("{:.0} %", 100.0 * value);
    panel.y_axis(&mut figure, "accuracy", share);
    for bin in scores.reliability.iter().filter(|bin| bin.inputs > 0) {
        let bar = |figure: &mut Figure, from: f64, to: f64, fill| {
            let ((left, low), (right, high)) = (panel.at(bin.from, from), panel.at(bin.to, to));
            figure.rect((left + 1.0, high), (right - 1.0, low), fill);
        };
        bar(&mut figure, 0.0, bin.accuracy, shade(BLUE, 0.75));
        let (low, high) = (bin.accuracy.min(bin.confidence), bin.accuracy.max(bin.confidence));
        bar(&mut figure, low, high, shade(VERMILLION, 0.4));
    }
    figure.dashed(panel.at(0.0, 0.0), panel.at(1.0, 1.0), INK);
    panel.frame(&mut figure);
    key(&mut figure, &panel);
    inputs(&mut figure, scores);
    figure
}

/// Draws the key of the colours above the panel, because bars may cover all of it.
fn key(figure: &mut Figure, panel: &Panel) {
    let entries =
        [(shade(BLUE, 0.75), "accuracy"), (shade(VERMILLION, 0.4), "distance from confidence")];
    let y = panel.top - 16.0;
    for (i, (fill, text)) in entries.into_iter().enumerate() {
        let x = panel.left + 110.0 * i as f64;
        figure.rect((x, y - 7.0), (x + 14.0, y + 7.0), fill);
        figure.text(Text::new(text, (x + 22.0, y)).size(SMALL));
    }
}

/// Draws the share of inputs in each bin.
fn inputs(figure: &mut Figure, scores: &Scores) {
    let most = scores.reliability.iter().map(|bin| bin.inputs).max().unwrap_or_default();
    let top = most as f64 / scores.inputs.max(1) as f64;
    let panel = Panel {
        left: 90.0,
        top: 508.0,
        width: 440.0,
        height: 100.0,
        x: (0.0, 1.0),
        y: (0.0, top.max(0.01)),
    };
    let decimals = usize::from(top < 0.1);
    panel.y_axis(figure, "inputs", |value| format!("{:.decimals$} %", 100.0 * value));
    for bin in &scores.reliability {
        let share = bin.inputs as f64 / scores.inputs.max(1) as f64;
        let ((left, low), (right, high)) = (panel.at(bin.from, 0.0), panel.at(bin.to, share));
        figure.rect((left + 1.0, high), (right - 1.0, low), FAINT);
    }
    panel.x_axis(figure, "confidence: the largest probability", |value| {
        format!("{:.0} %", 100.0 * value)
    });
    panel.frame(figure);
}
