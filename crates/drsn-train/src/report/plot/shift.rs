//! Input shift: the scores of held-out inputs, and of test inputs under each noise.

use super::{
    WIDTH,
    figure::Figure,
    font::{shorten, widest},
    marks::{Anchor, Text},
    panel::Panel,
    style::{BLUE, Ink, SMALL, VERMILLION},
};
use crate::{
    evaluation::Spread,
    report::{curve::noise_name, evaluation::EvaluationReport},
};

/// Most of a noise's name, in pixels.
const NAME: f64 = 130.0;
/// Height of a row in pixels.
const ROW: f64 = 30.0;

/// Draws the distribution of the score under each noise; `None` if the model has no such baseline.
pub(crate) fn shift(report: &EvaluationReport, title: &str) -> Option<Figure> {
    let held_out = report.held_out_shift?;
    let mut rows = vec![("held out".to_owned(), held_out.scores, None)];
    for result in &report.results {
        let Some(watched) = &result.watched else { continue };
        let name = match &result.noise {
            None => "test, clean".to_owned(),
            noise => noise_name(noise.as_ref()),
        };
        rows.extend(watched.shift_scores.map(|scores| (name, scores, watched.shift_alarms)));
    }
    let left = 20.0 + widest(rows.iter().map(|row| &*row.0), SMALL, NAME);
    let height = ROW * rows.len() as f64;
    let mut figure = Figure::new("shift", title, (WIDTH, 28.0 + height + 56.0));
    "line: 5 to 95 % of the inputs, box: the middle half, bar: the median; right of the dashed line an \
     input raises an alarm"
        .clone_into(&mut figure.caption);
    figure.description = format!("Input shift scores of {} sets of inputs", rows.len());
    let panel = Panel {
        left,
        top: 28.0,
        width: WIDTH - left - 66.0,
        height,
        x: range(rows.iter().map(|row| &row.1), held_out.alarm_above),
        y: (0.0, 1.0),
    };
    panel.x_axis(&mut figure, "input shift score (logarithmic)", |power| {
        if power.fract().abs() < 1e-9 { short(10_f64.powf(power)) } else { String::new() }
    });
    let alarms = Text::new("alarms", (panel.right() + 8.0, 14.0)).size(SMALL);
    figure.text(alarms.color(Ink::Faint));
    for (row, (name, scores, alarms)) in rows.iter().enumerate() {
        let y = panel.top + ROW * (row as f64 + 0.5);
        let name = shorten(name, SMALL, NAME);
        figure.text(Text::new(name, (left - 8.0, y)).size(SMALL).anchor(Anchor::Right));
        draw(&mut figure, &panel, y, scores, row > 0);
        if let Some(alarms) = alarms {
            let share = format!("{:.1} %", 100.0 * alarms);
            figure.text(Text::new(share, (panel.right() + 8.0, y)).size(SMALL));
        }
    }
    let x = panel.at(held_out.alarm_above.max(f64::MIN_POSITIVE).log10(), 0.0).0;
    figure.dashed((x, panel.top - 6.0), (x, panel.bottom()), Ink::Text);
    panel.frame(&mut figure);
    Some(figure)
}

fn draw(figure: &mut Figure, panel: &Panel, y: f64, scores: &Spread, is_test: bool) {
    let x = |score: f64| panel.at(score.max(f64::MIN_POSITIVE).log10(), 0.0).0;
    let ink = if is_test { VERMILLION } else { BLUE };
    figure.line(vec![(x(scores.p5), y), (x(scores.p95), y)], ink, 2.0);
    figure.rect((x(scores.p25), y - 8.0), (x(scores.p75), y + 8.0), Ink::Paper);
    figure.rect((x(scores.p25), y - 8.0), (x(scores.p75), y + 8.0), ink.at(0.5));
    figure.line(vec![(x(scores.p50), y - 8.0), (x(scores.p50), y + 8.0)], Ink::Text, 2.0);
}

/// The range of all scores as powers of ten, with some room.
fn range<'a>(rows: impl Iterator<Item = &'a Spread>, alarm: f64) -> (f64, f64) {
    let ends = rows.flat_map(|scores| [scores.p5, scores.p95]).chain([alarm]);
    let powers = ends.filter(|score| *score > 0.0).map(f64::log10);
    let (low, high) = powers.fold((f64::MAX, f64::MIN), |(low, high), x| (low.min(x), high.max(x)));
    if low > high { (0.0, 1.0) } else { (low - 0.1, high + 0.1) }
}

fn short(value: f64) -> String {
    if (0.01..100_000.0).contains(&value) { value.to_string() } else { format!("{value:.0e}") }
}
