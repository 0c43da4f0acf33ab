//! The elements of plots.

use plotters::style::RGBColor;

use super::style::{INK, LABEL};

/// An element; coordinates in pixels of the SVG.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Mark {
    Rect { from: (f64, f64), to: (f64, f64), fill: RGBColor },
    Line { points: Vec<(f64, f64)>, color: RGBColor, width: f64 },
    Marker { at: (f64, f64), marker: Marker, color: RGBColor },
    Text(Text),
}

/// Shapes that distinguish series without colour.
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
    /// Position of the anchor, vertically in the middle of the letters.
    pub(super) at: (f64, f64),
    pub(super) size: f64,
    pub(super) color: RGBColor,
    pub(super) anchor: Anchor,
    /// Whether it is rotated by 90° counterclockwise.
    pub(super) is_rotated: bool,
}

/// The part of a text that is at its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
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
            anchor: Anchor::Left,
            is_rotated: false,
        }
    }

    pub(super) fn size(self, size: f64) -> Self {
        Self { size, ..self }
    }

    pub(super) fn color(self, color: RGBColor) -> Self {
        Self { color, ..self }
    }

    pub(super) fn anchor(self, anchor: Anchor) -> Self {
        Self { anchor, ..self }
    }

    pub(super) fn rotated(self) -> Self {
        Self { is_rotated: true, ..self }
    }
}
