//! Accuracy against noise, one curve for each model.

use super::{
    figure::Figure,
    font::widest,
    panel::Panel,
    style::{SMALL, color},
};
use crate::report::curve::{CurvePoint, NoiseCurve, noise_name, noises};

/// Maximum width of a model's name in pixels.
const NAME: f64 = 230.0;
/// Maximum width of a noise's name in pixels.
const NOISE: f64 = 130.0;

/// Dimensions of one plot.
struct Layout {
    plot: (f64, f64),
    legend: f64,
    /// Space for the names of the noises.
    below: f64,
    /// Whether the names of the noises are rotated.
    rotated: bool,
}

impl Layout {
    fn new(curves: &[NoiseCurve], labels: &[String]) -> Self {
        let width = (110.0 * labels.len() as f64).clamp(480.0, 900.0);
        let label = widest(labels.iter().map(String::as_str), SMALL, NOISE);
        let rotated = label > width / labels.len().max(1) as f64 - 10.0;
        Self {
            plot: (width, (24.0 * curves.len() as f64).max(330.0)),
            legend: widest(curves.iter().map(|curve| curve.name.as_str()), SMALL, NAME) + 44.0,
            below: if rotated { label + 16.0 } else { 30.0 },
            rotated,
        }
    }

    fn size(&self) -> (f64, f64) {
        let (width, height) = self.plot;
        ((130.0 + width + self.legend).ceil(), (118.0 + height + self.below).ceil())
    }
}

/// Draws curves with error bars; the noises are at equal distances, in order of first appearance.
/// `bars` explains the error bars.
pub(crate) fn curves(curves: &[NoiseCurve], title: &str, bars: &str) -> Figure {
    let noises = noises(curves);
    let labels: Vec<String> = noises.iter().map(|noise| noise_name(noise.as_ref())).collect();
    let names: Vec<&str> = curves.iter().map(|curve| curve.name.as_str()).collect();
    let layout = Layout::new(curves, &labels);
    let description = format!("Accuracy of {} under {}", names.join(", "), labels.join(", "));
    let mut figure = Figure::new("noise", description, layout.size());
    figure.title(title);
    figure.subtitle(bars);
    let last = labels.len().saturating_sub(1) as f64;
    let (width, height) = layout.plot;
    let x = (-0.5, last + 0.5);
    let panel = Panel { left: 90.0, top: 74.0, width, height, x, y: (floor(curves), 1.0) };
    let decimals = usize::from(panel.y.0 > 0.95);
    panel.y_axis(&mut figure, "accuracy", |value| format!("{:.decimals$} %", 100.0 * value));
    panel.x_names(&mut figure, &labels, layout.rotated, NOISE);
    panel.x_title(&mut figure, "noise", layout.below + 16.0);
    panel.frame(&mut figure);
    // Shifted sideways, so that error bars do not overlap.
    let count = names.len().max(1) as f64;
    let step = (0.4 / count).min(7.0 * (last + 1.0) / width);
    for (series, curve) in curves.iter().enumerate() {
        let aside = step * (series as f64 - (count - 1.0) / 2.0);
        let place = |noise| noises.iter().position(|n| *n == noise).unwrap_or_default() as f64;
        let points = curve
            .points
            .iter()
            .map(|point| (place(point.noise) + aside, point.accuracy, point.bar));
        draw(&mut figure, &panel, series, points.collect());
    }
    figure.legend((panel.right() + 24.0, panel.top + 8.0), layout.legend, &names);
    figure
}

/// Draws one curve; each point has a position, an accuracy and an error bar.
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

/// The lower end of the axis: a multiple of 10 %, 2 % or 1 % below all points and bars.
fn floor(curves: &[NoiseCurve]) -> f64 {
    let lowest = |low: f64, point: &CurvePoint| {
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
