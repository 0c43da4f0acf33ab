//! The course of a training: loss, accuracy and learning rate by epoch.

use drsn_bundle::Epoch;

use super::{LEFT, WIDTH, figure::Figure, panel::Panel, style::Ink};

/// The series of the learning rate.
const RATE: usize = 6;

/// What one panel shows: the title of its axis, the data, and the format of its numbers.
struct Quantity {
    title: &'static str,
    series: Vec<Vec<(f64, f64)>>,
    range: (f64, f64),
    number: fn(f64) -> String,
}

/// Draws three panels, one below the other.
pub(crate) fn history(epochs: &[Epoch], title: &str) -> Figure {
    let mut figure = Figure::new("training", title, (WIDTH, 540.0));
    figure.description = format!("Loss, accuracy and learning rate over {} epochs", epochs.len());
    figure.caption =
        format!("{} epochs; held-out inputs with the statistics of each batch", epochs.len());
    let quantities = [loss(epochs), accuracy(epochs), rate(epochs)];
    let heights = [160.0, 160.0, 90.0];
    let mut top = 30.0;
    let x = (0.5, epochs.len().max(1) as f64 + 0.5);
    for (i, (quantity, height)) in quantities.into_iter().zip(heights).enumerate() {
        let width = WIDTH - LEFT - 24.0;
        let panel = Panel { left: LEFT, top, width, height, x, y: quantity.range };
        panel.y_axis(&mut figure, quantity.title, quantity.number);
        if i == 2 {
            let whole = |value: f64| {
                if value.fract().abs() < 1e-9 { format!("{value:.0}") } else { String::new() }
            };
            panel.x_axis(&mut figure, "epoch", whole);
        }
        panel.frame(&mut figure);
        if epochs.is_empty() {
            panel.no_data(&mut figure);
        }
        for (series, points) in quantity.series.iter().enumerate() {
            if i == 2 {
                steps(&mut figure, &panel, points);
            } else {
                draw(&mut figure, &panel, points, series);
            }
        }
        top += height + 24.0;
    }
    for (series, name) in ["training", "held out"].into_iter().enumerate() {
        let x = LEFT + 130.0 * series as f64;
        figure.sample((x, 14.0), series, name);
    }
    figure
}

fn draw(figure: &mut Figure, panel: &Panel, points: &[(f64, f64)], series: usize) {
    let places: Vec<_> = points.iter().map(|&(x, y)| panel.at(x, y)).collect();
    if places.len() <= 40 {
        for &place in &places {
            figure.marker(place, series);
        }
    }
    if places.len() > 1 {
        figure.line(places, Ink::Series(series), 2.0);
    }
}

/// Draws a quantity that is constant in each epoch.
fn steps(figure: &mut Figure, panel: &Panel, points: &[(f64, f64)]) {
    let level = |&(x, y): &(f64, f64)| [panel.at(x - 0.5, y), panel.at(x + 0.5, y)];
    figure.line(points.iter().flat_map(level).collect(), Ink::Series(RATE), 2.0);
}

/// The finite values of one field by epoch.
fn points(epochs: &[Epoch], value: impl Fn(&Epoch) -> f64) -> Vec<(f64, f64)> {
    let numbered = epochs.iter().zip(1_u32..);
    numbered
        .map(|(epoch, number)| (f64::from(number), value(epoch)))
        .filter(|(_, value)| value.is_finite())
        .collect()
}

fn loss(epochs: &[Epoch]) -> Quantity {
    let series = vec![points(epochs, |e| e.loss), points(epochs, |e| e.held_out_loss)];
    let most = most(&series);
    Quantity { title: "loss", series, range: (0.0, 1.05 * most), number: |value| short(value) }
}

fn accuracy(epochs: &[Epoch]) -> Quantity {
    let series = vec![points(epochs, |e| e.accuracy), points(epochs, |e| e.held_out_accuracy)];
    let least = series.iter().flatten().map(|point| point.1).fold(1.0, f64::min);
    let step = if least > 0.9 { 0.02 } else { 0.1 };
    let floor = ((least / step).floor() * step).clamp(0.0, 0.98);
    let number = |value: f64| format!("{} %", (1_000.0 * value).round() / 10.0);
    Quantity { title: "accuracy", series, range: (floor, 1.0), number }
}

fn rate(epochs: &[Epoch]) -> Quantity {
    let series = vec![points(epochs, |e| e.learning_rate)];
    let most = most(&series);
    Quantity {
        title: "learning rate",
        series,
        range: (0.0, 1.05 * most),
        number: |value| short(value),
    }
}

fn most(series: &[Vec<(f64, f64)>]) -> f64 {
    let most = series.iter().flatten().map(|point| point.1).fold(0.0, f64::max);
    if most > 0.0 { most } else { 1.0 }
}

/// Formats a number of a tick with few digits.
fn short(value: f64) -> String {
    let rounded = (value * 1e6).round() / 1e6;
    if rounded == 0.0 && value > 0.0 { format!("{value:.0e}") } else { rounded.to_string() }
}
