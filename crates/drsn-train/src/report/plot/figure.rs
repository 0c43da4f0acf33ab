//! A plot as a list of marks. Coordinates are pixels of the SVG, from the upper left corner.

use super::{
    font::{shorten, width},
    marks::{Mark, Marker, Text},
    style::{Ink, SMALL, Tone},
};

/// A plot. Its title and caption are beside it in a page, and above it in a file of its own.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Figure {
    /// Name of its files, without extension.
    pub(crate) name: String,
    /// What it shows.
    pub(crate) title: String,
    /// How to read it.
    pub(crate) caption: String,
    /// One-sentence description, for readers who cannot see the plot.
    pub(crate) description: String,
    pub(super) size: (f64, f64),
    pub(super) marks: Vec<Mark>,
}

impl Figure {
    pub(super) fn new(name: &str, title: &str, size: (f64, f64)) -> Self {
        Self {
            name: name.to_owned(),
            title: title.to_owned(),
            caption: String::new(),
            description: title.to_owned(),
            size,
            marks: Vec::new(),
        }
    }

    /// Width in pixels at which its letters have their size.
    pub(crate) fn width(&self) -> f64 {
        self.size.0
    }

    pub(super) fn text(&mut self, text: Text) {
        self.marks.push(Mark::Text(text));
    }

    pub(super) fn rect(&mut self, from: (f64, f64), to: (f64, f64), fill: impl Into<Tone>) {
        self.marks.push(Mark::Rect { from, to, fill: fill.into() });
    }

    pub(super) fn line(&mut self, points: Vec<(f64, f64)>, color: Ink, width: f64) {
        self.marks.push(Mark::Line { points, color, width });
    }

    pub(super) fn dashed(&mut self, from: (f64, f64), to: (f64, f64), color: Ink) {
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
        self.marks.push(Mark::Marker { at, marker, color: Ink::Series(series) });
    }

    /// Names of series with their colours and markers, one below the other.
    pub(super) fn legend(&mut self, at: (f64, f64), room: f64, names: &[&str]) {
        for (series, name) in names.iter().enumerate() {
            let name = shorten(name, SMALL, room - 38.0);
            self.sample((at.0, at.1 + 20.0 * series as f64), series, &name);
        }
    }

    /// The colour and marker of a series, with its name.
    pub(super) fn sample(&mut self, (x, y): (f64, f64), series: usize, name: &str) {
        self.line(vec![(x, y), (x + 28.0, y)], Ink::Series(series), 2.0);
        self.marker((x + 14.0, y), series);
        self.text(Text::new(name, (x + 36.0, y)).size(SMALL));
    }

    /// Fields of colours with their meanings, in one row.
    pub(super) fn key(&mut self, at: (f64, f64), entries: &[(Tone, &str)]) {
        let mut x = at.0;
        for (fill, words) in entries {
            self.rect((x, at.1 - 6.0), (x + 12.0, at.1 + 6.0), *fill);
            self.text(Text::new(*words, (x + 18.0, at.1)).size(SMALL));
            x += 18.0 + width(words, SMALL) + 16.0;
        }
    }
}
