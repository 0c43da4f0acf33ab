//! Accuracy against noise, one curve for each model.

use super::{
    LEFT, WIDTH,
    figure::Figure,
    font::widest,
    panel::Panel,
    style::{Ink, SMALL},
};
use crate::{
    recipe::Noise,
    report::curve::{CurvePoint, NoiseCurve, noise_name, noises},
};

/// Maximum width of a noise's name in pixels.
const NOISE: f64 = 130.0;
/// Least width of a noise in pixels.
const LEAST: f64 = 34.0;
const HEIGHT: f64 = 260.0;

/// Draws points with error bars; the noises are at equal distances, in order of first appearance.
/// A line joins the strengths of one kind of noise. `bars` explains the error bars.
pub(crate) fn curves(curves: &[NoiseCurve], title: &str, bars: &str) -> Figure {
    let noises = noises(curves);
    let labels: Vec<String> = noises.iter().map(|noise| noise_name(noise.as_ref())).collect();
    let names: Vec<&str> = curves.iter().map(|curve| curve.name.as_str()).collect();
    let width = (LEAST * labels.len() as f64).max(WIDTH - LEFT - 12.0);
    let room = widest(labels.iter().map(String::as_str), SMALL, NOISE);
    let is_rotated = room > width / labels.len().max(1) as f64 - 8.0;
    let below = if is_rotated { room + 16.0 } else { 28.0 };
    // A single curve has the name of the page.
    let legend = if names.len() > 1 { 12.0 + 20.0 * names.len() as f64 } else { 0.0 };
    let size = (LEFT + width + 12.0, 10.0 + HEIGHT + below + 8.0 + legend);
    let mut figure = Figure::new("noise", title, size);
    figure.description = format!("Accuracy of {} under {}", names.join(", "), labels.join(", "));
    bars.clone_into(&mut figure.caption);
    let last = labels.len().saturating_sub(1) as f64;
    let x = (-0.5, last + 0.5);
    let panel = Panel { left: LEFT, top: 10.0, width, height: HEIGHT, x, y: (floor(curves), 1.0) };
    let decimals = usize::from(panel.y.0 > 0.95);
    panel.y_axis(&mut figure, "accuracy", |value| format!("{:.decimals$} %", 100.0 * value));
    panel.x_names(&mut figure, &labels, is_rotated, NOISE);
    panel.frame(&mut figure);
    // Shifted sideways, so that error bars do not overlap.
    let count = names.len().max(1) as f64;
    let step = (0.4 / count).min(7.0 * (last + 1.0) / width);
    for (series, curve) in curves.iter().enumerate() {
        let aside = step * (series as f64 - (count - 1.0) / 2.0);
        draw(&mut figure, &panel, series, &noises, (curve, aside));
    }
    if names.len() > 1 {
        figure.legend((LEFT, panel.bottom() + below + 16.0), width, &names);
    }
    figure
}

/// Draws one curve, shifted sideways.
fn draw(
    figure: &mut Figure,
    panel: &Panel,
    series: usize,
    noises: &[Option<Noise>],
    (curve, aside): (&NoiseCurve, f64),
) {
    let place = |point: &CurvePoint| {
        let place = noises.iter().position(|noise| *noise == point.noise).unwrap_or_default();
        panel.at(place as f64 + aside, point.accuracy)
    };
    let mut points: Vec<&CurvePoint> = curve.points.iter().collect();
    points.sort_by(|a, b| place(a).0.total_cmp(&place(b).0));
    for run in points.chunk_by(|a, b| are_one_kind(a.noise.as_ref(), b.noise.as_ref())) {
        figure.line(run.iter().map(|point| place(point)).collect(), Ink::Series(series), 2.0);
    }
    for point in points {
        let (x, y) = place(point);
        if let Some([low, high]) = point.bar {
            let ends = [panel.at(0.0, low).1, panel.at(0.0, high).1];
            figure.line(ends.map(|end| (x, end)).to_vec(), Ink::Series(series), 1.5);
            for end in ends {
                figure.line(vec![(x - 4.0, end), (x + 4.0, end)], Ink::Series(series), 1.5);
            }
        }
        figure.marker((x, y), series);
    }
}

/// Whether two noises differ only in their strength.
fn are_one_kind(a: Option<&Noise>, b: Option<&Noise>) -> bool {
    let (Some(a), Some(b)) = (a, b) else { return false };
    a.kind == b.kind && std::mem::discriminant(&a.strength) == std::mem::discriminant(&b.strength)
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
