//! What a plot consists of.

use plotters::style::RGBColor;

use super::figure::{INK, LABEL};

/// One thing to draw; coordinates in pixels of the SVG.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Mark {
    Rect { from: (f64, f64), to: (f64, f64), fill: RGBColor },
    Line { points: Vec<(f64, f64)>, color: RGBColor, width: f64 },
    Marker { at: (f64, f64), marker: Marker, color: RGBColor },
    Text(Text),
}

/// Shapes that tell series apart without colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marker {
    Circle,
    Square,
    Triangle,
    Diamond,
}

impl Marker {
    pub(super) fn of(series: usize) -> Self {
        [Self::Circle, Self::Square, Self::Triangle, Self::Diamond][series % 4]
    }
}

/// A line of text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Text {
    pub(super) words: String,
    /// The end or middle that `across` says, at half the height of the letters.
    pub(super) at: (f64, f64),
    pub(super) size: f64,
    pub(super) color: RGBColor,
    pub(super) across: Across,
    /// Turned by 90° to the left: it is read from below.
    pub(super) turned: bool,
}

/// Which part of a text lies at its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Across {
    Left,
    Centre,
    Right,
}

impl Text {
    pub(super) fn new(text: impl Into<String>, at: (f64, f64)) -> Self {
        Self {
            words: text.into(),
            at,
            size: LABEL,
            color: INK,
            across: Across::Left,
            turned: false,
        }
    }

    pub(super) fn size(self, size: f64) -> Self {
        Self { size, ..self }
    }

    pub(super) fn color(self, color: RGBColor) -> Self {
        Self { color, ..self }
    }

    pub(super) fn across(self, across: Across) -> Self {
        Self { across, ..self }
    }

    pub(super) fn turned(self) -> Self {
        Self { turned: true, ..self }
    }
}
