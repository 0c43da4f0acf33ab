//! A rectangle with axes.

use super::{
    figure::Figure,
    font::{shorten, width},
    marks::{Anchor, Text},
    style::{Ink, LABEL, SMALL},
};

/// A rectangle of a plot, with the ranges of its axes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Panel {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) width: f64,
    pub(super) height: f64,
    /// Values at the left and right ends.
    pub(super) x: (f64, f64),
    /// Values at the lower and upper ends.
    pub(super) y: (f64, f64),
}

impl Panel {
    pub(super) fn right(&self) -> f64 {
        self.left + self.width
    }

    pub(super) fn bottom(&self) -> f64 {
        self.top + self.height
    }

    /// Position of a pair of values; values outside the panel are moved to its edge.
    pub(super) fn at(&self, x: f64, y: f64) -> (f64, f64) {
        let share = |value: f64, (from, to): (f64, f64)| {
            let share = (value - from) / (to - from);
            if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 }
        };
        (self.left + share(x, self.x) * self.width, self.bottom() - share(y, self.y) * self.height)
    }

    /// Draws the frame, in front of the grid.
    pub(super) fn frame(&self, figure: &mut Figure) {
        let corner = (self.left, self.bottom());
        figure.line(
            vec![(self.left, self.top), corner, (self.right(), self.bottom())],
            Ink::Text,
            1.0,
        );
    }

    /// Draws a horizontal grid with numbers and a title at the left.
    pub(super) fn y_axis(&self, figure: &mut Figure, title: &str, number: impl Fn(f64) -> String) {
        let ticks = ticks(self.y.0, self.y.1, (self.height / 45.0).clamp(2.0, 8.0));
        let mut widest: f64 = 0.0;
        for value in ticks {
            let (_, y) = self.at(self.x.0, value);
            figure.line(vec![(self.left, y), (self.right(), y)], Ink::Grid, 1.0);
            let text = number(value);
            widest = widest.max(width(&text, SMALL));
            figure.text(Text::new(text, (self.left - 8.0, y)).size(SMALL).anchor(Anchor::Right));
        }
        let middle = (self.left - widest - 26.0, self.top + self.height / 2.0);
        figure.text(Text::new(title, middle).anchor(Anchor::Centre).rotated());
    }

    /// Draws numbers and a title below.
    pub(super) fn x_axis(&self, figure: &mut Figure, title: &str, number: impl Fn(f64) -> String) {
        for value in ticks(self.x.0, self.x.1, (self.width / 70.0).clamp(2.0, 10.0)) {
            let (x, y) = self.at(value, self.y.0);
            figure.line(vec![(x, y), (x, y + 5.0)], Ink::Text, 1.0);
            figure.text(Text::new(number(value), (x, y + 17.0)).size(SMALL).anchor(Anchor::Centre));
        }
        self.x_title(figure, title, 40.0);
    }

    pub(super) fn x_title(&self, figure: &mut Figure, title: &str, below: f64) {
        let at = (self.left + self.width / 2.0, self.bottom() + below);
        figure.text(Text::new(title, at).size(LABEL).anchor(Anchor::Centre));
    }

    /// Draws names below, at equal distances, shortened to `room` pixels.
    pub(super) fn x_names(&self, figure: &mut Figure, names: &[String], rotated: bool, room: f64) {
        for (i, name) in names.iter().enumerate() {
            let (x, y) = self.at(i as f64, self.y.0);
            figure.line(vec![(x, y), (x, y + 5.0)], Ink::Text, 1.0);
            let text = Text::new(shorten(name, SMALL, room), (x, y + 17.0)).size(SMALL);
            figure.text(if rotated {
                Text { at: (x, y + 9.0), ..text }.anchor(Anchor::Right).rotated()
            } else {
                text.anchor(Anchor::Centre)
            });
        }
    }

    /// Draws a note in the middle of an empty panel.
    pub(super) fn no_data(&self, figure: &mut Figure) {
        let middle = (self.left + self.width / 2.0, self.top + self.height / 2.0);
        figure.text(Text::new("no data", middle).color(Ink::Faint).anchor(Anchor::Centre));
    }
}

/// About `count` round numbers in a range: multiples of 1, 2 or 5 times a power of ten.
pub(super) fn ticks(from: f64, to: f64, count: f64) -> Vec<f64> {
    let span = to - from;
    if !(span.is_finite() && span > 0.0) {
        return Vec::new();
    }
    let raw = span / count.max(1.0);
    let power = 10_f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|s| *s >= raw * 0.999);
    let step = step.unwrap_or(raw);
    let first = (from / step - 1e-9).ceil() as i64;
    let last = (to / step + 1e-9).floor() as i64;
    (first..=last).map(|i| i as f64 * step).collect()
}
