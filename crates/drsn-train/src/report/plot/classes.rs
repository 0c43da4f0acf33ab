//! F1 of each class.

use super::{
    figure::Figure,
    font::{shorten, widest},
    marks::{Anchor, Text},
    panel::Panel,
    style::{BLUE, FAINT, GRID, INK, SMALL, shade},
};
use crate::evaluation::Scores;

/// Maximum width of a class name in pixels.
const NAME: f64 = 190.0;

/// Draws a horizontal bar for each class, in the order of the model's outputs.
pub(crate) fn per_class(scores: &Scores, title: &str) -> Figure {
    let names = scores.classes.iter().map(|class| class.name.as_str());
    let left = 34.0 + widest(names, SMALL, NAME);
    let step = if scores.classes.len() > 40 { 18.0 } else { 26.0 };
    let height = step * scores.classes.len() as f64 + 8.0;
    let size = ((left + 420.0 + 150.0).ceil(), (66.0 + height + 58.0).ceil());
    let description = format!("F1 of each class; their mean is {:.4}", scores.macro_f1);
    let mut figure = Figure::new("classes", description, size);
    figure.title(title);
    figure.subtitle(&format!(
        "F1 of each class and its number of inputs; mean {:.4}",
        scores.macro_f1
    ));
    let panel = Panel { left, top: 66.0, width: 420.0, height, x: (0.0, 1.0), y: (0.0, 1.0) };
    for tick in [0.2, 0.4, 0.6, 0.8, 1.0] {
        figure.line(vec![panel.at(tick, 0.0), panel.at(tick, 1.0)], GRID, 1.0);
    }
    panel.x_axis(&mut figure, "F1", |value| format!("{value:.1}"));
    for (i, class) in scores.classes.iter().enumerate() {
        let y = panel.top + 4.0 + step * (i as f64 + 0.5);
        let name = shorten(&class.name, SMALL, NAME);
        figure.text(Text::new(name, (left - 8.0, y)).size(SMALL).anchor(Anchor::Right));
        let end = panel.at(class.f1.unwrap_or_default(), 0.0).0;
        let half = step / 2.0 - 3.0;
        figure.rect((left, y - half), (end, y + half), shade(BLUE, 0.75));
        let value = class.f1.map_or_else(|| "–".to_owned(), |f1| format!("{f1:.4}"));
        figure.text(Text::new(value, (panel.right() + 10.0, y)).size(SMALL).color(INK));
        let support = format!("n = {}", class.support);
        figure.text(Text::new(support, (panel.right() + 66.0, y)).size(SMALL).color(FAINT));
    }
    panel.frame(&mut figure);
    figure
}
