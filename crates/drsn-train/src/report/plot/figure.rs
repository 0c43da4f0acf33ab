//! A plot: its size and its marks, in pixels of the SVG from the upper left corner.

use plotters::style::{IntoFont as _, RGBColor};

use super::{
    marks::{Across, Mark, Marker, Text},
    render,
};
use crate::report::{ReportError, text::plain};

pub(super) const INK: RGBColor = RGBColor(34, 34, 34);
pub(super) const FAINT: RGBColor = RGBColor(110, 110, 110);
pub(super) const GRID: RGBColor = RGBColor(222, 222, 222);
pub(super) const WHITE: RGBColor = RGBColor(255, 255, 255);
pub(super) const BLUE: RGBColor = RGBColor(0, 114, 178);
pub(super) const VERMILLION: RGBColor = RGBColor(213, 94, 0);

/// Colours that people with any colour vision can tell apart: M. Okabe and K. Ito, "Color Universal Design", 2008,
/// without the yellow, which is too light on white.
const PALETTE: [RGBColor; 7] = [
    BLUE,
    VERMILLION,
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
];

/// Sizes of letters.
pub(super) const TITLE: f64 = 19.0;
pub(super) const LABEL: f64 = 15.0;
pub(super) const SMALL: f64 = 13.0;

/// A plot.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Name of its files, without the ending.
    pub name: String,
    /// What it shows, in a sentence, for those who cannot see it.
    pub description: String,
    pub(super) size: (f64, f64),
    pub(super) marks: Vec<Mark>,
}

impl Figure {
    pub(super) fn new(name: &str, description: String, size: (f64, f64)) -> Self {
        Self { name: name.to_owned(), description, size, marks: Vec::new() }
    }

    /// The plot as an SVG document.
    ///
    /// # Errors
    /// [`ReportError::Plot`].
    pub fn svg(&self) -> Result<String, ReportError> {
        render::svg(self)
    }

    /// Draws the plot into a PNG file, twice as large as the SVG.
    ///
    /// # Errors
    /// [`ReportError::Plot`] with what the system said where the file cannot be written.
    pub fn png(&self, path: &std::path::Path) -> Result<(), ReportError> {
        render::png(self, path)
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

/// Colour of the n-th series.
pub(super) fn color(series: usize) -> RGBColor {
    PALETTE[series % PALETTE.len()]
}

/// White at 0, `full` at 1.
pub(super) fn shade(full: RGBColor, share: f64) -> RGBColor {
    let share = share.clamp(0.0, 1.0);
    let mix = |c: u8| (255.0 + (f64::from(c) - 255.0) * share).round() as u8;
    RGBColor(mix(full.0), mix(full.1), mix(full.2))
}

/// Width of a text as it will be drawn.
pub(super) fn width(text: &str, size: f64) -> f64 {
    render::prepare_font();
    let font = (render::FAMILY, size).into_font();
    // Letters that the font lacks are drawn by the reader's font in an SVG: about as wide as high.
    font.layout_box(text).map_or_else(
        |_| 0.7 * size * text.chars().count() as f64,
        |((left, _), (right, _))| f64::from(right - left),
    )
}

/// A text on one line that is no wider than `room`: what does not fit ends with an ellipsis.
pub(super) fn shorten(text: &str, size: f64, room: f64) -> String {
    let text = plain(text);
    if width(&text, size) <= room {
        return text;
    }
    let mut letters: Vec<char> = text.chars().collect();
    while letters.pop().is_some() {
        let shorter: String = letters.iter().chain(&['…']).collect();
        if width(&shorter, size) <= room {
            return shorter;
        }
    }
    String::new()
}

/// The width of the widest of some names, at most `most`.
pub(super) fn widest<'a>(names: impl Iterator<Item = &'a str>, size: f64, most: f64) -> f64 {
    names.map(|name| width(name, size)).fold(0.0, f64::max).min(most)
}

/// Where a text begins so that it is centred on `x`.
pub(super) const CENTRE: Across = Across::Centre;
