//! A plot as a list of marks. Coordinates are pixels of the SVG, from the upper left corner.

use plotters::style::RGBColor;

use super::{
    font::shorten,
    marks::{Mark, Marker, Text},
    style::{FAINT, SMALL, TITLE, color},
};

/// A plot.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Figure {
    /// Name of its files, without extension.
    pub(crate) name: String,
    /// One-sentence description, for readers who cannot see the plot.
    pub(crate) description: String,
    pub(super) size: (f64, f64),
    pub(super) marks: Vec<Mark>,
}

impl Figure {
    pub(super) fn new(name: &str, description: String, size: (f64, f64)) -> Self {
        Self { name: name.to_owned(), description, size, marks: Vec::new() }
    }

    pub(super) fn title(&mut self, title: &str) {
        let title = shorten(title, TITLE, self.size.0 - 40.0);
        self.text(Text::new(title, (20.0, 24.0)).size(TITLE));
    }

    /// A line below the title.
    pub(super) fn subtitle(&mut self, text: &str) {
        let text = shorten(text, SMALL, self.size.0 - 40.0);
        self.text(Text::new(text, (20.0, 47.0)).size(SMALL).color(FAINT));
    }

    pub(super) fn text(&mut self, text: Text) {
        self.marks.push(Mark::Text(text));
    }

    pub(super) fn rect(&mut self, from: (f64, f64), to: (f64, f64), fill: RGBColor) {
        self.marks.push(Mark::Rect { from, to, fill });
    }

    pub(super) fn line(&mut self, points: Vec<(f64, f64)>, color: RGBColor, width: f64) {
        self.marks.push(Mark::Line { points, color, width });
    }

    pub(super) fn dashed(&mut self, from: (f64, f64), to: (f64, f64), color: RGBColor) {
        let length = (to.0 - from.0).hypot(to.1 - from.1);
        let at = |d: f64| {
            let share = (d / length).min(1.0);
            (from.0 + share * (to.0 - from.0), from.1 + share * (to.1 - from.1))
        };
        for dash in 0..(length / 10.0).ceil() as usize {
            let begin = 10.0 * dash as f64;
            self.line(vec![at(begin), at(begin + 6.0)], color, 1.5);
        }
    }

    pub(super) fn marker(&mut self, at: (f64, f64), series: usize) {
        let marker = Marker::of(series);
        self.marks.push(Mark::Marker { at, marker, color: color(series) });
    }

    /// Names of series with their colours and markers, one below the other.
    pub(super) fn legend(&mut self, at: (f64, f64), width: f64, names: &[&str]) {
        for (series, name) in names.iter().enumerate() {
            let y = at.1 + 24.0 * series as f64;
            self.line(vec![(at.0, y), (at.0 + 28.0, y)], color(series), 2.0);
            self.marker((at.0 + 14.0, y), series);
            let name = shorten(name, SMALL, width - 38.0);
            self.text(Text::new(name, (at.0 + 36.0, y)).size(SMALL));
        }
    }
}
