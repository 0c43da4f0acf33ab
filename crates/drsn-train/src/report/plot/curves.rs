//! Accuracy against noise, one curve a model.

use super::{
    figure::{Figure, SMALL, color, widest},
    panel::Panel,
};
use crate::report::{
    NoiseCurve,
    curve::{noise_name, noises},
};

/// Room for the longest name of a model and of a noise.
const NAME: f64 = 230.0;
const NOISE: f64 = 130.0;

/// Draws curves with error bars; the noises lie at equal distances, in the order of their first appearance.
pub fn curves(curves: &[NoiseCurve], title: &str, bars: &str) -> Figure {
    let noises = noises(curves);
    let labels: Vec<String> = noises.iter().map(|noise| noise_name(noise.as_ref())).collect();
    let names: Vec<&str> = curves.iter().map(|curve| curve.name.as_str()).collect();
    let legend = widest(names.iter().copied(), SMALL, NAME) + 44.0;
    let plot = (110.0 * labels.len() as f64).clamp(480.0, 900.0);
    let slot = plot / labels.len().max(1) as f64;
    let label = widest(labels.iter().map(String::as_str), SMALL, NOISE);
    let turned = label > slot - 10.0;
    let below = if turned { label + 16.0 } else { 30.0 };
    let height = (24.0 * names.len() as f64).max(330.0);
    let size = ((90.0 + plot + 24.0 + legend + 16.0).ceil(), (74.0 + height + below + 44.0).ceil());
    let description = format!("Accuracy of {} under {}", names.join(", "), labels.join(", "));
    let mut figure = Figure::new("noise", description, size);
    figure.title(title);
    figure.subtitle(bars);
    let last = labels.len().saturating_sub(1) as f64;
    let panel = Panel {
        left: 90.0,
        top: 74.0,
        width: plot,
        height,
        x: (-0.5, last + 0.5),
        y: (floor(curves), 1.0),
    };
    panel.y_axis(&mut figure, "accuracy", |value| format!("{:.0} %", 100.0 * value));
    panel.x_names(&mut figure, &labels, turned, NOISE);
    panel.x_title(&mut figure, "noise", below + 16.0);
    panel.frame(&mut figure);
    // Side by side, so that error bars do not hide one another.
    let step = (0.4 / names.len().max(1) as f64).min(7.0 / slot);
    for (series, curve) in curves.iter().enumerate() {
        let aside = step * (series as f64 - (names.len() as f64 - 1.0) / 2.0);
        let place = |noise| noises.iter().position(|n| *n == noise).unwrap_or_default() as f64;
        let points = curve
            .points
            .iter()
            .map(|point| (place(point.noise) + aside, point.accuracy, point.bar));
        draw(&mut figure, &panel, series, points.collect());
    }
    figure.legend((panel.right() + 24.0, panel.top + 8.0), legend, &names);
    figure
}

/// Place, accuracy and error bar of each point.
fn draw(
    figure: &mut Figure,
    panel: &Panel,
    series: usize,
    mut points: Vec<(f64, f64, Option<[f64; 2]>)>,
) {
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    let line = points.iter().map(|&(x, y, _)| panel.at(x, y)).collect();
    figure.line(line, color(series), 2.0);
    for (x, y, bar) in points {
        if let Some([low, high]) = bar {
            let ((x, low), (_, high)) = (panel.at(x, low), panel.at(x, high));
            figure.line(vec![(x, low), (x, high)], color(series), 1.0);
            for end in [low, high] {
                figure.line(vec![(x - 4.0, end), (x + 4.0, end)], color(series), 1.0);
            }
        }
        figure.marker(panel.at(x, y), series);
    }
}

/// The lower end of the axis: a multiple of 10 %, of 2 % or of 0.5 % below everything that is shown.
fn floor(curves: &[NoiseCurve]) -> f64 {
    let lowest = |low: f64, point: &crate::report::CurvePoint| {
        low.min(point.accuracy).min(point.bar.map_or(1.0, |bar| bar[0]))
    };
    let low = curves.iter().flat_map(|curve| &curve.points).fold(1.0, lowest);
    let step = if low > 0.97 {
        0.01
    } else if low > 0.9 {
        0.02
    } else {
        0.1
    };
    ((low / step - 0.05).floor() * step).clamp(0.0, 0.99)
}
