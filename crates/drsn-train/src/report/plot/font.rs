//! The font of plots, and the widths of texts.

use std::sync::Once;

use plotters::style::{FontStyle, IntoFont as _, register_font};

use crate::report::text::plain;

/// Font family: the built-in font in a PNG, the viewer's font in an SVG.
pub(super) const FAMILY: &str = "sans-serif";

/// `DejaVu` Sans, the letters of European languages.
static FONT: &[u8] = include_bytes!("../../../assets/DejaVuSans-subset.ttf");

/// Registers the built-in font. If that fails, drawing a text fails with the reason.
pub(super) fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let _ = register_font(FAMILY, FontStyle::Normal, FONT);
    });
}

/// Width of a text in pixels.
pub(super) fn width(text: &str, size: f64) -> f64 {
    register();
    let font = (FAMILY, size).into_font();
    // Letters missing from the font are drawn by the viewer's font in an SVG: about as wide as
    // high.
    // The viewer's font may be wider.
    font.layout_box(text).map_or_else(
        |_| 0.7 * size * text.chars().count() as f64,
        |((left, _), (right, _))| 1.08 * f64::from(right - left),
    )
}

/// Shortens a text with an ellipsis to at most `room` pixels.
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

/// Width of the widest name in pixels, at most `max`.
pub(super) fn widest<'a>(names: impl Iterator<Item = &'a str>, size: f64, max: f64) -> f64 {
    names.map(|name| width(name, size)).fold(0.0, f64::max).min(max)
}
