//! The elements of plots.

use super::style::{Ink, LABEL, Tone};

/// An element; coordinates in pixels of the SVG.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Mark {
    Rect { from: (f64, f64), to: (f64, f64), fill: Tone },
    Line { points: Vec<(f64, f64)>, color: Ink, width: f64 },
    Marker { at: (f64, f64), marker: Marker, color: Ink },
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

/// Radius of a circle in pixels.
pub(super) const RADIUS: f64 = 4.5;

impl Marker {
    pub(super) fn of(series: usize) -> Self {
        [Self::Circle, Self::Square, Self::Triangle, Self::Diamond][series % 4]
    }

    /// Corners relative to its place; none of a circle.
    pub(super) fn corners(self) -> &'static [(f64, f64)] {
        match self {
            Self::Circle => &[],
            Self::Square => &[(-4.0, -4.0), (4.0, -4.0), (4.0, 4.0), (-4.0, 4.0)],
            Self::Triangle => &[(0.0, -5.5), (5.0, 4.0), (-5.0, 4.0)],
            Self::Diamond => &[(0.0, -6.0), (5.0, 0.0), (0.0, 6.0), (-5.0, 0.0)],
        }
    }
}

/// A line of text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Text {
    pub(super) words: String,
    /// Position of the anchor, vertically in the middle of the letters.
    pub(super) at: (f64, f64),
    pub(super) size: f64,
    pub(super) color: Ink,
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
            color: Ink::Text,
            anchor: Anchor::Left,
            is_rotated: false,
        }
    }

    pub(super) fn size(self, size: f64) -> Self {
        Self { size, ..self }
    }

    pub(super) fn color(self, color: Ink) -> Self {
        Self { color, ..self }
    }

    pub(super) fn anchor(self, anchor: Anchor) -> Self {
        Self { anchor, ..self }
    }

    pub(super) fn rotated(self) -> Self {
        Self { is_rotated: true, ..self }
    }
}
